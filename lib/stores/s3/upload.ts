import { randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import type { S3Client } from '@aws-sdk/client-s3'
import { type Passed, unlessAborted, watched } from '../bodies.ts'
import { StoreError } from '../store.ts'
import type { Bucket, Connection } from './client.ts'
import { faultOf, kindOf } from './faults.ts'
import { retention } from './lock.ts'

const MIB = 1024 * 1024
/** Limits of S3 for a multipart upload. */
const MOST_PARTS = 10_000
/** Bytes held for parts that are under way, unless a single part is larger; what the garbage collector has not taken yet comes on top, about twice as much. */
const IN_FLIGHT = 32 * MIB
/** Longest time that each request of the clean-up after a failed upload may take. */
const CLEAN_UP_MS = 5_000
/** A body that is expected to be this small is sent without asking first whether its name is free. */
const SMALL = MIB
/** Metadata by which an upload knows its own object again when the answer was lost. */
const TICKET = 'upload'

/** Part size and number of parts under way for an expected size in bytes: twice of it must fit into 10,000 parts. */
export function partsFor(about: number, wanted?: number): { readonly partSize: number; readonly queueSize: number; readonly limitBytes: number } {
  const needed = Math.ceil((about * 2) / MOST_PARTS / MIB) * MIB
  const partSize = wanted ?? Math.max(16 * MIB, needed)
  return { partSize, queueSize: Math.min(4, Math.max(1, Math.floor(IN_FLIGHT / partSize))), limitBytes: partSize * MOST_PARTS }
}

/** Streams a body into an object that appears whole or not at all, and never over another. */
export async function upload(
  bucket: Bucket,
  path: string,
  body: AsyncIterable<Buffer>,
  signal: AbortSignal,
  about?: number,
): Promise<{ readonly bytes: number }> {
  signal.throwIfAborted()
  const connection = await bucket.connect()
  const { Upload } = await import('@aws-sdk/lib-storage')
  const target = { Bucket: bucket.name, Key: bucket.key(path) }
  const what = `${path} in ${bucket.where}`
  const { partSize, queueSize, limitBytes } = partsFor(about ?? 0, bucket.options.partSizeBytes)
  const passed: Passed = { bytes: 0, ended: false, failure: null }
  const sent: Sent = { uploadId: undefined, ticket: randomUUID() }
  try {
    // Hours of a dump would be lost on a name that is taken.
    if ((about === undefined || about > SMALL) && (await find(connection, target, signal))) throw taken(what)
    const sending = new Upload({
      client: stoppable(connection, signal, sent),
      params: {
        ...target,
        Body: Readable.from(watched(body, signal, passed, limitBytes)),
        IfNoneMatch: '*',
        Metadata: { [TICKET]: sent.ticket },
        ...retention(bucket.options, connection.skewMs()),
      },
      partSize,
      queueSize,
      // Its own clean-up hides the first error behind one of the clean-up, and is not finished when done() rejects.
      leavePartsOnError: true,
    })
    await sending.done()
    return { bytes: passed.bytes }
  } catch (error) {
    const stored = passed.ended ? await isOurs(connection, target, sent) : false
    if (stored && !signal.aborted) return { bytes: passed.bytes }
    if (stored) await connection.client.send(new connection.sdk.DeleteObjectCommand(target)).catch(() => {})
    const clean = await cleanUp(connection, target, sent)
    signal.throwIfAborted()
    if (passed.failure) throw passed.failure.error
    throw withRemains(faultOf(error, what), stored, clean, what)
  }
}

type Target = { readonly Bucket: string; readonly Key: string }
/** What names an upload: the server's id of a multipart upload, and our own mark on the object. */
type Sent = { uploadId: string | undefined; readonly ticket: string }

const taken = (what: string) => new StoreError('exists', `${what} is there already; nothing is overwritten`)

/** What is known of an object, or null when there is none. */
async function find({ sdk, client }: Connection, target: Target, abortSignal: AbortSignal) {
  try {
    return await client.send(new sdk.HeadObjectCommand(target), { abortSignal })
  } catch (error) {
    if (kindOf(error) === 'missing') return null
    throw error
  }
}

/** A request can be done although its answer was lost, and its repetition is then refused: the ticket tells. Null when nobody answers. */
async function isOurs(connection: Connection, target: Target, sent: Sent): Promise<boolean | null> {
  try {
    return (await find(connection, target, AbortSignal.timeout(CLEAN_UP_MS)))?.Metadata?.[TICKET] === sent.ticket
  } catch {
    return null
  }
}

/** The client as lib-storage uses it: it passes no signal on by itself, and does not tell the upload's id. Beginning a multipart upload is never cut off, or its id would be lost. */
function stoppable({ client, sdk }: Connection, signal: AbortSignal, sent: Sent): S3Client {
  const send = async (command: Parameters<S3Client['send']>[0]) => {
    if (command instanceof sdk.CreateMultipartUploadCommand) {
      const begun = await client.send(command)
      sent.uploadId = begun.UploadId
      return begun
    }
    // The SDK's pauses between tries heed no signal.
    return unlessAborted(signal, client.send(command, { abortSignal: signal }))
  }
  return Object.create(client, { send: { value: send } })
}

/** Aborts a multipart upload until the server no longer knows it: a part under way can outlive the first call. False when remains may stand. */
async function cleanUp({ client, sdk }: Connection, target: Target, { uploadId }: Sent): Promise<boolean> {
  if (uploadId === undefined) return true
  const abortSignal = AbortSignal.timeout(CLEAN_UP_MS)
  const upload = { ...target, UploadId: uploadId }
  for (let attempt = 0; attempt < 5; attempt += 1) {
    try {
      await client.send(new sdk.AbortMultipartUploadCommand(upload), { abortSignal })
      await client.send(new sdk.ListPartsCommand(upload), { abortSignal })
    } catch (error) {
      return kindOf(error) === 'missing'
    }
    await delay(200)
  }
  return false
}

function withRemains(error: unknown, stored: boolean | null, clean: boolean, what: string): unknown {
  if (!(error instanceof StoreError)) return error
  const notes = [
    ...(stored === null ? [`whether ${what} was stored in the end is not known`] : []),
    ...(clean ? [] : [`the unfinished upload of ${what} could not be removed and takes up room until leftovers are cleared`]),
  ]
  return notes.length === 0 ? error : new StoreError(error.fault, [error.message, ...notes].join('; '), error)
}
