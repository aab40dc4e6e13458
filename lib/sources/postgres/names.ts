import { Trouble } from '../../plan/outcome.ts'
import type { Place } from '../source.ts'

/** Suffixes that every database made by a restore or a drill carries, with the run behind them. */
const SUFFIX = { beside: '__restore_', aside: '__aside_', scratch: '__drill_' } as const

/** NAMEDATALEN - 1: PostgreSQL cuts a longer name without asking, and two names could become one. */
const LONGEST_NAME = 63

/** The database of a place for a run; throws Trouble(3) when its name would be too long. */
export function databaseAt(database: string, place: Place | 'live' | 'aside', run: string): string {
  if (place === 'live') return database
  const name = database + SUFFIX[place] + run
  if (Buffer.byteLength(name) <= LONGEST_NAME) return name
  throw new Trouble(3, `${name} is longer than the ${LONGEST_NAME} bytes of a database's name`, { next: [`rename ${database} to a shorter name`] })
}

/** The run and place that a database of this name belongs to; undefined for any other database. */
export function leftover(name: string, database: string): { readonly run: string; readonly place: 'beside' | 'aside' | 'scratch' } | undefined {
  for (const place of ['beside', 'aside', 'scratch'] as const) {
    const run = name.startsWith(database + SUFFIX[place]) ? name.slice(database.length + SUFFIX[place].length) : ''
    if (/^[A-Za-z0-9-]+$/.test(run)) return { run, place }
  }
  return undefined
}

/** A table as manifests and facts call it: `public.orders`, quoted only where SQL must quote. */
export function tableName(schema: string, table: string): string {
  return schema === '' ? plain(table) : `${plain(schema)}.${plain(table)}`
}

const plain = (name: string) => (/^[a-z_][a-z0-9_]*$/.test(name) ? name : identifier(name))

/** A name inside SQL. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** A text inside SQL. */
export function literal(text: string): string {
  return `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}
