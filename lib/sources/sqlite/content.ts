import type { DatabaseSync } from 'node:sqlite'
import { setImmediate as breathe } from 'node:timers/promises'
import type { Doing } from '../../plan/plan.ts'
import { Digest } from '../digest.ts'
import type { Content, Items } from '../source.ts'
import { HOLD_PREFIX, quoted, tablesOf } from './schema.ts'

/** Rows hashed between two looks at timers and the abort signal: about 20 ms of work. */
const BREATH_ROWS = 16_384

/** Counts and digests of every table, and of the schema as `sqlite_schema` (a name that no table can have), all as of one moment. */
export async function contentOf(database: DatabaseSync, doing: Doing): Promise<Content> {
  database.exec('BEGIN')
  try {
    const items: Record<string, Items> = { sqlite_schema: schemaItems(database) }
    for (const { name } of tablesOf(database)) items[name] = await tableItems(database, name, doing)
    return { items, warnings: [] }
  } finally {
    database.exec('COMMIT')
  }
}

function schemaItems(database: DatabaseSync): Items {
  const digest = new Digest()
  for (const row of database.prepare('SELECT type, name, tbl_name, sql FROM sqlite_schema').all()) {
    if (String(row.name).startsWith(HOLD_PREFIX)) continue
    for (const value of [row.type, row.name, row.tbl_name, row.sql]) digest.text(String(value))
    digest.end()
  }
  return digest.items()
}

async function tableItems(database: DatabaseSync, table: string, doing: Doing): Promise<Items> {
  const rows = database.prepare(`SELECT * FROM ${quoted(table)}`)
  rows.setReturnArrays(true)
  rows.setReadBigInts(true)
  const digest = new Digest()
  let untilBreath = BREATH_ROWS
  for (const row of rows.iterate() as Iterable<unknown>) {
    for (const value of row as readonly unknown[]) addValue(digest, value)
    digest.end()
    untilBreath -= 1
    if (untilBreath > 0) continue
    untilBreath = BREATH_ROWS
    await breathe()
    doing.signal.throwIfAborted()
  }
  return digest.items()
}

/** Each type has a tag of its own, so that NULL, '', 0, 0.0 and an empty blob all differ. */
function addValue(digest: Digest, value: unknown): void {
  if (value === null) digest.word(1)
  else if (typeof value === 'bigint') {
    const near = Number(value)
    if (Number.isSafeInteger(near)) digest.word(2).number(near)
    else digest.word(3).text(String(value))
  } else if (typeof value === 'number') digest.word(4).number(value)
  else if (typeof value === 'string') digest.word(5).text(value)
  else if (value instanceof Uint8Array) digest.word(6).bytes(value)
  else throw new TypeError(`SQLite gave a value of type ${typeof value}`)
}
