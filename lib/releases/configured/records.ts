import type { Bundle, Platform, Wanted } from '../../platforms/platform.ts'
import type { Cell } from '../../stores/store.ts'
import { addTo, recordsIn } from '../book.ts'

/** A configuration of one service that the service itself was heard to run, in a book beside that of the releases. */
export type ConfiguredRecord = {
  readonly release: string
  readonly run: string
  readonly how: 'configure' | 'rollback'
  readonly service: string
  readonly bundle: Bundle
  /** The image that the Compose file named then. */
  readonly own: Pick<Wanted, 'image' | 'version'>
  /** Fingerprint of the configuration that it said it runs. */
  readonly says: string
  readonly previous: string | null
  readonly by: { readonly user: string; readonly host: string }
  readonly approvedBy: string | null
  readonly overrides: readonly string[]
  /** When it was verified, ISO 8601, and how long it took. */
  readonly at: string
  readonly tookMs: number
}

/** Where the book of configurations is. */
export const configuredCell = (platform: Platform): Cell => platform.cell('configured')

/** The verified configurations of all services, newest first. */
export const configurationsOf = (platform: Platform): Promise<readonly ConfiguredRecord[]> => recordsIn(configuredCell(platform))

/** Adds the records of a run, once. */
export const addConfigurations = (platform: Platform, records: readonly ConfiguredRecord[]): Promise<void> => addTo(configuredCell(platform), records)

/** The records of one service. */
export const ofService = (records: readonly ConfiguredRecord[], service: string): readonly ConfiguredRecord[] =>
  records.filter(record => record.service === service)
