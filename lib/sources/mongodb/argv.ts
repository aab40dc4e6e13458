/** Where both tools read the connection from: an address with a password must never stand on a command line. */
const CONFIG = '--config=/dev/fd/3'

/**
 * Arguments of mongodump for an uncompressed archive on stdout. `oplog` makes it one moment of a whole replica set, so it takes
 * no database and no exclusions, and such a dump cannot be loaded under other names (`--oplogReplay` refuses `--nsFrom`).
 */
export function dumpArgv(what: { readonly database: string; readonly excluded: readonly string[] } | { readonly oplog: true }): string[] {
  if ('oplog' in what) return [CONFIG, '--archive', '--oplog']
  return [CONFIG, '--archive', `--db=${what.database}`, ...what.excluded.map(name => `--excludeCollection=${name}`)]
}

/** How the names of a dump change while it is loaded; `$c$` stands for the collection. */
type Renaming = { readonly from: string; readonly to: string }

/** The renaming that loads the collections of a database as `<collection><suffix>` of `into`. */
export function renaming(database: string, into: string, suffix = ''): Renaming {
  return { from: `${literal(database)}.$c$`, to: `${literal(into)}.$c$${suffix}` }
}

/** Arguments of mongorestore for an archive on stdin. Never `--drop`: it empties a live collection before its new bytes were checked. */
export function restoreArgv(names: Renaming): string[] {
  return [CONFIG, '--archive', `--nsFrom=${names.from}`, `--nsTo=${names.to}`, '--stopOnError']
}

/** A database name inside a pattern, where `*`, `$` and the backslash mean something. */
function literal(name: string): string {
  return name.replace(/[\\*$]/g, '\\$&')
}

/** What mongorestore counted, from its last line on stderr; undefined when that line is missing. */
export function restored(stderr: string): { readonly done: number; readonly failed: number } | undefined {
  const found = /(\d+) document\(s\) restored successfully\. (\d+) document\(s\) failed to restore/.exec(stderr)
  return found ? { done: Number(found[1]), failed: Number(found[2]) } : undefined
}
