/** Suffixes that every name made by a restore carries, with the run behind them. */
const BESIDE = '__restore_'
const ASIDE = '__aside_'
const SCRATCH = '__drill_'

/** Name under which a collection is loaded beside the live one. */
export function besideName(collection: string, run: string): string {
  return collection + BESIDE + run
}

/** Name under which a live collection waits after a swap. */
export function asideName(collection: string, run: string): string {
  return collection + ASIDE + run
}

/** Database that a drill loads into and drops. */
export function scratchDatabase(database: string, run: string): string {
  return database + SCRATCH + run
}

/** A collection that a run left: what it is a copy of, where it stands, and the run. Undefined for an ordinary name. */
export function leftover(collection: string): { readonly of: string; readonly place: 'beside' | 'aside'; readonly run: string } | undefined {
  const found = /^(.+)__(restore|aside)_([A-Za-z0-9-]+)$/.exec(collection)
  return found ? { of: found[1]!, place: found[2] === 'restore' ? 'beside' : 'aside', run: found[3]! } : undefined
}

/** The run that a scratch database of `database` belongs to; undefined for any other database. */
export function scratchRun(name: string, database: string): string | undefined {
  const run = name.startsWith(database + SCRATCH) ? name.slice(database.length + SCRATCH.length) : ''
  return /^[A-Za-z0-9-]+$/.test(run) ? run : undefined
}

/** Whether a collection is the application's own: not the server's (`system.…`), and not what a restore made. */
export function isLive(collection: string): boolean {
  return !collection.startsWith('system.') && leftover(collection) === undefined
}
