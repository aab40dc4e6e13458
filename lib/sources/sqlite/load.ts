import { once } from 'node:events'
import { chmod, chown, open, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { quote } from '../../exec/command.ts'
import { Trouble } from '../../plan/outcome.ts'
import type { Doing } from '../../plan/plan.ts'
import { failedAt, needScratch, type Spots, spotOf, stands, syncFolder } from '../places.ts'
import type { Content, Load, Place } from '../source.ts'
import { contentOf } from './content.ts'
import { unlock } from './lock.ts'
import { connect, dropScratch, newScratch, spill, sqliteFault, sqliteTrouble } from './open.ts'

/** https://www.sqlite.org/fileformat.html: the first 16 bytes, and the place of the page size. */
const MAGIC = 'SQLite format 3\0'
const PAGE_SIZE_AT = 16

/** Writes a dump to a new database beside the live one, or to scratch; a lock that was dumped with it is taken off, owner and mode follow the live file. */
export function loadOf(at: Spots, place: Place, run: string): Load {
  const file = spotOf(at, place, run)
  return {
    prints: `stream → ${quote(file)}`,
    take: async (bytes, doing) => {
      if (place === 'scratch') await needScratch(at)
      const written = await spill(bytes, file, doing)
      await wellFormed(file, written)
      const database = await connect(file, 'frozen').catch(sqliteTrouble(file))
      const locked = database.prepare(`SELECT 1 FROM sqlite_schema WHERE type = 'trigger' LIMIT 1`).get() !== undefined
      database.close()
      if (locked) await withoutLock(file)
      if (place === 'beside' && (await stands(at.live))) await likeLive(at.live, file)
      await syncFolder(dirname(file))
    },
  }
}

async function withoutLock(file: string): Promise<void> {
  const database = await connect(file, 'write').catch(sqliteTrouble(file))
  try {
    unlock(database)
  } finally {
    database.close()
  }
}

async function likeLive(live: string, file: string): Promise<void> {
  const { mode, uid, gid } = await stat(live)
  if (process.getuid?.() === 0) await chown(file, uid, gid).catch(failedAt(file))
  await chmod(file, mode & 0o777).catch(failedAt(file))
}

/** Throws Trouble(7) when the bytes do not begin as a database, or end inside a page. */
async function wellFormed(file: string, bytes: number): Promise<void> {
  const head = Buffer.alloc(100)
  const handle = await open(file, 'r')
  try {
    await handle.read(head, 0, head.length, 0)
  } finally {
    await handle.close()
  }
  if (bytes < 512 || head.toString('latin1', 0, 16) !== MAGIC) throw new Trouble(7, 'The bytes are not an SQLite database')
  const pageBytes = head.readUInt16BE(PAGE_SIZE_AT) === 1 ? 65_536 : head.readUInt16BE(PAGE_SIZE_AT)
  const pages = head.readUInt32BE(28)
  if (pageBytes < 512 || bytes !== pages * pageBytes) {
    throw new Trouble(7, `The database says ${pages} pages of ${pageBytes} bytes, but ${bytes} bytes came`)
  }
}

/** Reads a whole dump, lets SQLite check every page and index of it in scratch, and counts; throws Trouble(7) when it is damaged. */
export async function examine(at: Spots, bytes: AsyncIterable<Buffer>, doing: Doing): Promise<Content> {
  const file = await newScratch(at, 'examine', doing.run)
  try {
    await wellFormed(file, await spill(bytes, file, doing))
    await checkIntegrity(file, doing)
    return await contentOfFrozen(file, doing)
  } finally {
    await dropScratch(at, file)
  }
}

async function checkIntegrity(file: string, doing: Doing): Promise<void> {
  const worker = new Worker(new URL('./integrity.ts', import.meta.url), { workerData: file })
  try {
    const [says] = (await once(worker, 'message', { signal: doing.signal })) as [readonly string[]]
    if (says.length !== 1 || says[0] !== 'ok') throw new Trouble(7, `SQLite found damage in the dump: ${says.join('; ').replaceAll('\n', ' ')}`)
  } finally {
    await worker.terminate()
  }
}

/** Counts and digests of a database that nobody else has open. */
export async function contentOfFrozen(file: string, doing: Doing): Promise<Content> {
  try {
    const database = await connect(file, 'frozen')
    try {
      return await contentOf(database, doing)
    } finally {
      database.close()
    }
  } catch (error) {
    const fault = sqliteFault(error, 'The dump')
    throw fault ? new Trouble(7, fault.says, { cause: error }) : error
  }
}
