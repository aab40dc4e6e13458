import { ms, spent } from '../../plan/durations.ts'
import { type LockFacts, StoreError } from '../store.ts'
import type { Bucket, Connection, S3Options } from './client.ts'
import { faultOf, kindOf } from './faults.ts'

/** The retention that goes with every new object; nothing where none is wanted. It counts from the beginning of the upload, by the server's clock. */
export function retention({ lock, checksums }: S3Options, skewMs: number | null) {
  if (!lock) return {}
  return {
    ObjectLockMode: lock.mode === 'governance' ? ('GOVERNANCE' as const) : ('COMPLIANCE' as const),
    ObjectLockRetainUntilDate: new Date(Date.now() - (skewMs ?? 0) + ms(lock.for)),
    // S3 refuses a retention without a checksum, which this setting leaves out.
    ...(checksums === 'when-required' ? { ChecksumAlgorithm: 'CRC32' as const } : {}),
  }
}

/** Removes the version that is the object now: removing by name only hides it behind a marker, and it would take up room for ever. StoreError('denied') while it is locked. */
export async function removeVersion(bucket: Bucket, path: string): Promise<void> {
  const { sdk, client } = await bucket.connect()
  const target = { Bucket: bucket.name, Key: bucket.key(path) }
  const found = await client.send(new sdk.HeadObjectCommand(target)).catch(error => {
    if (kindOf(error) === 'missing') return null
    throw error
  })
  if (!found) return
  try {
    await client.send(new sdk.DeleteObjectCommand({ ...target, VersionId: found.VersionId }))
  } catch (error) {
    const until = found.ObjectLockRetainUntilDate
    const held = found.ObjectLockLegalHoldStatus === 'ON'
    // Amazon says AccessDenied, MinIO InvalidRequest.
    if (!held && !(until && until.getTime() > Date.now())) throw error
    const lock = held ? 'by a legal hold, and stays until it is taken off' : `until ${until?.toISOString()} (${found.ObjectLockMode?.toLowerCase()})`
    throw new StoreError('denied', `${path} in ${bucket.where} is locked ${lock}; nothing was removed`, error)
  }
}

/** What the bucket keeps from being removed; undefined where that could not be asked and nobody wants to know. */
export async function lockFacts(bucket: Bucket, { sdk, client }: Connection, abortSignal: AbortSignal): Promise<LockFacts | undefined> {
  const { lock } = bucket.options
  const asked = lock !== undefined
  try {
    const answer = await client.send(new sdk.GetObjectLockConfigurationCommand({ Bucket: bucket.name }), { abortSignal })
    const rule = answer.ObjectLockConfiguration?.Rule?.DefaultRetention
    const own =
      rule && `the bucket itself locks every object for ${rule.Days ? `${rule.Days} days` : `${rule.Years} years`}, the documents of leases too`
    if (lock) {
      const says = `every backup is locked for ${spent(ms(lock.for))}, and ${lock.mode === 'compliance' ? 'nobody can' : 'only who may bypass governance can'} shorten that`
      return { mode: lock.mode, asked, says: own ? `${says}; ${own}` : says }
    }
    if (own) return { mode: rule.Mode === 'COMPLIANCE' ? 'compliance' : 'governance', asked, says: own }
    return { mode: 'none', asked, says: 'objects can be removed at any time, though the bucket could lock them' }
  } catch (error) {
    abortSignal.throwIfAborted()
    const none = error instanceof Error && error.name === 'ObjectLockConfigurationNotFoundError'
    if (!asked) return none ? { mode: 'none', asked, says: 'objects can be removed at any time' } : undefined
    if (none) {
      const mend = `aws s3api create-bucket --object-lock-enabled-for-bucket --bucket <a new one>, and name it in the stack file`
      return { mode: 'none', asked, says: 'it cannot lock objects: the bucket was made without object lock', mend }
    }
    const fault = faultOf(error, bucket.where)
    const says = `whether it can lock objects is not known: ${fault instanceof Error ? fault.message : String(fault)}`
    return { mode: 'none', asked, says, mend: `allow s3:GetBucketObjectLockConfiguration on arn:aws:s3:::${bucket.name}` }
  }
}
