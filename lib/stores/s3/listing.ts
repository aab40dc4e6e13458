import { byPath, PROBE, reserved } from '../paths.ts'
import { type Leftover, type Listed, StoreError } from '../store.ts'
import type { Bucket } from './client.ts'

/** Every object below a prefix by its path in the store, the store's own ones too; throws when any page is missing. */
async function everything(bucket: Bucket, prefix: string): Promise<Listed[]> {
  const { sdk, client } = await bucket.connect()
  const found: Listed[] = []
  let token: string | undefined
  do {
    // Keys are sent URL-encoded, because XML cannot hold every character.
    const page = await client.send(
      new sdk.ListObjectsV2Command({ Bucket: bucket.name, Prefix: startOf(bucket, prefix), EncodingType: 'url', ContinuationToken: token }),
    )
    for (const { Key, Size, LastModified } of page.Contents ?? []) {
      if (Key === undefined || Size === undefined || LastModified === undefined)
        throw new StoreError('broken', `${bucket.where} lists an object without name, size or time`)
      const key = page.EncodingType === 'url' ? decoded(Key) : Key
      // Consoles make such empty objects to show a folder.
      if (!key.endsWith('/')) found.push({ path: bucket.path(key), bytes: Size, modified: LastModified.toISOString() })
    }
    token = page.NextContinuationToken
    if (page.IsTruncated && !token) throw new StoreError('broken', `${bucket.where} lists only a part of its objects`)
  } while (token)
  return found
}

const startOf = (bucket: Bucket, prefix: string) => bucket.key(prefix === '' ? '' : `${prefix}/`)

const decoded = (key: string) => decodeURIComponent(key.replaceAll('+', ' '))

/** The objects below a prefix, sorted. */
export async function list(bucket: Bucket, prefix: string): Promise<readonly Listed[]> {
  return (await everything(bucket, prefix)).filter(({ path }) => !reserved(path)).sort(byPath)
}

/** Unfinished multipart uploads and forgotten probes below a prefix, begun before `olderThanMs` ago by the server's time. */
export async function leftovers(bucket: Bucket, prefix: string, olderThanMs: number): Promise<readonly Leftover[]> {
  const { skewMs } = await bucket.connect()
  const probes = (await everything(bucket, prefix)).filter(({ path }) => path.slice(path.lastIndexOf('/') + 1).startsWith(PROBE))
  const found = [...probes.map(({ path, modified, bytes }) => ({ id: '', path, begun: modified, bytes })), ...(await uploads(bucket, prefix))]
  const before = Date.now() - (skewMs() ?? 0) - olderThanMs
  return found.filter(({ begun }) => Date.parse(begun) <= before + ROUNDING_MS).sort(byPath)
}

/** The server's time is known by whole seconds only. */
const ROUNDING_MS = 1000

/** Asks for the whole bucket and chooses here: MinIO answers a prefix that is no whole key with nothing. (After a restart MinIO lists none at all; it removes them by itself after a day.) */
async function uploads(bucket: Bucket, prefix: string): Promise<Leftover[]> {
  const { sdk, client } = await bucket.connect()
  const found: Leftover[] = []
  let marker: { KeyMarker: string | undefined; UploadIdMarker: string | undefined } | undefined
  do {
    const page = await client.send(new sdk.ListMultipartUploadsCommand({ Bucket: bucket.name, EncodingType: 'url', ...marker }))
    for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
      if (Key === undefined || UploadId === undefined) continue
      const key = page.EncodingType === 'url' ? decoded(Key) : Key
      if (key.startsWith(startOf(bucket, prefix)))
        found.push({ id: UploadId, path: bucket.path(key), begun: (Initiated ?? new Date(0)).toISOString(), bytes: null })
    }
    marker = page.IsTruncated ? { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker } : undefined
  } while (marker)
  return found
}

/** Aborts an unfinished upload, or removes a forgotten probe; one that is gone is fine. */
export async function clear(bucket: Bucket, leftover: Leftover): Promise<void> {
  const { sdk, client } = await bucket.connect()
  const target = { Bucket: bucket.name, Key: bucket.key(leftover.path) }
  if (leftover.id === '') await client.send(new sdk.DeleteObjectCommand(target))
  else {
    await client.send(new sdk.AbortMultipartUploadCommand({ ...target, UploadId: leftover.id })).catch(error => {
      if (!(error instanceof Error && error.name === 'NoSuchUpload')) throw error
    })
  }
}
