import { createHash, type Hash } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { count } from '../plan/durations.ts'
import { Trouble } from '../plan/outcome.ts'
import { decompressed, FramePacker } from './frame.ts'
import { covering, type FrameIndex, plainLength, storedBytes } from './frame-index.ts'
import { inOrder } from './in-order.ts'

/** Plain bytes of a frame: 1 MiB was the fastest tried, and the memory of a run is a small multiple of it. */
export const FRAME_BYTES = 2 ** 20

/** Frames under way at once: one for each core that Node's pool (four threads) can use, and one that is being taken out. */
const PARALLEL = Math.min(4, availableParallelism()) + 1

/** zstd's own default; higher levels cost more time than they save room. */
const LEVEL = 3

/** What went through: bytes and SHA-256 (hex) before compression and after. */
export type Receipt = { readonly plainBytes: number; readonly plainSha256: string; readonly storedBytes: number; readonly storedSha256: string }

/** Bytes being compressed; `done` may be called once `stored` has been read to its end. */
export type Compression = { readonly stored: AsyncIterable<Buffer>; done(): Receipt & { readonly index: FrameIndex } }

/** Bytes being decompressed; `done` may be called once `plain` has been read to its end. */
export type Decompression = { readonly plain: AsyncIterable<Buffer>; done(): Receipt }

/** How to compress: zstd's level, frames at once, plain bytes of a frame. */
export type CompressOptions = { readonly level?: number; readonly parallel?: number; readonly frameBytes?: number }

/** How to decompress: frames at once, and the name under which an error speaks of the object. */
export type DecompressOptions = { readonly parallel?: number; readonly name?: string }

/** Compresses bytes into independent zstd frames with checksums, which together are what `zstd -d` reads. Memory: about 3 frames for each at once. */
export function compress(
  bytes: AsyncIterable<Buffer>,
  { level = LEVEL, parallel = PARALLEL, frameBytes = FRAME_BYTES }: CompressOptions = {},
): Compression {
  const plain = new Meter()
  const out = new Meter()
  const lengths: number[] = []
  let ended = false
  async function* stored(): AsyncGenerator<Buffer, undefined, undefined> {
    const idle: FramePacker[] = []
    let over = false
    const spare: Buffer[] = []
    const pack = async (frame: Buffer) => {
      const packer = idle.pop() ?? new FramePacker(level, frameBytes)
      const packed = await packer.pack(frame)
      if (over) packer.close()
      else idle.push(packer)
      // A frame's memory is used again for a later one; the last, shorter one has no later one.
      if (frame.length === frameBytes) spare.push(frame)
      return packed
    }
    try {
      for await (const frame of inOrder(cutIntoFrames(bytes, frameBytes, plain, spare), pack, parallel)) {
        out.add(frame)
        lengths.push(frame.length)
        yield frame
      }
    } finally {
      over = true
      for (const packer of idle) packer.close()
    }
    ended = true
  }
  return {
    stored: stored(),
    done() {
      if (!ended) throw new Error('the compressed stream was not read to its end')
      return { ...receipt(plain, out), index: { format: 1, frameBytes, plainBytes: plain.bytes, stored: lengths } }
    },
  }
}

/** Decompresses a whole object by its index; the stream throws Trouble(7), naming the byte, when the object is cut, too long, or damaged. */
export function decompress(stored: AsyncIterable<Buffer>, index: FrameIndex, options: DecompressOptions = {}): Decompression {
  const plain = new Meter()
  const taken = new Meter()
  let ended = false
  async function* whole(): AsyncGenerator<Buffer, undefined, undefined> {
    for await (const frame of plainFrames(stored, index, { first: 0, frames: index.stored.length, start: 0 }, taken, options)) {
      plain.add(frame)
      yield frame
    }
    ended = true
  }
  return {
    plain: whole(),
    done() {
      if (!ended) throw new Error('the decompressed stream was not read to its end')
      return receipt(plain, taken)
    },
  }
}

