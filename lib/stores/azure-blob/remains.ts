import type { BlockBlobClient } from '@azure/storage-blob'
import { kindOf } from './faults.ts'

/** Content type of the empty blob that stands for an instant in place of discarded blocks: it is no object. */
export const DISCARDED = 'application/x-discarded-upload'

/** A block's name tells whose it is and when its upload began: Azure tells neither. All names of a blob's blocks must have one length, 64 bytes at most. */
export function blockId(ticket: string, begunMs: number, index: number): string {
  return Buffer.from(`${ticket} ${String(begunMs).padStart(13, '0')} ${String(index).padStart(5, '0')}`).toString('base64')
}

/** Uncommitted blocks of one blob: their size, whose they are, and when their upload began by our names for them (null with foreign names). */
export type Blocks = { readonly bytes: number; readonly tickets: ReadonlySet<string>; readonly begunMs: number | null }

/** What was uploaded and not committed under a name; null when there is nothing, or a whole blob. */
export async function blocksOf(blob: BlockBlobClient, abortSignal?: AbortSignal): Promise<Blocks | null> {
  try {
    const { uncommittedBlocks = [], committedBlocks = [] } = await blob.getBlockList('all', abortSignal ? { abortSignal } : {})
    if (uncommittedBlocks.length === 0 || committedBlocks.length > 0) return null
    const names = uncommittedBlocks.map(({ name }) => Buffer.from(name, 'base64').toString().split(' '))
    const times = names.map(([, begun]) => Number(begun)).filter(time => time > 0)
    return {
      bytes: uncommittedBlocks.reduce((sum, { size }) => sum + size, 0),
      tickets: new Set(names.map(([ticket]) => ticket ?? '')),
      begunMs: times.length > 0 ? Math.max(...times) : null,
    }
  } catch (error) {
    if (kindOf(error) === 'missing') return null
    throw error
  }
}

/** Lets uncommitted blocks go: Azure has no call for that but to commit an empty list, never over a blob, whose outcome is then deleted. */
export async function discard(blob: BlockBlobClient, abortSignal?: AbortSignal): Promise<void> {
  const stop = abortSignal ? { abortSignal } : {}
  try {
    const { etag } = await blob.commitBlockList([], { ...stop, conditions: { ifNoneMatch: '*' }, blobHTTPHeaders: { blobContentType: DISCARDED } })
    await blob.delete({ ...stop, conditions: etag ? { ifMatch: etag } : {} })
  } catch (error) {
    const kind = kindOf(error)
    if (kind !== 'exists' && kind !== 'missing') throw error
  }
}
