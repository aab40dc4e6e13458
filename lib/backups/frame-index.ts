import { count, plural } from '../plan/durations.ts'
import { Trouble } from '../plan/outcome.ts'

/** Where the frames of a compressed object lie: each holds `frameBytes` plain bytes but the last, and `stored` lists their lengths in the object. */
export type FrameIndex = { readonly format: 1; readonly frameBytes: number; readonly plainBytes: number; readonly stored: readonly number[] }

/** The frames that hold a range of plain bytes, and the bytes of the object in which they lie; `skip` plain bytes of the first come before the range. */
export type Cover = { readonly first: number; readonly frames: number; readonly start: number; readonly end: number; readonly skip: number }

const FORMAT = 1
/** Bounds on what is believed of an index, so that a wrong one cannot ask for all memory. */
const SMALLEST_FRAME = 1_024
const LARGEST_FRAME = 64 * 2 ** 20

/** Frames of an object with this many plain bytes; an empty one has one empty frame, so that `zstd -d` takes it. */
export function frameCount(plainBytes: number, frameBytes: number): number {
  return Math.max(1, Math.ceil(plainBytes / frameBytes))
}

/** Plain bytes of one frame. */
export function plainLength(index: FrameIndex, frame: number): number {
  return Math.min(index.frameBytes, index.plainBytes - frame * index.frameBytes)
}

/** Bytes of the whole object. */
export function storedBytes(index: FrameIndex): number {
  return index.stored.reduce((sum, length) => sum + length, 0)
}

/** The index as the text of an object. */
export function printIndex(index: FrameIndex): string {
  const { format, frameBytes, plainBytes, stored } = index
  return `${JSON.stringify({ format, frameBytes, plainBytes, stored })}\n`
}

/** Reads an index; throws Trouble(7) when it is not one, contradicts itself, or has a newer format. */
export function parseIndex(text: string): FrameIndex {
  const found = json(text)
  if (typeof found !== 'object' || found === null || Array.isArray(found)) throw broken('it is not a JSON object')
  const { format, frameBytes, plainBytes, stored } = found as Record<string, unknown>
  if (Number.isSafeInteger(format) && Number(format) > FORMAT) {
    throw new Trouble(7, `the frame index has format ${format}, and this toolkit reads up to ${FORMAT}`, {
      next: ['use the toolkit that wrote this backup, or a newer one'],
    })
  }
  if (format !== FORMAT) throw broken('its format is not a number that any toolkit wrote')
  if (!isCount(frameBytes, SMALLEST_FRAME, LARGEST_FRAME))
    throw broken(`frameBytes is not between ${count(SMALLEST_FRAME)} and ${count(LARGEST_FRAME)}`)
  if (!isCount(plainBytes, 0, Number.MAX_SAFE_INTEGER)) throw broken('plainBytes is not a number of bytes')
  if (!Array.isArray(stored)) throw broken('stored is not a list')
  const frames = frameCount(plainBytes, frameBytes)
  if (stored.length !== frames) throw broken(`it lists ${plural(stored.length, 'frame')} where its sizes need ${count(frames)}`)
  const longest = longestStored(frameBytes)
  const wrong = stored.findIndex(length => !isCount(length, 1, longest))
  if (wrong >= 0) throw broken(`frame ${count(wrong)} cannot have that stored length`)
  return { format, frameBytes, plainBytes, stored }
}

/** The frames that hold the plain bytes from `from` (inclusive) to `to` (exclusive); throws RangeError outside the object. */
export function covering(index: FrameIndex, from: number, to: number): Cover {
  if (!(from >= 0 && from <= to && to <= index.plainBytes)) throw new RangeError(`bytes ${from} to ${to} of ${index.plainBytes}`)
  const first = Math.min(Math.floor(from / index.frameBytes), index.stored.length - 1)
  const frames = Math.max(1, Math.ceil(to / index.frameBytes) - first)
  const start = index.stored.slice(0, first).reduce((sum, length) => sum + length, 0)
  const end = index.stored.slice(first, first + frames).reduce((sum, length) => sum + length, start)
  return { first, frames, start, end, skip: from - first * index.frameBytes }
}

/** Bytes that zstd may need for a frame that does not compress: ZSTD_compressBound of zstd.h, and room for the checksum. */
export function longestStored(frameBytes: number): number {
  return frameBytes + (frameBytes >> 8) + 128
}

function isCount(value: unknown, least: number, most: number): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= least && value <= most
}

function json(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw broken('it is not JSON', cause)
  }
}

function broken(why: string, cause?: unknown): Trouble {
  return new Trouble(7, `the frame index is broken: ${why}`, { cause })
}
