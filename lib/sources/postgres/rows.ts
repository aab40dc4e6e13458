import { createHash, type Hash } from 'node:crypto'
import { Digest } from '../digest.ts'
import type { Items } from '../source.ts'

/** Rows up to this many bytes are held whole; of a longer one only its running hash is kept. */
const HELD = 65_536
const NEWLINE = 10
/** How COPY ends its rows; no row can be this, as a backslash is doubled. */
const END = Buffer.from('\\.')

/** Counts and digests the rows of one table as they come in COPY's text format, in pieces of any size. */
export class Rows {
  readonly #digest = new Digest()
  #held: Buffer[] = []
  #heldBytes = 0
  #long: Hash | undefined
  #over = false

  push(bytes: Buffer): void {
    let at = 0
    for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, at)) {
      this.#row(bytes.subarray(at, end))
      at = end + 1
    }
    if (at < bytes.length) this.#hold(bytes.subarray(at))
  }

  /** All rows; undefined when COPY's own end is missing. */
  items(): Items | undefined {
    return this.#over && this.#heldBytes === 0 ? this.#digest.items() : undefined
  }

  #row(last: Buffer): void {
    if (this.#over) {
      // Empty lines follow the end; anything else is not COPY's.
      if (last.length + this.#heldBytes > 0) this.#over = false
      return
    }
    if (this.#heldBytes + last.length > HELD) {
      this.#hold(last)
      this.#digest.bytes(this.#long!.digest()).end()
    } else {
      const row = this.#heldBytes > 0 ? Buffer.concat([...this.#held, last]) : last
      if (row.equals(END)) this.#over = true
      else this.#digest.bytes(row).end()
    }
    this.#held = []
    this.#heldBytes = 0
    this.#long = undefined
  }

  #hold(bytes: Buffer): void {
    this.#heldBytes += bytes.length
    if (this.#heldBytes <= HELD) {
      // A copy, as the chunk that it is a piece of may be many times larger.
      this.#held.push(Buffer.from(bytes))
      return
    }
    this.#long ??= createHash('sha256')
    for (const piece of this.#held) this.#long.update(piece)
    this.#held = []
    this.#long.update(bytes)
  }
}
