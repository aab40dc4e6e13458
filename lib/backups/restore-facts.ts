import { Trouble } from '../plan/outcome.ts'
import type { Doing } from '../plan/plan.ts'
import type { PartFacts } from '../sources/source.ts'
import type { Point } from './catalogue.ts'
import type { DataFacts } from './facts.ts'
import { findRecords } from './records.ts'
import { ASIDE_KEPT_MS } from './restore.ts'
import type { RestoreRecord } from './sentences.ts'
import { type DataSite, partOf } from './site.ts'

/** What a restore, or the undo of one, is planned from. */
export type RestoreFacts =
  | ({
      readonly kind: 'restore'
      readonly point: Point
      readonly names: readonly string[]
      readonly old: Readonly<Record<string, readonly string[]>>
      readonly writing: boolean
    } & DataFacts)
  | { readonly kind: 'undo'; readonly record: RestoreRecord; readonly writing: boolean }

/** The parts of a point that were asked for; Trouble(2) for one that the point does not have. */
export function partsOf(point: Point, asked: readonly string[]): string[] {
  const all = Object.keys(point.manifest?.parts ?? {})
  const strange = asked.find(name => !all.includes(name))
  if (strange) throw new Trouble(2, `${point.id} has no part "${strange}"; it has ${all.join(', ')}`)
  return asked.length > 0 ? [...asked] : all
}

/** Parts that are encrypted can be decrypted here. */
export function decryptable(site: DataSite, point: Point) {
  return {
    title: 'there is a key to decrypt with',
    holds: !point.manifest?.encryption || site.identities.length > 0,
    because: `${point.id} is encrypted to ${point.manifest?.encryption?.recipients.join(', ')}, and no identity was given`,
    mend: 'add --identity=<file>, the identity file of one of these recipients',
  }
}

/** The present can be saved first, there is none, or its loss was agreed to. */
export function presentKnown(part: PartFacts, skipped: boolean) {
  return {
    title: `${part.name} can be saved first`,
    holds: part.state === 'answers' || part.state === 'missing' || (skipped && part.state !== 'unreachable'),
    because:
      part.state === 'unreachable'
        ? `${part.name} (${part.where}) cannot be reached: ${part.because ?? ''}`
        : `The present of ${part.name} (${part.where}) cannot be read, so it cannot be saved first: ${part.because ?? part.state}`,
    mend: part.state === 'unreachable' ? `bring ${part.where} up first` : 'if what stands there is beyond use, add --skip-safety-backup=SKIP',
  }
}

/** Nothing writes during the swap: the stack says how writers are stopped, each part locks them out itself, or the operator has stopped them. */
export function writersOut(site: DataSite, parts: readonly string[], stopped: boolean) {
  const open = parts.map(name => partOf(site, name)).find(part => part.writersMustStop !== undefined)
  return {
    title: 'writers are out during the swap',
    holds: site.writers !== undefined || stopped || open === undefined,
    because: `Writers of ${open?.name} must be stopped before the swap: ${open?.writersMustStop}`,
    mend: 'declare `writers` in the stack file, or stop them yourself and add --writers-stopped=STOPPED',
  }
}

/** The time in a run's short id, in milliseconds; NaN for names that are none. */
function timeOf(short: string): number {
  const found = /^(\d{4})(\d{2})(\d{2})t(\d{2})(\d{2})(\d{2})z/i.exec(short)
  return found ? Date.parse(`${found[1]}-${found[2]}-${found[3]}T${found[4]}:${found[5]}:${found[6]}Z`) : Number.NaN
}

/** Runs whose remains are old enough to be let go of, by part. */
export async function oldRemains(site: DataSite, doing: Doing, nowMs = Date.now()): Promise<Record<string, string[]>> {
  const all = [...site.parts.values()].map(async part => {
    // A part that cannot be looked at keeps what it has.
    const remains = await part.remains(doing).catch(() => [])
    const old = remains.map(remain => remain.run).filter(run => nowMs - timeOf(run) > ASIDE_KEPT_MS)
    return [part.name, [...new Set(old)].sort()] as const
  })
  return Object.fromEntries(await Promise.all(all))
}

/** The record of a restore that can still be taken back; Trouble(3) says why not. */
export async function undoable(site: DataSite, run: string, doing: Doing): Promise<{ record: RestoreRecord }> {
  const [record, second] = await findRecords(site, run, doing)
  if (!record) throw new Trouble(3, `No restore ${run} is recorded for ${site.stack}/${site.environment}`)
  if (second) throw new Trouble(2, `Several restores begin with ${run}: ${record.run}, ${second.run}`)
  const parts = Object.entries(record.parts)
  if (parts.every(([, { hadLive }]) => !hadLive))
    throw new Trouble(3, `Before ${record.run} there was no ${parts.map(([part]) => part).join(' and no ')} to go back to`)
  for (const [part, { hadLive }] of parts) {
    const { aside } = await partOf(site, part).presence(record.short, doing)
    if (hadLive && aside === 0)
      throw new Trouble(3, `Nothing that ${record.run} set aside of ${part} is left: it was taken back already, or let go of`)
  }
  return { record }
}
