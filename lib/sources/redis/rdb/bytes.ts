import { unlzf } from './lzf.ts'

/** Thrown when bytes end before what is being read does; more may come. */
export class More extends Error {}

/** A string of more bytes than this is damage: Redis's own limit (`proto-max-bulk-len`) is 512 MiB unless raised. */
const LONGEST_STRING = 1024 * 1024 * 1024

/** Marks of a length's first two bits (rdb.h): 6 bits, 14 bits, 32 or 64 bits, or an encoded string. */
const [BITS_14, BITS_32, BITS_64, ENCODED] = [1, 0x80, 0x81, 3]
/** Encoded strings: an integer of 8, 16 or 32 bits, or LZF. */
const [INT_8, INT_16, INT_32, LZF] = [0, 1, 2, 3]

/** Reads the numbers and strings of an RDB file from bytes at hand; throws More at their end, and RangeError for what cannot be. */
export class Cursor {
  readonly bytes: Buffer
  at: number

  constructor(bytes: Buffer, at = 0) {
    this.bytes = bytes
    this.at = at
  }

  take(count: number): Buffer {
    const from = this.at
    if (from + count > this.bytes.length) throw new More()
    this.at = from + count
    return this.bytes.subarray(from, from + count)
  }

  byte(): number {
    const value = this.bytes[this.at]
    if (value === undefined) throw new More()
    this.at++
    return value
  }

  /** Eight bytes, the lowest first; times in milliseconds fit a number. */
  u64(): number {
    return Number(this.take(8).readBigUInt64LE())
  }

  /** A length, or any other number that Redis writes as one. */
  length(): number {
    const first = this.byte()
    if (first >> 6 === ENCODED) throw new RangeError('an encoding stands where a length must')
    return this.#lengthAfter(first)
  }

  /** A string, whatever its encoding. */
  string(): Buffer {
    const first = this.byte()
    if (first >> 6 !== ENCODED) return this.take(believed(this.#lengthAfter(first)))
    const encoding = first & 63
    if (encoding === INT_8) return decimal(this.take(1).readInt8())
    if (encoding === INT_16) return decimal(this.take(2).readInt16LE())
    if (encoding === INT_32) return decimal(this.take(4).readInt32LE())
    if (encoding !== LZF) throw new RangeError(`${encoding} is no encoding of a string`)
    const packed = believed(this.length())
    const plain = believed(this.length())
    return unlzf(this.take(packed), plain)
  }

  #lengthAfter(first: number): number {
    if (first >> 6 === 0) return first
    if (first >> 6 === BITS_14) return ((first & 63) << 8) | this.byte()
    if (first === BITS_32) return this.take(4).readUInt32BE()
    if (first === BITS_64) return Number(this.take(8).readBigUInt64BE())
    throw new RangeError(`${first} is no length`)
  }
}

/** A number as the text that clients get for it. */
export function decimal(value: number | bigint): Buffer {
  return Buffer.from(String(value))
}

function believed(length: number): number {
  if (length > LONGEST_STRING) throw new RangeError(`${length} is no length of a string`)
  return length
}
