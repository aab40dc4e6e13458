import { randomUUID } from 'node:crypto'
import { CELL, renamed } from '../paths.ts'
import { type Cell, StoreError } from '../store.ts'
import type { Bucket } from './client.ts'
import { asking, kindOf, statusOf } from './faults.ts'

/** A cell as one object `.cell-<name>` that is replaced only while its ETag is the one that was read. Its first line is the id of the write: an ETag is a digest of the bytes, and must never come back. */
export function cell(bucket: Bucket, path: string): Cell {
  const object = renamed(path, name => `${CELL}${name}`)
  const target = { Bucket: bucket.name, Key: bucket.key(object) }
  const where = `${object} in ${bucket.where}`
  /** The last version of this cell that was read or written here, by its names as content and, in a bucket that keeps versions, as a version. */
  let last: { readonly etag: string; readonly versionId: string | undefined } | undefined

  const fetch = async () => {
    const { sdk, client, timeOf } = await bucket.connect()
    const answer = await client.send(new sdk.GetObjectCommand(target))
    const text = (await answer.Body?.transformToString('utf8')) ?? ''
    const line = text.indexOf('\n')
    if (line < 0 || !answer.ETag) throw new StoreError('broken', `${where} is no document of this toolkit`)
    last = { etag: answer.ETag, versionId: answer.VersionId }
    return { id: text.slice(0, line), body: text.slice(line + 1), version: answer.ETag, nowMs: timeOf(answer) }
  }

  const read = async () => {
    try {
      const { body, version, nowMs } = await fetch()
      return { body, version, nowMs }
    } catch (error) {
      if (!(error instanceof Error && error.name === 'NoSuchKey')) throw error
      const { skewMs } = await bucket.connect()
      return { body: null, version: '', nowMs: Date.now() - (skewMs() ?? 0) }
    }
  }

  const write = async (body: string, version: string) => {
    const { sdk, client, timeOf } = await bucket.connect()
    const id = randomUUID()
    const condition = version === '' ? { IfNoneMatch: '*' } : { IfMatch: version }
    try {
      const answer = await client.send(
        new sdk.PutObjectCommand({ ...target, ...condition, Body: Buffer.from(`${id}\n${body}`), ContentType: 'text/plain; charset=utf-8' }),
      )
      if (!answer.ETag) throw new StoreError('broken', `${where} was written without an ETag in the answer`)
      const replaced = last?.etag === version ? last.versionId : undefined
      last = { etag: answer.ETag, versionId: answer.VersionId }
      // A bucket with object lock keeps versions, and a lease writes three a minute. Where that is not allowed, they stay.
      if (replaced) await client.send(new sdk.DeleteObjectCommand({ ...target, VersionId: replaced })).catch(() => {})
      return { version: answer.ETag, nowMs: timeOf(answer) }
    } catch (error) {
      const refused = kindOf(error) === 'exists' || (version !== '' && statusOf(error) === 404)
      if (!refused && kindOf(error) !== 'unreachable') throw error
      // The write may have been done and only its answer lost; its id in the document tells.
      const now = await fetch().catch(() => null)
      if (now?.id === id) return { version: now.version, nowMs: now.nowMs }
      if (!refused) throw error
      throw new StoreError('conflict', `${where} was changed by somebody else`, error)
    }
  }

  return { where, read: () => asking(where, read), write: (body, version) => asking(where, () => write(body, version)) }
}
