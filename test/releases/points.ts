import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { invoke } from '../runbooks/kit.ts'
import type { Shop } from './world.ts'

/** A line of the journal at which a run may be ended: its number and what it says, `intent traffic/front door`. */
export type Line = { readonly n: number; readonly says: string }

/** Plays a runbook to its end and gives the lines of its journal. */
export async function linesOf(shop: Shop, runbook: string, flags: readonly string[]): Promise<readonly Line[]> {
  const points = join(shop.folder, 'points')
  rmSync(points, { force: true })
  const ran = await invoke(shop, runbook, flags, { points })
  if (ran.exit !== 0) throw new Error(`exit ${ran.exit}: ${ran.last}\n${ran.stderr}`)
  return readFileSync(points, 'utf8')
    .split('\n')
    .flatMap(line => {
      const [, n, at, of] = /^entry (\d+) .*?"at":"([a-z]+)"(?:,"of":"([^"]+)")?/.exec(line) ?? []
      return n && at ? [{ n: Number(n), says: of ? `${at} ${of.replace(/\d{8}t\d{6}z[0-9a-z]+/, 'it').replace(/blue|green/g, 'slot')}` : at }] : []
    })
}

/** The number of the first line that says this; throws when there is none. */
export function lineThatSays(lines: readonly Line[], says: string): number {
  const found = lines.find(line => line.says === says)
  if (found) return found.n
  throw new Error(`no line says "${says}"; they say ${lines.map(line => line.says).join(', ')}`)
}
