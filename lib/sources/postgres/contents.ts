import { Cursor } from './bytes.ts'

/** One entry of an archive's table of contents, as `pg_restore -l` shows it. */
export type Entry = {
  readonly id: number
  /** Whether data of its own follows: rows, or large objects. */
  readonly data: boolean
  readonly kind: string
  readonly schema: string
  readonly name: string
  readonly sql: string
  readonly copy: string
  readonly owner: string
}

/** What stands in front of an archive's data. */
export type Contents = { readonly database: string; readonly serverVersion: string; readonly entries: readonly Entry[]; readonly bytes: number }

/** Versions of the format, from PostgreSQL 12 (1.14) on; pg_dump 15 writes 1.14, 16 writes 1.15, 17 and 18 write 1.16. */
const [OLDEST, ALGORITHM, RELATION_KINDS, NEWEST] = [14, 15, 16, 16]
/** pg_backup_archiver.h: archCustom. */
const CUSTOM = 1
/** More entries than any database has. */
const MOST_ENTRIES = 50_000_000

/** Reads header and table of contents (ReadHead and ReadToc of pg_backup_archiver.c); throws MORE while bytes are missing, RangeError when they are damaged. */
export function readContents(bytes: Buffer): Contents {
  const cursor = new Cursor(bytes)
  if (cursor.take(5).toString('latin1') !== 'PGDMP') throw new RangeError('does not begin as an archive of pg_dump -Fc does')
  const [major, minor] = [cursor.byte(), cursor.byte()]
  cursor.byte()
  if (major !== 1 || minor < OLDEST || minor > NEWEST) throw new RangeError(`has format version ${major}.${minor}; known are 1.14 to 1.16`)
  const [intBytes, offsetBytes, format] = [cursor.byte(), cursor.byte(), cursor.byte()]
  if (intBytes !== 4 || offsetBytes > 8 || format !== CUSTOM) throw new RangeError('has a damaged header')
  if ((minor >= ALGORITHM ? cursor.byte() : cursor.int()) !== 0) throw new RangeError('is compressed inside; dumps are made with -Z0')
  for (let part = 0; part < 7; part++) cursor.int()
  const [database, serverVersion] = [cursor.text() ?? '', cursor.text() ?? '']
  cursor.text()
  const count = cursor.int()
  if (count < 0 || count > MOST_ENTRIES) throw new RangeError(`${count} is no number of entries`)
  const entries: Entry[] = []
  for (let at = 0; at < count; at++) entries.push(readEntry(cursor, minor, offsetBytes))
  return { database, serverVersion, entries, bytes: cursor.at }
}

function readEntry(cursor: Cursor, minor: number, offsetBytes: number): Entry {
  const id = cursor.int()
  const data = cursor.int()
  if (data !== 0 && data !== 1) throw new RangeError('has a damaged table of contents')
  skipTexts(cursor, 2)
  const [name = '', kind = ''] = [cursor.text(), cursor.text()]
  cursor.int()
  const sql = cursor.text() ?? ''
  skipTexts(cursor, 1)
  const [copy = '', schema = ''] = [cursor.text(), cursor.text()]
  skipTexts(cursor, 2)
  if (minor >= RELATION_KINDS) cursor.int()
  const owner = cursor.text() ?? ''
  skipTexts(cursor, 1)
  // What it depends on, ended by no text.
  while (cursor.text() !== undefined);
  cursor.take(1 + offsetBytes)
  return { id, data: data === 1, kind, schema, name, sql, copy, owner }
}

function skipTexts(cursor: Cursor, count: number): void {
  for (let at = 0; at < count; at++) cursor.text()
}
