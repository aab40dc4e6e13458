import { randomUUID } from 'node:crypto'
import { CELL, renamed } from '../paths.ts'
import { type Cell, StoreError } from '../store.ts'
import type { Container } from './client.ts'
import { asking, codeOf, kindOf, statusOf } from './faults.ts'

/** A cell as one blob `.cell-<name>` that is replaced only while its ETag is the one that was read; it is never locked, because it has to change. Its metadata name the write, for one whose answer is lost. */
export function cell(container: Container, path: string): Cell {
  const object = renamed(path, name => `${CELL}${name}`)
  const where = `${object} in ${container.where}`
  const now = async (date: Date | undefined) => date?.getTime() ?? Date.now() - ((await container.connect()).skewMs() ?? 0)
  const blob = async () => (await container.connect()).client.getBlockBlobClient(container.key(object))

  const fetch = async () => {
    const answer = await (await blob()).download()
    if (!answer.etag || !answer.readableStreamBody) throw new StoreError('broken', `${where} came without an ETag`)
    const chunks: Buffer[] = []
    for await (const chunk of answer.readableStreamBody) chunks.push(chunk as Buffer)
    return { id: answer.metadata?.upload, body: Buffer.concat(chunks).toString('utf8'), version: answer.etag, nowMs: await now(answer.date) }
  }

  const read = async () => {
    try {
      const { body, version, nowMs } = await fetch()
      return { body, version, nowMs }
    } catch (error) {
      if (codeOf(error) !== 'BlobNotFound') throw error
      return { body: null, version: '', nowMs: await now(undefined) }
    }
  }

  const write = async (body: string, version: string) => {
    const id = randomUUID()
    const bytes = Buffer.from(body)
    const conditions = version === '' ? { ifNoneMatch: '*' } : { ifMatch: version }
    const blobHTTPHeaders = { blobContentType: 'text/plain; charset=utf-8' }
    try {
      const answer = await (await blob()).upload(bytes, bytes.length, { conditions, blobHTTPHeaders, metadata: { upload: id } })
      if (!answer.etag) throw new StoreError('broken', `${where} was written without an ETag in the answer`)
      return { version: answer.etag, nowMs: await now(answer.date) }
    } catch (error) {
      const refused = kindOf(error) === 'exists' || (version !== '' && statusOf(error) === 404 && codeOf(error) === 'BlobNotFound')
      if (!refused && kindOf(error) !== 'unreachable') throw error
      // The write may have been done and only its answer lost; its id beside the document tells.
      const found = await fetch().catch(() => null)
      if (found?.id === id) return { version: found.version, nowMs: found.nowMs }
      if (!refused) throw error
      throw new StoreError('conflict', `${where} was changed by somebody else`, error)
    }
  }

  return { where, read: () => asking(container, where, read), write: (body, version) => asking(container, where, () => write(body, version)) }
}
