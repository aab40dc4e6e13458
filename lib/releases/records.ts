import { Trouble } from '../plan/outcome.ts'
import type { Doing } from '../plan/plan.ts'
import type { Bundle, Platform } from '../platforms/platform.ts'
import { type Cell, StoreError } from '../stores/store.ts'

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

type Book = { readonly format: 1; readonly releases: readonly ReleaseRecord[] }

/** Records that are kept, oldest first to go: 2 kB each, so that the document stays below what a Kubernetes object may hold. */
const KEPT = 50

const cellOf = (platform: Platform): Cell => platform.cell('releases')

async function read(cell: Cell): Promise<{ book: Book; version: string }> {
  const { body, version } = await cell.read()
  if (body === null) return { book: { format: 1, releases: [] }, version }
  try {
    const book = JSON.parse(body) as Book
    if (book.format === 1) return { book, version }
  } catch {
    // Said below.
  }
  throw new Trouble(3, `The releases at ${cell.where} are damaged, or of another version of this toolkit`, {
    look: [`what is written at ${cell.where}`],
  })
}

/** The verified releases, newest first. A rollback is a record of its own, of the release that it went back to. */
export async function releasesOf(platform: Platform, _doing: Doing): Promise<readonly ReleaseRecord[]> {
  return (await read(cellOf(platform))).book.releases
}

/** Adds a record once; a run that records twice changes nothing. */
export async function addRecord(platform: Platform, record: ReleaseRecord): Promise<void> {
  const cell = cellOf(platform)
  for (;;) {
    const { book, version } = await read(cell)
    if (book.releases.some(known => known.run === record.run)) return
    try {
      await cell.write(JSON.stringify({ format: 1, releases: [record, ...book.releases].slice(0, KEPT) } satisfies Book), version)
      return
    } catch (error) {
      if (!(error instanceof StoreError && error.fault === 'conflict')) throw error
    }
  }
}

/** The newest record of a release. */
export const recordOf = (records: readonly ReleaseRecord[], release: string | null | undefined): ReleaseRecord | undefined =>
  records.find(record => record.release === release)

/** The record of a release by its id or the end of it; undefined when none, or several, match. */
export function namedRelease(records: readonly ReleaseRecord[], named: string): ReleaseRecord | undefined {
  const ids = new Set(records.flatMap(({ release }) => (release === named || release.endsWith(named) ? [release] : [])))
  const [id] = ids
  return ids.size === 1 ? recordOf(records, id) : undefined
}

/** Releases in the order in which they were first verified, newest first. */
function firsts(records: readonly ReleaseRecord[]): ReleaseRecord[] {
  return records.filter((record, i) => !records.slice(i + 1).some(older => older.release === record.release))
}

/**
 * The release to go back to: the last verified one that came before the one that serves. So rolling back twice goes two back, and never
 * to what a rollback has just left. What serves without a record goes back to the newest verified one.
 */
export function targetOf(records: readonly ReleaseRecord[], serving: string | null): ReleaseRecord | undefined {
  const order = firsts(records)
  const at = order.findIndex(record => record.release === serving)
  const target = order[at + 1]
  return target && recordOf(records, target.release)
}

/** The verified releases that are kept with their images and files: the newest ones, whatever serves, and what it would go back to. */
export function keptOf(records: readonly ReleaseRecord[], serving: string | null, keep: number): readonly ReleaseRecord[] {
  const order = firsts(records)
  const wanted = new Set([...order.slice(0, keep).map(record => record.release), serving, targetOf(records, serving)?.release])
  return order.flatMap(({ release }) => (wanted.has(release) ? (recordOf(records, release) ?? []) : []))
}
