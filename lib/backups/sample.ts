import { createHash } from 'node:crypto'
import { count, plural } from '../plan/durations.ts'
import { Trouble } from '../plan/outcome.ts'
import type { Doing } from '../plan/plan.ts'
import { pooled } from '../plan/pool.ts'
import type { Secret } from '../plan/secrets.ts'
import type { Store } from '../stores/store.ts'
import { ageRanges } from './age-range.ts'
import { decompressed } from './frame.ts'
import { type FrameIndex, plainLength, storedBytes } from './frame-index.ts'
import { frameIndex, isEncrypted, type Stored } from './transfer.ts'

/** How much of each part is read, in percent of its frames, and the text that the choice is made from: the same seed chooses the same frames. */
export type Sampling = { readonly percent: number; readonly seed: string }

/** What a sample of a part came to; `bytes` are those of its frames. */
export type Sampled = { readonly finding: string | null; readonly frames: number; readonly of: number; readonly bytes: number }

/** Frames of a part that are read however few percent of them that is. */
const LEAST_FRAMES = 8

/** Frames fetched at once: a store far away answers in tens of milliseconds, and each frame is a request. */
const READERS = 8

/** Damaged frames that are named one by one; the others are counted. */
const NAMED = 5

/** The frames to read, in order: always the first and the last, the others by chance (Floyd's choice without repetition). Pure. */
export function chosenFrames(frames: number, { percent, seed }: Sampling, part: string): number[] {
  const wanted = Math.min(frames, Math.max(LEAST_FRAMES, Math.ceil((frames * percent) / 100)))
  const chosen = new Set([0, frames - 1])
  // The middle is chosen among the frames that are neither first nor last.
  const [middle, among] = [wanted - chosen.size, frames - chosen.size]
  for (let i = among - middle; i < among; i++) {
    const drawn = 1 + draw(`${seed}\n${part}\n${i}`, i + 1)
    chosen.add(chosen.has(drawn) ? i + 1 : drawn)
  }
  return [...chosen].sort((a, b) => a - b)
}

/** A number below `limit` from a text; 48 bits, so that no number is noticeably more likely. */
function draw(text: string, limit: number): number {
  return createHash('sha256').update(text).digest().readUIntBE(0, 6) % limit
}

/**
 * Reads a sample of a stored part's frames by range, and checks each: its length, the checksum that zstd wrote into it and, where the
 * part is encrypted, age's own. The index must have the recorded SHA-256. Trouble(3) for an encrypted part without an identity.
 */
export async function sampled(
  store: Store,
  folder: string,
  part: Stored,
  { sampling, identities, name }: { sampling: Sampling; identities: readonly Secret[]; name: string },
  doing: Doing,
): Promise<Sampled> {
  const index = await frameIndex(store, folder, part, doing)
  const frames = chosenFrames(index.stored.length, sampling, name)
  const path = `${folder}/${part.object}`
  const bytes = (await store.head(path))?.bytes
  const wrong = wrongLength(index, part, bytes)
  if (wrong) return { finding: wrong, frames: 0, of: index.stored.length, bytes: 0 }
  const plain = (range: Range) => store.get(path, doing, range)
  const open = isEncrypted(part) ? await ageRanges(plain, part.stored.bytes, identities, part.object) : plain
  const findings = await badFrames(open, index, frames, part.object, doing)
  const more = findings.length > NAMED ? [`${plural(findings.length - NAMED, 'more damaged frame')}`] : []
  return {
    finding: findings.length === 0 ? null : [...findings.slice(0, NAMED), ...more].join('; '),
    frames: frames.length,
    of: index.stored.length,
    bytes: frames.reduce((sum, frame) => sum + index.stored[frame]!, 0),
  }
}

type Range = { readonly start: number; readonly end: number }

function wrongLength(index: FrameIndex, part: Stored, found: number | undefined): string | null {
  if (storedBytes(index) !== part.packed.bytes)
    return `${part.frames} counts ${count(storedBytes(index))} bytes where the manifest has ${count(part.packed.bytes)}`
  if (found === undefined) return `${part.object} is missing`
  return found === part.stored.bytes ? null : `${part.object} has ${count(found)} of ${count(part.stored.bytes)} bytes`
}

async function badFrames(
  open: (range: Range) => AsyncIterable<Buffer>,
  index: FrameIndex,
  frames: readonly number[],
  object: string,
  doing: Doing,
): Promise<string[]> {
  const starts = offsetsOf(index, frames)
  let done = 0
  const found = await pooled(frames, READERS, async frame => {
    doing.signal.throwIfAborted()
    const start = starts.get(frame)!
    const finding = await badFrame(open({ start, end: start + index.stored[frame]! }), index, frame).catch(error => {
      if (error instanceof Trouble && error.exit === 7) return error.message
      throw error
    })
    done += 1
    doing.progress({ done, total: frames.length, unit: 'items' })
    return finding === null ? [] : [`${object}, byte ${count(start)}: frame ${count(frame)} is damaged (${finding})`]
  })
  return found.flat()
}

/** Where each frame begins, in one pass: an index may list millions. */
function offsetsOf(index: FrameIndex, frames: readonly number[]): Map<number, number> {
  const wanted = new Set(frames)
  const starts = new Map<number, number>()
  let at = 0
  for (const [frame, length] of index.stored.entries()) {
    if (wanted.has(frame)) starts.set(frame, at)
    at += length
  }
  return starts
}

async function badFrame(stored: AsyncIterable<Buffer>, index: FrameIndex, frame: number): Promise<string | null> {
  const chunks: Buffer[] = []
  // Chunks may be lent, so each is copied.
  for await (const chunk of stored) chunks.push(Buffer.from(chunk))
  const bytes = Buffer.concat(chunks)
  if (bytes.length !== index.stored[frame]) return `${count(bytes.length)} of ${count(index.stored[frame]!)} bytes came`
  return decompressed(bytes, plainLength(index, frame)).then(
    () => null,
    cause => (cause instanceof Error ? cause.message : String(cause)),
  )
}
