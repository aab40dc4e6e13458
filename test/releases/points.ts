import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type Invoke, invoke, type Ran, type World } from '../runbooks/kit.ts'

/** A line of the journal at which a run may be ended: its number and what it says, `intent traffic/front door`. */
export type Line = { readonly n: number; readonly says: string }

/** Plays a runbook to its end and gives the lines of its journal. */
export const linesOf = (shop: World, runbook: string, flags: readonly string[]): Promise<readonly Line[]> =>
  linesIn(shop, how => invoke(shop, runbook, flags, how))

/** The same of a run that somebody else plays. */
export async function linesIn({ folder }: World, play: (how: Invoke) => Promise<Ran>): Promise<readonly Line[]> {
  const points = join(folder, 'points')
  rmSync(points, { force: true })
  const ran = await play({ points })
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

/** The point at the first line that says this, whatever its number is, and whatever release and slot it is about. */
export const pointThatSays = (says: string, when: 'before' | 'torn' | 'after' = 'after'): string =>
  `says:${says.replace(/(it|slot)$|slot .*$/, '')}:${when}`
