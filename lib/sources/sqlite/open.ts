import { randomBytes } from 'node:crypto'
import { open, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { quote } from '../../exec/command.ts'
import { Trouble } from '../../plan/outcome.ts'
import type { Doing } from '../../plan/plan.ts'
import { failedAt, leaveScratch, needScratch, type Spots } from '../places.ts'

/** Result codes, from https://www.sqlite.org/rescode.html. */
const CODES = { busy: 5, locked: 6, readonly: 8, corrupt: 11, full: 13, cantopen: 14, notadb: 26 }

/** How long a statement waits for another connection's lock, in milliseconds. */
const PATIENCE_MS = 3_000

/** `frozen` is for files that nobody else has open: no locks are taken and no files made beside it. */
type How = 'read' | 'write' | 'frozen'

/** Opens an existing database, never makes one; throws what SQLite throws (see `sqliteFault`). */
export async function connect(file: string, how: How): Promise<DatabaseSync> {
  const { DatabaseSync } = await import('node:sqlite')
  const url = (query: string) => Object.assign(pathToFileURL(file), { search: query })
  const opened = (path: URL, readOnly: boolean) => {
    const database = new DatabaseSync(path, { readOnly, timeout: PATIENCE_MS })
    try {
      database.prepare('SELECT count(*) FROM sqlite_schema').get()
      return database
    } catch (error) {
      database.close()
      throw error
    }
  }
  if (how === 'frozen') return opened(url('?mode=ro&immutable=1'), true)
  if (how === 'write') return opened(url('?mode=rw'), false)
  try {
    return opened(url('?mode=ro'), true)
  } catch (error) {
    const code = codeOf(error)
    // A reader cannot finish what a killed writer left in a journal: only a connection that may write can.
    if (code === CODES.readonly || code === CODES.cantopen) return opened(url('?mode=rw'), false)
    throw error
  }
}

function codeOf(error: unknown): number | undefined {
  const { errcode } = error as { errcode?: number }
  return errcode === undefined ? undefined : errcode & 0xff
}

/** What a failure of SQLite means for an operator; null when the error is not SQLite's. */
export function sqliteFault(
  error: unknown,
  file: string,
): { readonly kind: 'busy' | 'broken' | 'denied' | 'full' | 'other'; readonly says: string } | null {
  const code = codeOf(error)
  if (code === undefined) return null
  if (code === CODES.busy || code === CODES.locked)
    return { kind: 'busy', says: `${file} is locked by another program (waited ${PATIENCE_MS / 1000} s)` }
  if (code === CODES.notadb) return { kind: 'broken', says: `${file} is not an SQLite database` }
  if (code === CODES.corrupt) return { kind: 'broken', says: `${file} is a damaged SQLite database` }
  if (code === CODES.cantopen || code === CODES.readonly) return { kind: 'denied', says: `${file} cannot be opened: ${(error as Error).message}` }
  if (code === CODES.full) return { kind: 'full', says: `No room left at ${file}` }
  return { kind: 'other', says: `${file}: ${(error as Error).message}` }
}

/** For `.catch()`: what SQLite says about live data, as a Trouble (8 where it could not look, 7 where it is damaged, 4 where the disk is full). */
export function sqliteTrouble(file: string): (error: unknown) => never {
  return error => {
    const fault = sqliteFault(error, file)
    if (!fault) throw error
    if (fault.kind === 'full') throw new Trouble(4, fault.says, { look: [`df -h ${quote(dirname(file))}`], cause: error })
    throw new Trouble(fault.kind === 'broken' ? 7 : 8, fault.says, { look: [`sqlite3 ${quote(file)} 'PRAGMA integrity_check'`], cause: error })
  }
}

/** The sidecar files that SQLite keeps beside a database. */
export const SIDECARS = ['-wal', '-shm', '-journal'] as const

/** Removes a database with its sidecars; nothing there is fine. */
export async function removeDatabase(file: string): Promise<void> {
  for (const sidecar of SIDECARS) await rm(file + sidecar, { force: true }).catch(failedAt(file))
  await rm(file, { force: true }).catch(failedAt(file))
}

/** Writes bytes to a new file (0600), synced. */
export async function spill(bytes: AsyncIterable<Buffer>, file: string, doing: Doing): Promise<number> {
  const handle = await open(file, 'wx', 0o600).catch(failedAt(file))
  let written = 0
  try {
    for await (const chunk of bytes) {
      doing.signal.throwIfAborted()
      await handle.writeFile(chunk).catch(failedAt(file))
      written += chunk.length
    }
    await handle.sync().catch(failedAt(file))
  } finally {
    await handle.close()
  }
  return written
}

/** A new file name in the scratch folder, which is made; pair it with `dropScratch`. */
export async function newScratch(at: Spots, kind: 'snapshot' | 'examine', run: string): Promise<string> {
  await needScratch(at)
  return join(at.scratch, `${basename(at.live)}__${kind}_${run}_${randomBytes(4).toString('hex')}`)
}

/** Removes what `newScratch` named. */
export async function dropScratch(at: Spots, file: string): Promise<void> {
  await removeDatabase(file)
  await leaveScratch(at)
}
