import type { Action, Doing } from '../plan/plan.ts'

/** Number and order-independent digest of the items of one collection, table, or kind of file. */
export type Items = { readonly count: number; readonly digest: string }

/** What a dump, or a place, holds: by collection or table name, or `files` / `directories` / `links`. */
export type Content = {
  readonly items: Readonly<Record<string, Items>>
  /** What was noticed and is not wrong enough to fail: `photo.jpg changed while it was read (3 tries)`. */
  readonly warnings: readonly string[]
}

/** What a look at the live data found. `unreachable` could not look; `missing` looked, and there is nothing. */
export type PartFacts = {
  readonly name: string
  readonly kind: string
  readonly where: string
  readonly state: 'answers' | 'missing' | 'unreachable' | 'denied'
  readonly because?: string
  /** Tools that are needed, with the version found, or null and `mend` for what to type. */
  readonly tools: readonly { readonly name: string; readonly version: string | null; readonly mend?: string }[]
  readonly sizeBytes: number
  readonly counts: Readonly<Record<string, number>>
  /** Time of the newest record where the source can tell, ISO 8601. */
  readonly newest?: string
}

/** Bytes that come out of a part. `open` may be called once; the stream throws unless its producer ended well. Chunks are lent: each is good until the next is asked for, so a reader copies what it keeps. */
export interface Dump {
  readonly prints: string
  open(doing: Doing): AsyncIterable<Buffer>
  /** After the stream has ended: what these very bytes held. */
  content(): Content
}

/** Bytes that go into a part, beside the live data or into a throw-away place. */
export interface Load {
  readonly prints: string
  /** Resolves when everything was taken and the loader ended well; throws otherwise, leaving what was loaded so far. */
  take(bytes: AsyncIterable<Buffer>, doing: Doing): Promise<void>
}

/** Where loaded data can stand: beside the live data (for a swap), or in a scratch place that a drill throws away. */
export type Place = 'beside' | 'scratch'

/** How many objects (collections, files, folders) stand in each place for a run; never a row count. */
export type Presence = { readonly live: number; readonly beside: number; readonly aside: number; readonly scratch: number }

/** One part of a stack's data. Members are addressed by part name; `run` is the short id of a run, and every name made carries it. */
export interface Source {
  readonly name: string
  readonly kind: string
  /** Address without secrets, as shown in plans and compared in recovery. */
  readonly where: string
  /** File name ending of the dump before compression: `archive`, `tar`, `sqlite`. */
  readonly ending: string
  /** The commands that restore a dump by hand from its decompressed bytes on stdin. */
  readonly byHand: readonly string[]

  /** Never throws for what an operator can meet: the facts say it. */
  facts(doing: Doing): Promise<PartFacts>
  dump(): Dump
  /** Reads a whole dump from its plain bytes and says what is in it; throws Trouble(7) when its structure is broken. */
  examine(bytes: AsyncIterable<Buffer>, doing: Doing): Promise<Content>
  load(place: Place, run: string): Load
  presence(run: string, doing: Doing): Promise<Presence>
  /** Counts and digests of what stands in a place, comparable with a manifest's content. */
  content(place: Place | 'live', run: string, doing: Doing): Promise<Content>
  /** Removes what `load` made, also when half loaded; nothing there is fine. */
  unload(place: Place, run: string): Action
  /** Live moves aside and what is beside becomes live, name by name; can be called again after a crash in the middle. `names` are the manifest's item names. */
  swap(run: string, names: readonly string[]): Action
  /** The reverse of `swap`, equally repeatable. */
  swapBack(run: string, names: readonly string[]): Action
  /** Removes what a swap put aside; the undo of that restore ends with it. */
  forget(run: string): Action
  /** The runs (short ids) that left something aside or beside, so that old ones can be let go of. */
  remains(doing: Doing): Promise<readonly { readonly run: string; readonly place: 'beside' | 'aside' | 'scratch' }[]>

  /**
   * What an application is to be given instead of `address` (a path, an address of a server), so that it works on the scratch copy of a run and never
   * on live data; undefined for a value that does not lead to this part. Absent where no application can be led to a copy.
   */
  copyFor?(address: string, run: string): string | undefined
  /**
   * The same for a bare name of the database, where an application is given its address in pieces. Only for a setting that is said to be that name:
   * many a word is the same by chance.
   */
  copyNamed?(name: string, run: string): string | undefined

  /** Why writers must be stopped from outside before a swap; absent where the swap or the lock is enough. */
  readonly writersMustStop?: string

  /** Locks writers out of the live data itself, where the source can: it lasts over a crash until released. */
  readonly lock?: {
    readonly how: string
    held(doing: Doing): Promise<string | null>
    hold(run: string): Action
    release(run: string): Action
  }
}
