import { randomUUID } from 'node:crypto'
import { spent } from '../../plan/durations.ts'
import { PROBE } from '../paths.ts'
import { StoreError, type StoreFacts } from '../store.ts'
import type { Bucket, Connection } from './client.ts'
import { faultOf, kindOf } from './faults.ts'
import { lockFacts } from './lock.ts'

/** Looks at the bucket by listing it, and by really writing an object twice; says what it met instead of throwing. */
export async function facts(name: string, bucket: Bucket, abortSignal: AbortSignal): Promise<StoreFacts> {
  const connection = await bucket.connect()
  const known = () => ({ name, where: bucket.where, freeBytes: null, skewMs: connection.skewMs(), conditional: false })
  try {
    const { sdk, client } = connection
    // Not HeadBucket: an answer to HEAD has no body that says what is wrong.
    await client.send(new sdk.ListObjectsV2Command({ Bucket: bucket.name, Prefix: bucket.key(''), MaxKeys: 1 }), { abortSignal })
  } catch (error) {
    abortSignal.throwIfAborted()
    return { ...known(), ...unusable(faultOf(error, bucket.where), bucket, connection.skewMs()) }
  }
  try {
    const tried = await tryWriting(bucket, connection, abortSignal)
    const lock = await lockFacts(bucket, connection, abortSignal)
    return { ...known(), ...tried, ...(lock ? { lock } : {}), state: 'writable' }
  } catch (error) {
    abortSignal.throwIfAborted()
    const found = unusable(faultOf(error, bucket.where), bucket, connection.skewMs())
    if (kindOf(error) === 'denied')
      return { ...known(), ...found, state: 'read-only', mend: `allow s3:PutObject on arn:aws:s3:::${bucket.name}/${bucket.key('*')}` }
    return { ...known(), ...found }
  }
}

async function tryWriting(
  bucket: Bucket,
  { sdk, client }: Connection,
  abortSignal: AbortSignal,
): Promise<Partial<StoreFacts> & { conditional: boolean }> {
  const target = { Bucket: bucket.name, Key: bucket.key(`${PROBE}${randomUUID()}`) }
  const put = () => client.send(new sdk.PutObjectCommand({ ...target, Body: Buffer.from('probe'), IfNoneMatch: '*' }), { abortSignal })
  const { VersionId } = await put()
  const second = await put().then(
    () => null,
    (error: unknown) => error,
  )
  const removed = await client.send(new sdk.DeleteObjectCommand({ ...target, VersionId })).then(
    () => null,
    (error: unknown) => error,
  )
  if (second !== null && kindOf(second) !== 'exists') throw second
  if (second === null) {
    return {
      conditional: false,
      because: 'it overwrites objects although it was asked not to (If-None-Match)',
      mend: 'use a server that honours conditional writes',
    }
  }
  if (removed === null) return { conditional: true }
  const refusal = faultOf(removed, bucket.where)
  return { conditional: true, because: `objects cannot be removed: ${refusal instanceof Error ? refusal.message : String(refusal)}` }
}

function unusable(met: unknown, bucket: Bucket, skewMs: number | null): Pick<StoreFacts, 'state' | 'because' | 'mend'> {
  if (!(met instanceof StoreError)) throw met
  const because = met.message
  if (met.fault === 'missing') {
    const server = bucket.options.endpoint ? ` --endpoint-url ${bucket.options.endpoint}` : ''
    return { state: 'missing', because, mend: `aws s3 mb s3://${bucket.name}${server}` }
  }
  if (met.fault === 'clock') {
    const off = skewMs === null ? '' : `; it is ${spent(Math.abs(skewMs))} ${skewMs > 0 ? 'ahead' : 'behind'}`
    return { state: 'denied', because: because + off, mend: 'timedatectl set-ntp true' }
  }
  if (met.fault === 'denied') return { state: 'denied', because, mend: 'check the access key, the secret key and the policy of the bucket' }
  if (met.fault === 'full') return { state: 'read-only', because, mend: 'make room on the server, or raise the quota' }
  return { state: 'unreachable', because }
}
