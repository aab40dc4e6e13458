import type { BlobItem } from '@azure/storage-blob'
import { byPath, PROBE, reserved } from '../paths.ts'
import { type Leftover, type Listed, StoreError } from '../store.ts'
import type { Container } from './client.ts'
import { blocksOf, DISCARDED, discard } from './remains.ts'

/** Most that Azure gives on one page. */
const PAGE = 5_000

/** Every blob below a prefix, the store's own ones too; throws when any page is missing. */
async function everything(container: Container, prefix: string, includeUncommitedBlobs: boolean): Promise<BlobItem[]> {
  const { client } = await container.connect()
  const found: BlobItem[] = []
  const start = container.key(prefix === '' ? '' : `${prefix}/`)
  const noList = (cause?: unknown) => new StoreError('broken', `${container.where} answers with something that is no list of its objects`, cause)
  try {
    for await (const page of client.listBlobsFlat({ prefix: start, includeUncommitedBlobs }).byPage({ maxPageSize: PAGE })) {
      // An answer that is no listing would look like the end of one.
      if (page.containerName !== container.name || !Array.isArray(page.segment?.blobItems)) throw noList()
      found.push(...page.segment.blobItems)
    }
  } catch (error) {
    // The SDK stumbles over an answer without the elements that it expects.
    throw error instanceof TypeError ? noList(error) : error
  }
  return found
}

const isDiscarded = ({ properties }: BlobItem) => properties.contentType === DISCARDED && properties.contentLength === 0

/** The objects below a prefix, sorted. */
export async function list(container: Container, prefix: string): Promise<readonly Listed[]> {
  const found = (await everything(container, prefix, false)).filter(item => !isDiscarded(item))
  return found
    .map(({ name, properties }) => {
      if (name === undefined || properties.contentLength === undefined || !properties.lastModified)
        throw new StoreError('broken', `${container.where} lists an object without name, size or time`)
      return { path: container.path(name), bytes: properties.contentLength, modified: properties.lastModified.toISOString() }
    })
    .filter(({ path }) => !reserved(path))
    .sort(byPath)
}

/** The server's time is known by whole seconds only. */
const ROUNDING_MS = 1000

/** Blobs of blocks that were never committed, forgotten probes and half-discarded uploads below a prefix, begun before `olderThanMs` ago by the server's time. */
export async function leftovers(container: Container, prefix: string, olderThanMs: number): Promise<readonly Leftover[]> {
  const { client, skewMs } = await container.connect()
  const found: Leftover[] = []
  for (const item of await everything(container, prefix, true)) {
    const path = container.path(item.name)
    const begun = (item.properties.lastModified ?? new Date(0)).toISOString()
    if (isDiscarded(item) || path.slice(path.lastIndexOf('/') + 1).startsWith(PROBE))
      found.push({ id: 'blob', path, begun, bytes: item.properties.contentLength ?? null })
    else if ((item.properties.contentLength ?? 0) === 0) {
      // The list does not tell blocks without a blob from an empty blob.
      const blocks = await blocksOf(client.getBlockBlobClient(item.name))
      if (blocks)
        found.push({ id: 'blocks', path, begun: blocks.begunMs === null ? begun : new Date(blocks.begunMs).toISOString(), bytes: blocks.bytes })
    }
  }
  const before = Date.now() - (skewMs() ?? 0) - olderThanMs
  return found.filter(({ begun }) => Date.parse(begun) <= before + ROUNDING_MS).sort(byPath)
}

/** Discards the blocks of a dead upload, or removes a forgotten probe; one that is gone, or became an object meanwhile, is fine. */
export async function clear(container: Container, leftover: Leftover): Promise<void> {
  const { client } = await container.connect()
  const blob = client.getBlockBlobClient(container.key(leftover.path))
  if (leftover.id === 'blob') await blob.deleteIfExists()
  else if (await blocksOf(blob)) await discard(blob)
}
