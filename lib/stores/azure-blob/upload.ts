import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { BlockBlobClient, BlockBlobUploadOptions } from '@azure/storage-blob'
import { ms } from '../../plan/durations.ts'
import { type Passed, watched } from '../bodies.ts'
import { StoreError } from '../store.ts'
import { blocksFor, buffers, inBlocks, SMALL } from './blocks.ts'
import type { Container } from './client.ts'
import { faultOf, kindOf } from './faults.ts'
import { blockId, blocksOf, discard } from './remains.ts'

/** Longest time that each request of the clean-up after a failed upload may take. */
const CLEAN_UP_MS = 5_000

/** What knows an upload's own blob and blocks again: when it began, and its mark on each. */
type Sent = { readonly ticket: string; readonly begunMs: number; readonly ids: string[] }

/** Streams a body into a blob that appears whole or not at all, and never over another. */
export async function upload(
  container: Container,
  path: string,
  body: AsyncIterable<Buffer>,
  signal: AbortSignal,
  about?: number,
): Promise<{ readonly bytes: number }> {
  signal.throwIfAborted()
  const { client, skewMs } = await container.connect()
  const blob = client.getBlockBlobClient(container.key(path))
  const what = `${path} in ${container.where}`
  const { blockSize, parallel, limitBytes } = blocksFor(about, container.options.blockSizeBytes)
  const passed: Passed = { bytes: 0, ended: false, failure: null }
  const sent: Sent = { ticket: randomUUID(), begunMs: Date.now() - (skewMs() ?? 0), ids: [] }
  // A refused block ends the body too, which may be silent for a long time.
  const refused = new AbortController()
  const stop = AbortSignal.any([signal, refused.signal])
  try {
    // Hours of a dump would be lost on a name that is taken.
    if ((about === undefined || about > SMALL) && (await find(blob, signal)))
      throw new StoreError('exists', `${what} is there already; nothing is overwritten`)
    const { take, give } = buffers(blockSize)
    const blocks = inBlocks(watched(body, stop, passed, limitBytes), take)
    const first = await blocks.next()
    const only = first.done ? Buffer.alloc(0) : first.value
    const how = { ...marked(container, sent), conditions: { ifNoneMatch: '*' }, abortSignal: signal }
    if (!passed.ended || !(await putWhole(blob, only, how))) {
      await stage(blob, only, blocks, sent, parallel, give, refused, stop)
      // Only a body that came to its end is ever committed.
      await blob.commitBlockList(sent.ids, how)
    }
    await checkLock(container, blob, what)
    return { bytes: passed.bytes }
  } catch (error) {
    const cause = refused.signal.aborted ? refused.signal.reason : error
    const stored = passed.ended ? await isOurs(blob, sent) : false
    if (stored && !signal.aborted && !(cause instanceof StoreError)) return { bytes: passed.bytes }
    if (stored) await blob.delete({ abortSignal: AbortSignal.timeout(CLEAN_UP_MS) }).catch(() => {})
    const clean = await cleanUp(blob, sent)
    signal.throwIfAborted()
    if (passed.failure && !refused.signal.aborted) throw passed.failure.error
    throw withRemains(faultOf(cause, what, skewMs()), stored, clean, what)
  }
}

/** What is written beside the bytes: the mark of the upload, and the lock. */
function marked({ options }: Container, { ticket }: Sent) {
  const lock = options.immutable && { expiriesOn: new Date(Date.now() + ms(options.immutable)), policyMode: 'Locked' as const }
  return { metadata: { upload: ticket }, ...(lock ? { immutabilityPolicy: lock } : {}) }
}

/** A service without immutability stores the object and says nothing; a promise that is not kept must fail. */
async function checkLock({ options }: Container, blob: BlockBlobClient, what: string): Promise<void> {
  if (!options.immutable) return
  const { immutabilityPolicyExpiresOn } = await blob.getProperties()
  if (!immutabilityPolicyExpiresOn)
    throw new StoreError(
      'broken',
      `${what} could not be locked: the service took it without its immutability policy. Its container needs version-level immutability`,
    )
}

