import { stat } from 'node:fs/promises'
import type { DatabaseSync } from 'node:sqlite'
import { Trouble } from '../../plan/outcome.ts'
import type { Spots } from '../places.ts'
import type { PartFacts } from '../source.ts'
import { connect, sqliteFault } from './open.ts'
import { quoted, tablesOf } from './schema.ts'

/** Columns that say when a row was written, by habit. */
const TIME_COLUMNS = ['created_at', 'updated_at', 'at']

const DAY_MS = 86_400_000

/** What stands at the live path now: rows per table, and the newest time in the columns that are named for it. */
export async function factsOf(name: string, at: Spots): Promise<PartFacts> {
  const blank = { name, kind: 'sqlite', where: at.live, tools: [], sizeBytes: 0, counts: {} }
  try {
    const found = await stat(at.live)
    if (!found.isFile()) return { ...blank, state: 'denied', because: `${at.live} is not a file` }
    const database = await connect(at.live, 'read')
    try {
      const wal = await stat(`${at.live}-wal`).catch(() => ({ size: 0 }))
      const counts = countsOf(database)
      const newest = newestOf(database)
      return { ...blank, state: 'answers', sizeBytes: found.size + wal.size, counts, ...(newest ? { newest } : {}) }
    } finally {
      database.close()
    }
  } catch (error) {
    return { ...blank, ...unread(error, at.live) }
  }
}

function unread(error: unknown, file: string): { state: PartFacts['state']; because: string } {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'ENOENT' || code === 'ENOTDIR') return { state: 'missing', because: `${file} does not exist` }
  if (code === 'EACCES' || code === 'EPERM') return { state: 'denied', because: `Not allowed to read ${file}` }
  const fault = sqliteFault(error, file)
  if (fault) return { state: fault.kind === 'busy' ? 'unreachable' : 'denied', because: fault.says }
  if (error instanceof Trouble || code) return { state: 'unreachable', because: message }
  throw error
}

function countsOf(database: DatabaseSync): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { name } of tablesOf(database)) counts[name] = Number(database.prepare(`SELECT count(*) AS n FROM ${quoted(name)}`).get()?.n)
  return counts
}

function newestOf(database: DatabaseSync): string | undefined {
  let newest = 0
  for (const { name } of tablesOf(database)) {
    for (const column of database.prepare('SELECT name FROM pragma_table_info(?)').all(name)) {
      if (!TIME_COLUMNS.includes(String(column.name).toLowerCase())) continue
      const of = quoted(String(column.name))
      const max = database.prepare(`SELECT max(${of}) AS at FROM ${quoted(name)} WHERE typeof(${of}) <> 'blob'`).get()?.at
      newest = Math.max(newest, timeOf(max) ?? 0)
    }
  }
  return newest > 0 ? new Date(newest).toISOString() : undefined
}

/** Milliseconds of a value that can only be a time: ISO 8601 in UTC, SQLite's own `YYYY-MM-DD HH:MM:SS`, or an epoch in s or ms after 2001; never one to come. */
export function timeOf(value: unknown, now = Date.now()): number | undefined {
  let at: number | undefined
  if (typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?Z$/.test(value)) at = Date.parse(value)
  else if (typeof value === 'string' && /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/.test(value)) at = Date.parse(`${value.replace(' ', 'T')}Z`)
  else if (typeof value === 'number' && value >= 1e9 && value < 1e10) at = value * 1000
  else if (typeof value === 'number' && value >= 1e12 && value < 1e13) at = value
  return at !== undefined && at <= now + DAY_MS ? at : undefined
}
