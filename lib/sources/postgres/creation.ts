import { Trouble } from '../../plan/outcome.ts'
import type { Contents } from './contents.ts'
import { marksOf } from './marks.ts'
import { identifier, literal } from './names.ts'
import { isOfDatabase } from './schema.ts'

/**
 * How the dumped database was made, under another name: encoding and locale cannot be changed later, and `createdb` alone would take the server's own.
 * Throws Trouble(7) for an archive that does not say it.
 */
export function creation({ entries, database }: Contents, name: string): string {
  const entry = entries.find(({ kind }) => kind === 'DATABASE')
  if (!entry?.sql.startsWith('CREATE DATABASE ')) throw new Trouble(7, 'The archive does not say how its database was made.')
  return `${renamed(entry.sql, database, name)}\nALTER DATABASE ${identifier(name)} OWNER TO ${identifier(entry.owner)};`
}

/** The dumped database's own settings, rights and comment, under another name; without those of a lock that was held while it was dumped. */
export function properties({ entries, database }: Contents, name: string): string {
  const about = entries.filter(entry => isOfDatabase(entry) && entry.kind !== 'DATABASE')
  const comment = about.find(({ kind }) => kind === 'COMMENT')
  const text = comment === undefined ? '' : (/ IS '((?:[^']|'')*)';\s*$/.exec(comment.sql)?.[1] ?? '').replaceAll("''", "'")
  const { lock, own } = marksOf(text)
  const statements = about
    .filter(entry => entry !== comment)
    .flatMap(({ sql }) => sql.split(/(?<=;)\n/))
    .filter(sql => sql.trim() !== '' && !(lock !== undefined && /^ALTER DATABASE .* SET default_transaction_read_only TO 'on';/.test(sql)))
    .map(sql => renamed(sql, database, name))
  return [...statements, ...(own === '' ? [] : [`COMMENT ON DATABASE ${identifier(name)} IS ${literal(own)};`])].join('\n')
}

/** A statement of pg_dump with the database's name replaced where it stands first, quoted or not. */
function renamed(sql: string, from: string, to: string): string {
  for (const old of [from, identifier(from)]) {
    const at = sql.indexOf(` DATABASE ${old} `)
    if (at !== -1) return `${sql.slice(0, at)} DATABASE ${identifier(to)} ${sql.slice(at + ` DATABASE ${old} `.length)}`
  }
  throw new Trouble(7, `The archive has a setting of another database than ${from}.`)
}
