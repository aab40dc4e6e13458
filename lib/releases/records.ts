import type { Bundle, Platform } from '../platforms/platform.ts'
import type { Cell } from '../stores/store.ts'
import { addTo, recordsIn } from './book.ts'

/** What the flight recorder saw at the front door while the traffic moved. */
export type DoorFigures = { readonly requests: number; readonly failed: number; readonly longestGapMs: number }

/** A release that was verified, kept with the application: who, when, what, and what to go back to. */
export type ReleaseRecord = {
  readonly release: string
  readonly run: string
  readonly how: 'deploy' | 'rollback'
  readonly bundle: Bundle
  /** The release that served before. */
  readonly previous: string | null
  /** Ids that the data stood at before and after; null where the stack has no migrations. */
  readonly migration: { readonly before: string; readonly after: string; readonly reversible: boolean } | null
  /** The recovery point that was taken first. */
  readonly backup: string | null
  readonly by: { readonly user: string; readonly host: string }
  readonly approvedBy: string | null
  /** What was skipped or overridden, by its flag. */
  readonly overrides: readonly string[]
  /** When it was verified, ISO 8601, and how long it took. */
  readonly at: string
  readonly tookMs: number
  readonly door: DoorFigures | null
}

const cellOf = (platform: Platform): Cell => platform.cell('releases')

/** The verified releases, newest first. A rollback is a record of its own, of the release that it went back to. */
export const releasesOf = (platform: Platform): Promise<readonly ReleaseRecord[]> => recordsIn(cellOf(platform))

/** Adds a record once; a run that records twice changes nothing. */
export const addRecord = (platform: Platform, record: ReleaseRecord): Promise<void> => addTo(cellOf(platform), [record])

/** Any record of a release, whatever was released. */
type Named = { readonly release: string; readonly previous: string | null }

/** The newest record of a release. */
export const recordOf = <R extends Named>(records: readonly R[], release: string | null | undefined): R | undefined =>
  records.find(record => record.release === release)

/** The record of a release by its id or the end of it; undefined when none, or several, match. */
export function namedRelease<R extends Named>(records: readonly R[], named: string): R | undefined {
  const ids = new Set(records.flatMap(({ release }) => (release === named || release.endsWith(named) ? [release] : [])))
  const [id] = ids
  return ids.size === 1 ? recordOf(records, id) : undefined
}

/** Releases in the order in which they were first verified, newest first. */
function firsts<R extends Named>(records: readonly R[]): R[] {
  return records.filter((record, i) => !records.slice(i + 1).some(older => older.release === record.release))
}

/**
 * The release to go back to: the one that served when what serves now came, or, where that was never verified, the last one that was verified
 * before it. So rolling back twice goes two back, and never to what a rollback has left, also when something new came since. What serves without
 * a record goes back to the newest verified one.
 */
export function targetOf<R extends Named>(records: readonly R[], serving: string | null): R | undefined {
  const order = firsts(records)
  const at = order.findIndex(record => record.release === serving)
  const older = order.slice(at + 1)
  const target = older.find(record => record.release === order[at]?.previous) ?? older[0]
  return target && recordOf(records, target.release)
}

/** The verified releases that are kept with their images and files: the newest ones, whatever serves, and what it would go back to. */
export function keptOf<R extends Named>(records: readonly R[], serving: string | null, keep: number): readonly R[] {
  const order = firsts(records)
  const wanted = new Set([...order.slice(0, keep).map(record => record.release), serving, targetOf(records, serving)?.release])
  return order.flatMap(({ release }) => (wanted.has(release) ? (recordOf(records, release) ?? []) : []))
}
