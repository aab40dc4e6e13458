import { constants, type Stats } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { Trouble } from '../../plan/outcome.ts'
import { shown } from './names.ts'
import { type Found, unlessGone } from './walk.ts'

/** A file up to this size is held in memory, so that one that changes can be read again. */
const SMALL_BYTES = 8 * 1024 * 1024

const TRIES = 3

/** Twice the coarsest step of a Linux file system's clock (10 ms): a change right after one as young as this could carry the same time. */
const YOUNG_MS = 20
const CHUNK_BYTES = 1 << 20

/** A file that is about to be read: exactly `stats.size` bytes will come. */
type Reading = { readonly stats: Stats; readonly bytes: AsyncIterable<Buffer> }

/** Opens a file and hands it to `use`; one that changes meanwhile is named in `warnings`, and one that vanished is named and not used. */
export async function reading(found: Found, warnings: string[], use: (reading: Reading) => Promise<void>): Promise<void> {
  // Neither a link nor a FIFO that has taken the file's place since is followed or waited for.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
  const handle = await open(found.at, flags).catch(replaced(found.path, warnings))
  if (!handle) return
  try {
    const before = await settled(handle)
    if (!before.isFile()) warnings.push(`${shown(found.path)} is NOT in the backup: it is no longer a file`)
    else if (before.size <= SMALL_BYTES) await whole(handle, before, found.path, warnings, use)
    else await use({ stats: before, bytes: exactly(handle, before, found.path, warnings) })
  } finally {
    await handle.close()
  }
}

function replaced(path: string, warnings: string[]): (error: unknown) => undefined {
  return error => {
    if ((error as NodeJS.ErrnoException).code !== 'ELOOP') return unlessGone(path, warnings)(error)
    warnings.push(`${shown(path)} is NOT in the backup: it became a link while it was read`)
    return undefined
  }
}

/** Reads until the file has stood still for one reading, three times at most. */
async function whole(handle: FileHandle, first: Stats, path: string, warnings: string[], use: (reading: Reading) => Promise<void>): Promise<void> {
  let before = first
  for (let tried = 1; ; tried += 1) {
    const young = isYoung(before)
    const bytes = await upTo(handle, before.size)
    const after = await handle.stat()
    const still = !young && same(before, after) && bytes.length === before.size
    if (still || tried === TRIES || after.size > SMALL_BYTES) {
      if (!still) warnings.push(`${shown(path)} changed while it was read (${tried} tries)`)
      return use({ stats: still ? before : Object.assign(before, { size: bytes.length }), bytes: one(bytes) })
    }
    before = await settled(handle)
  }
}

function isYoung(stats: Stats): boolean {
  return Math.abs(Date.now() - stats.ctimeMs) < YOUNG_MS
}

/** The state of a file, if it rests for a moment old enough that any later change will show in its times. */
async function settled(handle: FileHandle): Promise<Stats> {
  const stats = await handle.stat()
  if (!isYoung(stats)) return stats
  // A timer may fire a millisecond early.
  await sleep(YOUNG_MS + 2)
  return handle.stat()
}

async function upTo(handle: FileHandle, size: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(size)
  let filled = 0
  while (filled < size) {
    const { bytesRead } = await handle.read(bytes, filled, size - filled, filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return bytes.subarray(0, filled)
}

async function* one(bytes: Buffer): AsyncGenerator<Buffer> {
  if (bytes.length > 0) yield bytes
}

/** The size stands in the archive before the bytes do, so a file that shrank is filled up with zeros, and said to be. */
async function* exactly(handle: FileHandle, before: Stats, path: string, warnings: string[]): AsyncGenerator<Buffer> {
  const young = isYoung(before)
  let at = 0
  while (at < before.size) {
    const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, before.size - at))
    const { bytesRead } = await handle.read(chunk, 0, chunk.length, at)
    if (bytesRead === 0) break
    at += bytesRead
    yield chunk.subarray(0, bytesRead)
  }
  const lost = before.size - at
  for (; at < before.size; at += CHUNK_BYTES) yield Buffer.alloc(Math.min(CHUNK_BYTES, before.size - at))
  if (lost > 0) warnings.push(`${shown(path)} changed while it was read: it shrank, and its last ${lost} bytes are zeros in the backup`)
  else if (young || !same(before, await handle.stat()))
    warnings.push(`${shown(path)} changed while it was read: parts of it may be older than others`)
}

function same(a: Stats, b: Stats): boolean {
  return a.size === b.size && a.mtimeMs === b.mtimeMs && a.ctimeMs === b.ctimeMs && a.ino === b.ino
}

/** For `.catch()`: an error that names the file. */
export function unreadable(path: string): (error: unknown) => never {
  return error => {
    if (error instanceof Trouble) throw error
    throw new Trouble(4, `${shown(path)} could not be read: ${(error as Error).message}`, { cause: error })
  }
}
