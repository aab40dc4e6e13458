import type { DatabaseSync } from 'node:sqlite'

/** Every trigger of a lock begins so; names like these never count as content. */
export const HOLD_PREFIX = '__runbooks_hold_'

/** A name as SQL writes it. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** The ordinary tables, with the shadow tables in which virtual ones keep their rows; without SQLite's own. */
export function tablesOf(database: DatabaseSync): readonly { readonly name: string; readonly shadow: boolean }[] {
  const rows = database.prepare(`SELECT name, type FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'shadow') ORDER BY name`).all()
  return rows.filter(row => !String(row.name).startsWith('sqlite_')).map(row => ({ name: String(row.name), shadow: row.type === 'shadow' }))
}
