import { type Body, checkedAnswer, cutShort, resumed } from '../resumed.ts'
import { StoreError } from '../store.ts'
import type { Container } from './client.ts'
import { faultOf, kindOf, statusOf } from './faults.ts'
import { DISCARDED } from './remains.ts'

/** Streams an object, or a range of it; a connection that breaks is taken up again where it broke, on the very same object. */
export async function* download(
  container: Container,
  path: string,
  signal: AbortSignal,
  range?: { readonly start: number; readonly end: number },
): AsyncGenerator<Buffer> {
  const what = `${path} in ${container.where}`
  const { skewMs } = await container.connect()
  const reading = {
    what,
    open: (at: number, end: number | undefined, etag: string | undefined) => open(container, path, at, end, etag, signal),
    isBreak: (error: unknown) => kindOf(error) === 'unreachable',
    faultOf(error: unknown, at: number, end: number | undefined) {
      // The SDK's word for an answer without length or ETag.
      if (error instanceof RangeError) return new StoreError('broken', `${what} came in an answer that is none of Azure's (${error.message})`, error)
      if (statusOf(error) === 416) return cutShort(what, undefined, at, end)
      if (kindOf(error) === 'exists') return new StoreError('broken', `${what} was replaced by another while it was read`, error)
      return faultOf(error, what, skewMs())
    },
  }
  yield* resumed(reading, signal, range)
}

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
  return checkedAnswer({ body, total, range: answer.contentRange, etag: answer.etag }, ranged, at, container.where)
}
