import { randomUUID } from 'node:crypto'
import { type FileHandle, link, lstat, open, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { size } from '../../plan/durations.ts'
import { type Passed, watched } from '../bodies.ts'
import { TEMPORARY } from '../paths.ts'
import { StoreError } from '../store.ts'
import { codeOf, faultOf, unless } from './faults.ts'
import { ensureFolder, freeBytes, syncFolder } from './folders.ts'

/** Streams a body into a file that appears whole or not at all, and never over another; `about` bytes must be free before it begins. */
export async function put(
  root: string,
  file: string,
  body: AsyncIterable<Buffer>,
  signal: AbortSignal,
  about = 0,
): Promise<{ readonly bytes: number }> {
  signal.throwIfAborted()
  const passed: Passed = { bytes: 0, ended: false, failure: null }
  try {
    await refuseTaken(file)
    const { handle, temporary } = await openTemporary(root, dirname(file))
    try {
      await refuseFull(root, about)
      await write(handle, watched(body, signal, passed))
      await publish(temporary, file)
    } finally {
      await handle.close().catch(() => {})
      await unless(['ENOENT'], unlink(temporary))
    }
    await syncFolder(dirname(file))
    return { bytes: passed.bytes }
  } catch (error) {
    // What the body threw is the body's own story, even when it carries an error code of the system.
    if (passed.failure) throw passed.failure.error
    throw await explained(error, root, file, passed.bytes, about)
  }
}

async function refuseTaken(file: string): Promise<void> {
  if (await unless(['ENOENT', 'ENOTDIR'], lstat(file))) throw new StoreError('exists', `${file} is there already; nothing is overwritten`)
}

async function refuseFull(root: string, about: number): Promise<void> {
  const free = await freeBytes(root)
  if (free < about) throw new StoreError('full', `${root} is too full: ${size(about)} are needed, ${size(free)} are free`)
}

/** An exclusive temporary file in the folder; tries again when another run has just removed that folder because it was empty. */
export async function openTemporary(root: string, folder: string): Promise<{ readonly handle: FileHandle; readonly temporary: string }> {
  const once = async () => {
    await ensureFolder(root, folder)
    const temporary = join(folder, `${TEMPORARY}${randomUUID()}`)
    return { handle: await open(temporary, 'wx', 0o600), temporary }
  }
  for (let attempt = 1; ; attempt += 1) {
    // Making the folder can meet its removal as well.
    const opened = await unless(attempt < 5 ? ['ENOENT'] : [], once())
    if (opened) return opened
  }
}

async function write(handle: FileHandle, chunks: AsyncIterable<Buffer>): Promise<void> {
  for await (const chunk of chunks) {
    for (let done = 0; done < chunk.length; ) done += (await handle.write(chunk, done)).bytesWritten
  }
  await handle.datasync()
}

/** Gives a finished temporary file its name; linking, unlike renaming, refuses a name that is taken. */
export async function publish(temporary: string, file: string): Promise<void> {
  try {
    await link(temporary, file)
  } catch (error) {
    if (codeOf(error) === 'EEXIST') throw new StoreError('exists', `${file} is there already; nothing is overwritten`, error)
    if (['EPERM', 'ENOTSUP', 'ENOSYS'].includes(codeOf(error) ?? '')) {
      throw new StoreError(
        'broken',
        `the filesystem of ${file} knows no hard links, without which overwriting cannot be excluded; use another folder`,
        error,
      )
    }
    throw error
  }
}

async function explained(error: unknown, root: string, file: string, written: number, about: number): Promise<unknown> {
  if (codeOf(error) === 'ENOTDIR') return new StoreError('exists', `a part of ${file} is an object itself, so nothing can stand below it`, error)
  const fault = faultOf(error, file)
  if (!(fault instanceof StoreError) || fault.fault !== 'full' || codeOf(error) === undefined) return fault
  const free = await freeBytes(root).catch(() => 0)
  const needed = about > written ? `${size(about)} are needed` : `more than ${size(written)} are needed`
  return new StoreError(
    'full',
    `${root} ran full after ${size(written)} of this object: ${needed}, ${size(free)} are free now that the part was removed`,
    error,
  )
}