/** The plain bytes from `from` (inclusive) to `to` (exclusive), reading only the frames that hold them: `open` gives that range of the object. */
export async function* decompressRange(
  open: (range: { readonly start: number; readonly end: number }) => AsyncIterable<Buffer>,
  index: FrameIndex,
  from: number,
  to: number,
  options: DecompressOptions = {},
): AsyncGenerator<Buffer, undefined, undefined> {
  if (from === to) return
  const cover = covering(index, from, to)
  let skip = cover.skip
  let left = to - from
  for await (const frame of plainFrames(open({ start: cover.start, end: cover.end }), index, cover, undefined, options)) {
    const wanted = frame.subarray(skip, skip + left)
    skip = 0
    left -= wanted.length
    yield wanted
  }
}

/** Counts and hashes bytes on their way. */
class Meter {
  bytes = 0
  readonly hash: Hash = createHash('sha256')

  add(chunk: Buffer): void {
    this.bytes += chunk.length
    this.hash.update(chunk)
  }
}

function receipt(plain: Meter, stored: Meter): Receipt {
  // A copy is digested, so that it may be asked for again.
  const sha256 = (meter: Meter) => meter.hash.copy().digest('hex')
  return { plainBytes: plain.bytes, plainSha256: sha256(plain), storedBytes: stored.bytes, storedSha256: sha256(stored) }
}

async function* cutIntoFrames(
  bytes: AsyncIterable<Buffer>,
  frameBytes: number,
  meter: Meter,
  spare: Buffer[],
): AsyncGenerator<Buffer, undefined, undefined> {
  let frame: Buffer = Buffer.allocUnsafeSlow(frameBytes)
  let filled = 0
  for await (const chunk of bytes) {
    meter.add(chunk)
    for (let at = 0; at < chunk.length; ) {
      const copied = chunk.copy(frame, filled, at)
      at += copied
      filled += copied
      if (filled < frameBytes) continue
      yield frame
      frame = spare.pop() ?? Buffer.allocUnsafeSlow(frameBytes)
      filled = 0
    }
  }
  if (filled > 0 || meter.bytes === 0) yield frame.subarray(0, filled)
}

type Frame = { readonly bytes: Buffer; readonly number: number; readonly offset: number }

async function* plainFrames(
  stored: AsyncIterable<Buffer>,
  index: FrameIndex,
  range: { readonly first: number; readonly frames: number; readonly start: number },
  meter: Meter | undefined,
  { parallel = PARALLEL, name }: DecompressOptions,
): AsyncGenerator<Buffer, undefined, undefined> {
  const trouble = (offset: number, why: string, cause?: unknown) =>
    new Trouble(7, `${name ? `${name}, ` : ''}byte ${count(offset)}: ${why}`, { cause })
  async function* frames(): AsyncGenerator<Frame, undefined, undefined> {
    const last = range.first + range.frames
    let number = range.first
    let offset = range.start
    let bytes = Buffer.allocUnsafeSlow(index.stored[number]!)
    let filled = 0
    for await (const chunk of stored) {
      meter?.add(chunk)
      for (let at = 0; at < chunk.length; ) {
        if (number === last) throw trouble(offset, 'the object goes on where it should end')
        const copied = chunk.copy(bytes, filled, at)
        at += copied
        filled += copied
        if (filled < bytes.length) continue
        yield { bytes, number, offset }
        offset += bytes.length
        number += 1
        bytes = Buffer.allocUnsafeSlow(number < last ? index.stored[number]! : 0)
        filled = 0
      }
    }
    if (number < last) throw trouble(offset + filled, `the object ends here, of ${count(storedBytes(index))} bytes`)
  }
  const unpack = ({ bytes, number, offset }: Frame) =>
    decompressed(bytes, plainLength(index, number)).catch(cause => {
      throw trouble(offset, `frame ${count(number)} is damaged (${cause instanceof Error ? cause.message : cause})`, cause)
    })
  yield* inOrder(frames(), unpack, parallel)
}
