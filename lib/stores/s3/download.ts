import { setTimeout as delay } from 'node:timers/promises'
import { StoreError } from '../store.ts'
import type { Body, Bucket } from './client.ts'
import { faultOf, kindOf } from './faults.ts'

/** Tries in a row that may bring next to nothing before a download is given up. */
const MOST_TRIES = 4
/** A try that brought this many bytes starts the count again. */
const WORTHWHILE = 1024 * 1024

/** Streams an object, or a range of it; a connection that breaks is taken up again where it broke, on the very same object. */
export async function* download(
  bucket: Bucket,
  path: string,
  signal: AbortSignal,
  range?: { readonly start: number; readonly end: number },
): AsyncGenerator<Buffer> {
  signal.throwIfAborted()
  if (range && range.start >= range.end) return
  const what = `${path} in ${bucket.where}`
  let at = range?.start ?? 0
  let end = range?.end
  let etag: string | undefined
  for (let tries = 1; ; tries += 1) {
    const from = at
    let body: Body | undefined
    try {
      const part = await open(bucket, path, at, end, etag, signal)
      body = part.body
      etag = part.etag
      end ??= part.total
      if (end > part.total)
        throw new StoreError('broken', `${what} has ${part.total} bytes, but bytes ${at} to ${end} were asked for: it was cut short`)
      for await (const chunk of body) {
        at += chunk.length
        yield chunk
      }
      signal.throwIfAborted()
      if (at === end) return
      throw new StoreError('unreachable', `${what} broke off after ${at} of ${end} bytes`)
    } catch (error) {
      signal.throwIfAborted()
      if (kindOf(error) !== 'unreachable') throw faultOf(error, what)
      if (at - from >= WORTHWHILE) tries = 0
      if (tries >= MOST_TRIES) throw gaveUp(error, what, at, end, tries)
      await delay(200 * 2 ** tries, undefined, { signal })
    } finally {
      body?.destroy()
    }
  }
}

function gaveUp(error: unknown, what: string, at: number, end: number | undefined, tries: number): unknown {
  const fault = faultOf(error, what)
  if (!(fault instanceof StoreError)) return fault
  return new StoreError(
    'unreachable',
    `${fault.message}; given up at byte ${at} of ${end ?? 'an unknown number'} after ${tries} tries in a row`,
    error,
  )
}

/** Begins to read at an offset. The first request of a whole object names no range, which an empty object would refuse. */
async function open(bucket: Bucket, path: string, at: number, end: number | undefined, etag: string | undefined, abortSignal: AbortSignal) {
  const { sdk, client } = await bucket.connect()
  const ranged = at > 0 || end !== undefined
  const answer = await client.send(
    new sdk.GetObjectCommand({
      Bucket: bucket.name,
      Key: bucket.key(path),
      ...(ranged ? { Range: `bytes=${at}-${end === undefined ? '' : end - 1}` } : {}),
      ...(etag ? { IfMatch: etag } : {}),
    }),
    { abortSignal },
  )
  const total = ranged ? Number(answer.ContentRange?.split('/')[1]) : answer.ContentLength
  const body = answer.Body as Body
  if (total === undefined || Number.isNaN(total) || (ranged && !answer.ContentRange?.startsWith(`bytes ${at}-`))) {
    body.destroy()
    throw new StoreError('broken', `${bucket.where} does not answer with the bytes that were asked for`)
  }
  return { body, total, etag: answer.ETag }
}
