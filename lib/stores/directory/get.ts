import { open } from 'node:fs/promises'
import { StoreError } from '../store.ts'
import { faultOf } from './faults.ts'

/** Bytes read at a time. */
const CHUNK = 256 * 1024

/** Streams a file, or a range of it; throws when it holds fewer bytes than were promised. */
export async function* get(file: string, signal: AbortSignal, range?: { readonly start: number; readonly end: number }): AsyncGenerator<Buffer> {
  signal.throwIfAborted()
  try {
    const handle = await open(file, 'r')
    try {
      const found = await handle.stat()
      if (!found.isFile()) throw new StoreError('missing', `${file} is not a file`)
      const { start, end } = range ?? { start: 0, end: found.size }
      if (end > found.size && end > start)
        throw new StoreError('broken', `${file} has ${found.size} bytes, but bytes ${start} to ${end} were asked for: it was cut short`)
      for (let at = start; at < end; ) {
        signal.throwIfAborted()
        const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(Math.min(CHUNK, end - at)), 0, Math.min(CHUNK, end - at), at)
        if (bytesRead === 0) throw new StoreError('broken', `${file} ended after ${at} of ${end} bytes`)
        at += bytesRead
        yield buffer.subarray(0, bytesRead)
      }
    } finally {
      await handle.close()
    }
  } catch (error) {
    throw faultOf(error, file)
  }
}