/** Puts a small object in one request. False when the name is refused as taken although no object has it: Azurite takes blocks that a dead upload left for one. */
async function putWhole(blob: BlockBlobClient, bytes: Buffer, how: BlockBlobUploadOptions & { abortSignal: AbortSignal }): Promise<boolean> {
  try {
    await blob.upload(bytes, bytes.length, how)
    return true
  } catch (error) {
    if (kindOf(error) !== 'exists' || (await find(blob, how.abortSignal))) throw error
    return false
  }
}

/** Sends blocks as they come, some at once; ends when all have arrived, or none is under way any more. */
async function stage(
  blob: BlockBlobClient,
  first: Buffer,
  following: AsyncIterable<Buffer>,
  { ticket, begunMs, ids }: Sent,
  parallel: number,
  give: (block: Buffer) => void,
  refused: AbortController,
  stop: AbortSignal,
): Promise<void> {
  const flying = new Set<Promise<unknown>>()
  const ended = new AbortController()
  const abortSignal = AbortSignal.any([stop, ended.signal])
  const send = async (block: Buffer) => {
    if (flying.size >= parallel) await Promise.race(flying)
    stop.throwIfAborted()
    const id = blockId(ticket, begunMs, ids.length)
    ids.push(id)
    const sending: Promise<unknown> = blob
      .stageBlock(id, block, block.length, { abortSignal })
      .then(
        () => give(block),
        // One that was ended because the body failed is not what went wrong.
        error => ended.signal.aborted || refused.abort(error),
      )
      .finally(() => flying.delete(sending))
    flying.add(sending)
  }
  try {
    await send(first)
    for await (const block of following) await send(block)
    await Promise.all(flying)
    stop.throwIfAborted()
  } finally {
    ended.abort()
    await Promise.all(flying)
  }
}

/** What is known of a blob, or null when there is none. */
async function find(blob: BlockBlobClient, abortSignal: AbortSignal) {
  try {
    return await blob.getProperties({ abortSignal })
  } catch (error) {
    if (kindOf(error) === 'missing') return null
    throw error
  }
}

/** A request can be done although its answer was lost, and its repetition is then refused: the mark tells. Null when nobody answers. */
async function isOurs(blob: BlockBlobClient, { ticket }: Sent): Promise<boolean | null> {
  try {
    return (await find(blob, AbortSignal.timeout(CLEAN_UP_MS)))?.metadata?.upload === ticket
  } catch {
    return null
  }
}

/** Discards the upload's blocks until the server no longer knows any: one under way can arrive late. False when remains may stand, or blocks of another upload stand among them. */
async function cleanUp(blob: BlockBlobClient, { ticket, ids }: Sent): Promise<boolean> {
  if (ids.length === 0) return true
  const abortSignal = AbortSignal.timeout(CLEAN_UP_MS)
  try {
    for (let attempt = 0; attempt < 5; attempt += 1) {
      const blocks = await blocksOf(blob, abortSignal)
      if (!blocks) return true
      if ([...blocks.tickets].some(other => other !== ticket)) return false
      await discard(blob, abortSignal)
      await delay(200)
    }
  } catch {
    // Nobody answers: they stay.
  }
  return false
}

function withRemains(error: unknown, stored: boolean | null, clean: boolean, what: string): unknown {
  if (!(error instanceof StoreError)) return error
  const notes = [
    ...(stored === null ? [`whether ${what} was stored in the end is not known`] : []),
    ...(clean ? [] : [`the unfinished upload of ${what} could not be removed and takes up room until leftovers are cleared, or for a week`]),
  ]
  return notes.length === 0 ? error : new StoreError(error.fault, [error.message, ...notes].join('; '), error)
}
