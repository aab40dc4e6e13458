import type { Doing } from '../plan/plan.ts'

/** What a store can meet, told apart so that messages and exit codes can be right. */
export type StoreFault = 'unreachable' | 'denied' | 'full' | 'read-only' | 'exists' | 'missing' | 'clock' | 'conflict' | 'broken'

/** A failed call to a store; `fault` says what kind, the message is for the operator and holds no secret. */
export class StoreError extends Error {
  readonly fault: StoreFault

  constructor(fault: StoreFault, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'StoreError'
    this.fault = fault
  }
}

/** An object as a listing shows it; `modified` is by the store's clock, ISO 8601. */
export type Listed = { readonly path: string; readonly bytes: number; readonly modified: string }

/** What is known of one object; `lockedUntil` (ISO 8601) is there when it cannot be removed before, and the store tells. */
export type Head = { readonly bytes: number; readonly modified: string; readonly lockedUntil?: string }

/** Whether an object cannot be removed yet, as far as its store tells. */
export const isLocked = (head: Head | null, nowMs = Date.now()): boolean => Date.parse(head?.lockedUntil ?? '') > nowMs

/** What keeps objects from being removed or replaced before their time, by anybody with our key: `governance` yields to an administrator, `compliance` to nobody, a `legal hold` to whoever may take it off. */
export type LockFacts = {
  readonly mode: 'none' | 'governance' | 'compliance' | 'legal hold'
  /** Whether the stack wants objects locked. */
  readonly asked: boolean
  readonly says: string
  /** Command or setting that brings what was asked for. */
  readonly mend?: string
}

/** What a look at the store found. `unreachable` could not look. */
export type StoreFacts = {
  readonly name: string
  readonly where: string
  readonly state: 'writable' | 'read-only' | 'denied' | 'unreachable' | 'missing'
  readonly because?: string
  /** Command or setting that mends it, where one is known. */
  readonly mend?: string
  /** Room left in bytes; null where the store does not tell. */
  readonly freeBytes: number | null
  /** Our clock less the store's, in milliseconds; null where it does not tell. */
  readonly skewMs: number | null
  /** Whether the store refuses to overwrite (conditional writes), so that leases and manifests are safe. */
  readonly conditional: boolean
  /** Absent where there is no such thing, as in a folder, and where nobody could look. */
  readonly lock?: LockFacts
}

/** What dead uploads left behind; `id` is the member's own handle. */
export type Leftover = { readonly id: string; readonly path: string; readonly begun: string; readonly bytes: number | null }

/** A small document that changes by compare-and-swap: the home of leases and open runs. */
export interface Cell {
  readonly where: string
  /** The document with its version and the store's time in milliseconds; body null when there is none yet. */
  read(): Promise<{ readonly body: string | null; readonly version: string; readonly nowMs: number }>
  /** Writes if the version is still current; throws StoreError('conflict') when somebody else was faster. */
  write(body: string, version: string): Promise<{ readonly version: string; readonly nowMs: number }>
}

/** A place that keeps objects under slash-separated paths, relative to the store's own root or prefix. Nothing is ever overwritten. */
export interface Store {
  readonly name: string
  /** Address without secrets, as shown in plans and compared in recovery. */
  readonly where: string
  facts(doing: Doing): Promise<StoreFacts>
  /** Streams an object in; it appears whole or not at all. Throws StoreError('exists') when the path is taken; a body that throws leaves nothing. `about` is the expected size in bytes, for part sizes. */
  put(path: string, body: AsyncIterable<Buffer>, doing: Doing, about?: number): Promise<{ readonly bytes: number }>
  /** Streams an object out, or the bytes from `start` (inclusive) to `end` (exclusive); throws StoreError('missing'), and throws when fewer bytes come than the object has. */
  get(path: string, doing: Doing, range?: { readonly start: number; readonly end: number }): AsyncIterable<Buffer>
  head(path: string): Promise<Head | null>
  /** Every object below a prefix (a folder path without the final slash, or ''), sorted by path; throws rather than return a part of the list. */
  list(prefix: string): Promise<readonly Listed[]>
  /** Nothing there is fine; throws StoreError('denied') for an object that is locked. */
  remove(path: string): Promise<void>
  /** Temporary files or unfinished multipart uploads below a prefix, begun before `olderThanMs` ago. */
  leftovers(prefix: string, olderThanMs: number): Promise<readonly Leftover[]>
  clear(leftover: Leftover): Promise<void>
  cell(path: string): Cell
}

/** The whole of a small object (manifests, records) as text. */
export async function text(store: Store, path: string, doing: Doing): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of store.get(path, doing)) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}

/** Puts a small object; throws StoreError('exists') when the path is taken. */
export async function putText(store: Store, path: string, body: string, doing: Doing): Promise<number> {
  const bytes = Buffer.from(body)
  await store.put(path, once(bytes), doing, bytes.length)
  return bytes.length
}

async function* once(bytes: Buffer): AsyncIterable<Buffer> {
  yield bytes
}
