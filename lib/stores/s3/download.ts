import { type Body, checkedAnswer, resumed } from '../resumed.ts'
import type { Bucket } from './client.ts'
import { faultOf, kindOf } from './faults.ts'

/** Streams an object, or a range of it; a connection that breaks is taken up again where it broke, on the very same object. */
export function download(
  bucket: Bucket,
  path: string,
  signal: AbortSignal,
  range?: { readonly start: number; readonly end: number },
): AsyncGenerator<Buffer> {
  const what = `${path} in ${bucket.where}`
  const reading = {
    what,
    open: (at: number, end: number | undefined, etag: string | undefined) => open(bucket, path, at, end, etag, signal),
    isBreak: (error: unknown) => kindOf(error) === 'unreachable',
    faultOf: (error: unknown) => faultOf(error, what),
  }
  return resumed(reading, signal, range)
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
  return checkedAnswer({ body: answer.Body as unknown as Body, total, range: answer.ContentRange, etag: answer.ETag }, ranged, at, bucket.where)
}
