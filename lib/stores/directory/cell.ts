import { randomUUID } from 'node:crypto'
import { open, readdir, readFile, stat, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { CELL, TEMPORARY } from '../paths.ts'
import { type Cell, StoreError } from '../store.ts'
import { calling, unless } from './faults.ts'
import { ensureRoot, syncFolder } from './folders.ts'
import { openTemporary, publish } from './put.ts'

/** A version stays this long after it was replaced, so that a writer that slept finds the number of its own version taken. */
const KEEP_MS = 60_000

/** A cell as files `.cell-<name>.<number>`: the highest number is the document, and linking a number that is taken fails. */
export function cell(root: string, file: string): Cell {
  const folder = dirname(file)
  const start = `${CELL}${basename(file)}.`
  const numbered = (number: number) => join(folder, `${start}${String(number).padStart(9, '0')}`)

  const versions = async (): Promise<number[]> => {
    const names = (await unless(['ENOENT'], readdir(folder))) ?? []
    const digits = names.filter(name => name.startsWith(start)).map(name => name.slice(start.length))
    return digits
      .filter(text => /^\d{9,}$/.test(text))
      .map(Number)
      .sort((a, b) => a - b)
  }

  const read = async (): Promise<{ body: string | null; version: string; nowMs: number }> => {
    await ensureRoot(root)
    for (;;) {
      const newest = (await versions()).at(-1)
      if (newest === undefined) return { body: null, version: '0', nowMs: await filesystemNow(folder) }
      // Removed between the two calls: it was replaced long ago, and a newer one is there.
      const body = await unless(['ENOENT'], readFile(numbered(newest), 'utf8'))
      if (body !== undefined) return { body, version: String(newest), nowMs: await filesystemNow(folder) }
    }
  }

  const write = async (body: string, version: string): Promise<{ version: string; nowMs: number }> => {
    const base = Number(version)
    const conflict = () => new StoreError('conflict', `${file} was changed by somebody else since version ${version}`)
    const { handle, temporary } = await openTemporary(root, folder)
    let nowMs: number
    try {
      await handle.writeFile(body)
      await handle.datasync()
      nowMs = Math.round((await handle.stat()).mtimeMs)
      if (((await versions()).at(-1) ?? 0) !== base) throw conflict()
      await publish(temporary, numbered(base + 1)).catch(error => {
        throw error instanceof StoreError && error.fault === 'exists' ? conflict() : error
      })
    } finally {
      await handle.close().catch(() => {})
      await unless(['ENOENT'], unlink(temporary))
    }
    // Whoever slept so long that even its base was removed has linked a number that others had used up: it takes it back.
    if (base > 0 && !(await unless(['ENOENT'], stat(numbered(base))))) {
      await unlink(numbered(base + 1))
      throw conflict()
    }
    await syncFolder(folder)
    await removeOld(base, nowMs)
    return { version: String(base + 1), nowMs }
  }

  /** In rising order, so that a missing base proves that its follower may be missing too. The first stays: it guards against a second beginning. */
  const removeOld = async (base: number, nowMs: number) => {
    for (const number of await versions()) {
      if (number === 1 || number >= base) continue
      const found = await unless(['ENOENT'], stat(numbered(number)))
      if (found && found.mtimeMs > nowMs - KEEP_MS) return
      await unless(['ENOENT'], unlink(numbered(number)))
    }
  }

  return { where: file, read: () => calling(file, read), write: (body, version) => calling(file, () => write(body, version)) }
}

/** The time of the filesystem that a folder is on, which on a network filesystem is its server's; ours where nothing can be written. */
export async function filesystemNow(folder: string): Promise<number> {
  const probe = join(folder, `${TEMPORARY}${randomUUID()}`)
  const handle = await unless(['ENOENT', 'EROFS', 'EACCES', 'EPERM', 'ENOSPC', 'EDQUOT'], open(probe, 'wx', 0o600))
  if (!handle) return Date.now()
  try {
    return Math.round((await handle.stat()).mtimeMs)
  } finally {
    await handle.close()
    await unless(['ENOENT'], unlink(probe))
  }
}
