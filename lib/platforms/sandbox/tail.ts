import { type FileHandle, open, truncate } from 'node:fs/promises'
import { redact } from '../../plan/secrets.ts'

/** A log is emptied when it is longer than this, in bytes: whoever needs logs for good sends them elsewhere. */
const LONGEST = 8 * 1024 * 1024

/** Bytes of the end of a log that are read for its last lines. */
const READ = 256 * 1024

async function opened<T>(file: string, work: (handle: FileHandle, bytes: number) => Promise<T>): Promise<T | undefined> {
  const handle = await open(file, 'r').catch(() => undefined)
  if (!handle) return undefined
  try {
    return await work(handle, (await handle.stat()).size)
  } finally {
    await handle.close()
  }
}

/** Empties a log that has become too long; whoever writes to it goes on at its beginning. */
export async function keepShort(file: string): Promise<void> {
  const long = await opened(file, async (_, bytes) => bytes > LONGEST)
  if (long) await truncate(file, 0)
}

/** The last lines of a log, without what is secret; '' where there is no log. */
export async function lastLines(file: string, lines: number): Promise<string> {
  const text = await opened(file, async (handle, bytes) => {
    const from = Math.max(0, bytes - READ)
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(bytes - from), 0, bytes - from, from)
    return buffer.subarray(0, bytesRead).toString('utf8')
  })
  return redact((text ?? '').trimEnd().split('\n').slice(-lines).join('\n'))
}
