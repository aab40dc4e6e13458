import { constants, createZstdCompress, type InputType, type ZstdCompress, type ZstdOptions, zstdDecompress } from 'node:zlib'
import { count } from '../plan/durations.ts'
import { longestStored } from './frame-index.ts'

/** Makes one frame after another, keeping zstd's working memory between them, which new contexts for each would leave in pieces. */
export class FramePacker {
  readonly #zstd: ZstdCompress

  constructor(level: number, frameBytes: number) {
    const options: ZstdOptions & { highWaterMark: number } = {
      params: { [constants.ZSTD_c_compressionLevel]: level, [constants.ZSTD_c_checksumFlag]: 1 },
      // Every write is a whole frame, which is what lets its header say how long it is.
      flush: constants.ZSTD_e_end,
      // Room for a whole result, so that a frame is one trip to Node's thread pool.
      chunkSize: Math.max(frameBytes, 1_024),
      // What is written comes out whole before it is read.
      highWaterMark: 2 * longestStored(frameBytes),
    }
    this.#zstd = createZstdCompress(options)
    // A failed write tells its caller.
    this.#zstd.on('error', () => {})
  }

  /** One frame of these bytes; the one before must have been finished. */
  pack(plain: Buffer): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#zstd.write(plain, cause => (cause ? reject(cause) : resolve(this.#zstd.read() ?? Buffer.alloc(0))))
    })
  }

  close(): void {
    this.#zstd.destroy()
  }
}

/** Largest window (log2) that a frame may ask for, so that a damaged header cannot ask for more: the largest frame of an index is 64 MiB. */
const WINDOW = { [constants.ZSTD_d_windowLogMax]: 26 }

/** What Node's zlib gives when asked for `info`; its types do not know of it. */
type WithInfo = { readonly buffer: Buffer; readonly engine: { readonly bytesWritten: number } }
type Unzstd = (frame: InputType, options: object, done: (cause: Error | null, result: WithInfo) => void) => void

/** The plain bytes of exactly one frame; rejects when it holds more or fewer than expected, or anything follows it. */
export async function decompressed(frame: Buffer, length: number): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<WithInfo>()
  // One byte of room more than expected: enough to notice too many, and never more than that.
  const options = { params: WINDOW, chunkSize: Math.max(length + 1, 1_024), maxOutputLength: length + 1, info: true }
  ;(zstdDecompress as unknown as Unzstd)(frame, options, (cause, result) => (cause ? reject(cause) : resolve(result)))
  const { buffer, engine } = await promise
  if (buffer.length !== length)
    throw new Error(`it holds ${buffer.length > length ? 'more than' : 'only'} ${count(Math.min(buffer.length, length))} bytes of ${count(length)}`)
  if (engine.bytesWritten !== frame.length) throw new Error('something follows it')
  return buffer
}
