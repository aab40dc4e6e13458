import { setTimeout as delay } from 'node:timers/promises'
import { StoreError } from '../store.ts'
import type { Container } from './client.ts'
import { faultOf, kindOf, statusOf } from './faults.ts'
import { DISCARDED } from './remains.ts'

/** Tries in a row that may bring next to nothing before a download is given up. */
const MOST_TRIES = 4
/** A try that brought this many bytes starts the count again. */
const WORTHWHILE = 1024 * 1024

/** Streams an object, or a range of it; a connection that breaks is taken up again where it broke, on the very same object. */
export async function* download(
  container: Container,
  path: string,
  signal: AbortSignal,
  range?: { readonly start: number; readonly end: number },
): AsyncGenerator<Buffer> {
  signal.throwIfAborted()
  if (range && range.start >= range.end) return
  const what = `${path} in ${container.where}`
  const { skewMs } = await container.connect()
  let at = range?.start ?? 0
  let end = range?.end
  let etag: string | undefined
  for (let tries = 1; ; tries += 1) {
    const from = at
    let body: Body | undefined
    try {
      const part = await open(container, path, at, end, etag, signal)
      body = part.body
      etag = part.etag
      end ??= part.total
      if (end > part.total) throw cutShort(what, part.total, at, end)
      for await (const chunk of body) {
        at += chunk.length
        yield chunk
      }
      signal.throwIfAborted()
      if (at === end) return
      throw new StoreError('unreachable', `${what} broke off after ${at} of ${end} bytes`)
    } catch (error) {
      signal.throwIfAborted()
      // The SDK's word for an answer without length or ETag.
      if (error instanceof RangeError) throw new StoreError('broken', `${what} came in an answer that is none of Azure's (${error.message})`, error)
      if (statusOf(error) === 416) throw cutShort(what, undefined, at, end)
      if (kindOf(error) === 'exists') throw new StoreError('broken', `${what} was replaced by another while it was read`, error)
      if (kindOf(error) !== 'unreachable') throw faultOf(error, what, skewMs())
      if (at - from >= WORTHWHILE) tries = 0
      if (tries >= MOST_TRIES) throw gaveUp(error, what, at, end, tries)
      await delay(200 * 2 ** tries, undefined, { signal })
    } finally {
      body?.destroy()
    }
  }
}

function cutShort(what: string, total: number | undefined, at: number, end: number | undefined): StoreError {
  return new StoreError('broken', `${what} has ${total ?? 'fewer'} bytes, but bytes ${at} to ${end} were asked for: it was cut short`)
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

type Body = AsyncIterable<Buffer> & { destroy(): void }

/** Begins to read at an offset. The first request of a whole object names no range, which an empty object would refuse. */
async function open(container: Container, path: string, at: number, end: number | undefined, etag: string | undefined, abortSignal: AbortSignal) {
  const { client } = await container.connect()
  const ranged = at > 0 || end !== undefined
  const answer = await client.getBlobClient(container.key(path)).download(at, end === undefined ? undefined : end - at, {
    abortSignal,
    // Its own way of going on would hide how far a connection came.
    maxRetryRequests: 0,
    ...(etag ? { conditions: { ifMatch: etag } } : {}),
  })
  const body = answer.readableStreamBody as unknown as Body
  const total = ranged ? Number(answer.contentRange?.split('/')[1]) : answer.contentLength
  if (answer.contentType === DISCARDED && total === 0) {
    body.destroy()
    throw new StoreError('missing', `${path} in ${container.where} is not there`)
  }
  if (total === undefined || Number.isNaN(total) || (ranged && !answer.contentRange?.startsWith(`bytes ${at}-`))) {
    body.destroy()
    throw new StoreError('broken', `${container.where} does not answer with the bytes that were asked for`)
  }
  return { body, total, etag: answer.etag }
}
