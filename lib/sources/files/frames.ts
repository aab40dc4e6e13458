import { Trouble } from '../../plan/outcome.ts'

const BLOCK = 512

/** Follows the blocks of a tar as its bytes pass, because a tar that was cut between two entries unpacks without complaint: only its two last blocks of zeros tell. */
export class Frames {
  readonly #header = Buffer.alloc(BLOCK)
  #filled = 0
  #skip = 0
  #zeroBlocks = 0

  see(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, chunk.length - at)
        this.#skip -= skipped
        at += skipped
        continue
      }
      const copied = chunk.copy(this.#header, this.#filled, at, at + BLOCK - this.#filled)
      this.#filled += copied
      at += copied
      if (this.#filled === BLOCK) this.#block()
    }
  }

  /** Throws Trouble(7) when the bytes ended before the archive did. */
  end(): void {
    if (this.#zeroBlocks < 2 || this.#filled > 0 || this.#skip > 0) throw new Trouble(7, 'The archive is cut off: its end is missing')
  }

  #block(): void {
    this.#filled = 0
    if (this.#header.every(byte => byte === 0)) {
      this.#zeroBlocks += 1
      return
    }
    if (this.#zeroBlocks > 0) throw new Trouble(7, 'The archive is damaged: something follows its end')
    const size = this.#header[156] === 0x35 ? 0 : sizeOf(this.#header.subarray(124, 136))
    this.#skip = Math.ceil(size / BLOCK) * BLOCK
  }
}

/** The size field of a header: octal digits, or from 8 GiB on binary with the top bit set. */
function sizeOf(field: Buffer): number {
  if ((field[0]! & 0x80) !== 0) return Number(field.readBigUInt64BE(4))
  const size = Number.parseInt(field.toString('latin1').replace(/[\0 ].*$/s, '') || '0', 8)
  if (Number.isNaN(size)) throw new Trouble(7, 'The archive is damaged: an entry has no size')
  return size
}
