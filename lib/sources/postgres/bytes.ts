/** Thrown when bytes end before what is being read does. */
export const MORE = Symbol('more bytes are needed')

/** The longest text of a table of contents that is believed, in bytes; a damaged length would otherwise ask for gigabytes. */
const LONGEST_TEXT = 64 * 1024 * 1024

/** Reads the numbers and texts of `pg_dump -Fc` from bytes at hand; throws MORE at their end, and RangeError for what cannot be. */
export class Cursor {
  readonly #bytes: Buffer
  at: number

  constructor(bytes: Buffer, at = 0) {
    this.#bytes = bytes
    this.at = at
  }

  take(count: number): Buffer {
    if (this.at + count > this.#bytes.length) throw MORE
    this.at += count
    return this.#bytes.subarray(this.at - count, this.at)
  }

  byte(): number {
    return this.take(1)[0]!
  }

  /** A sign, then four bytes, the lowest first. */
  int(): number {
    const five = this.take(INT_BYTES)
    if (five[0]! > 1) throw new RangeError(`${five[0]} is no sign of a number`)
    return five[0] === 1 ? -five.readUInt32LE(1) : five.readUInt32LE(1)
  }

  /** A length, then so many bytes; a negative length is no text at all. */
  text(): string | undefined {
    const length = this.int()
    if (length < 0) return undefined
    if (length > LONGEST_TEXT) throw new RangeError(`${length} is no length of a text`)
    return this.take(length).toString('utf8')
  }
}

/** Bytes of a number in an archive of a 32- or 64-bit machine. */
export const INT_BYTES = 5
