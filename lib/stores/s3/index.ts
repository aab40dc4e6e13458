import { checkPath } from '../paths.ts'
import type { Store } from '../store.ts'
import { cell } from './cell.ts'
import { bucketOf, type S3Options } from './client.ts'
import { download } from './download.ts'
import { facts } from './facts.ts'
import { asking, kindOf } from './faults.ts'
import { clear, leftovers, list } from './listing.ts'
import { removeVersion } from './lock.ts'
import { upload } from './upload.ts'

/** A bucket of Amazon S3 or of a server that speaks its language. The SDK is loaded on the first call. */
export function s3(options: S3Options): Store {
  const bucket = bucketOf(options)
  const name = options.name ?? 's3'
  const below = (prefix: string) => (prefix === '' ? '' : checkPath(prefix))
  const target = (path: string) => ({ Bucket: bucket.name, Key: bucket.key(checkPath(path)) })
  const what = (path: string) => `${path} in ${bucket.where}`

  const head: Store['head'] = async path => {
    const { sdk, client } = await bucket.connect()
    try {
      const found = await client.send(new sdk.HeadObjectCommand(target(path)))
      const until = found.ObjectLockRetainUntilDate?.toISOString()
      const modified = (found.LastModified ?? new Date(0)).toISOString()
      return { bytes: found.ContentLength ?? 0, modified, ...(until ? { lockedUntil: until } : {}) }
    } catch (error) {
      if (kindOf(error) === 'missing') return null
      throw error
    }
  }

  return {
    name,
    where: bucket.where,
    facts: doing => facts(name, bucket, doing.signal),
    put: async (path, body, doing, about) => upload(bucket, checkPath(path), body, doing.signal, about),
    get: (path, doing, range) => download(bucket, checkPath(path), doing.signal, range),
    head: path => asking(what(path), () => head(path)),
    list: prefix => asking(bucket.where, () => list(bucket, below(prefix))),
    remove: path =>
      asking(what(path), async () => {
        if (options.lock) return removeVersion(bucket, checkPath(path))
        const { sdk, client } = await bucket.connect()
        await client.send(new sdk.DeleteObjectCommand(target(path)))
      }),
    leftovers: (prefix, olderThanMs) => asking(bucket.where, () => leftovers(bucket, below(prefix), olderThanMs)),
    clear: leftover => asking(what(leftover.path), () => clear(bucket, leftover)),
    cell: path => cell(bucket, checkPath(path)),
  }
}
