import { seal } from './manifest.ts'

/** The wish to keep a point for good, or no longer; written once beside the manifest, which never changes. The last one counts. */
export type PinRecord = {
  readonly pinned: boolean
  readonly at: string
  readonly run: string
  readonly by: { readonly user: string; readonly host: string }
}

const NAME = /^(un)?pinned-(\d{8}T\d{9}Z)-[a-z0-9]+\.json$/

/** The file name tells everything, so that a listing is enough. `at` is ISO 8601 with milliseconds. */
export function pinName({ pinned, at, run }: Pick<PinRecord, 'pinned' | 'at' | 'run'>): string {
  return `${pinned ? '' : 'un'}pinned-${at.replace(/[-:.]/g, '')}-${run.slice(-6)}.json`
}

/** What a pin record's file name tells; undefined for other files. `time` sorts as text. */
function readPinName(name: string): { time: string; pinned: boolean } | undefined {
  const found = NAME.exec(name)
  return found ? { time: found[2] as string, pinned: found[1] === undefined } : undefined
}

/** The record that counts among file names; of two of the same moment the one that keeps. */
export function lastPin(names: readonly string[]): { time: string; pinned: boolean } | undefined {
  const records = names.flatMap(name => readPinName(name) ?? [])
  return records.sort((a, b) => (a.time === b.time ? Number(a.pinned) - Number(b.pinned) : a.time < b.time ? -1 : 1)).at(-1)
}

/** A moment for a new record that comes after those that are there, also when the clock was set back since. ISO 8601. */
export function pinMoment(names: readonly string[], nowMs: number): string {
  const [, y, mo, d, h, mi, s, milli] = /^(....)(..)(..)T(..)(..)(..)(...)Z$/.exec(lastPin(names)?.time ?? '') ?? []
  const last = y === undefined ? 0 : Date.parse(`${y}-${mo}-${d}T${h}:${mi}:${s}.${milli}Z`)
  return new Date(Math.max(nowMs, last + 1)).toISOString()
}

export const writePin = (record: PinRecord) => seal(record)
