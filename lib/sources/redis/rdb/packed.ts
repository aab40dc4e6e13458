import { Cursor, decimal, More } from './bytes.ts'

/** The elements of a listpack (listpack.c: six bytes of header, then encoding, data and back length of each, then 0xff); throws RangeError when broken. */
export function listpack(packed: Buffer): Buffer[] {
  return whole(packed, 6, cursor => {
    const begun = cursor.at
    const first = cursor.byte()
    if (first === END) return undefined
    const element = listpackElement(cursor, first)
    const size = cursor.at - begun
    cursor.take(size < 128 ? 1 : size < 16_384 ? 2 : size < 2_097_152 ? 3 : size < 268_435_456 ? 4 : 5)
    return element
  })
}

function listpackElement(cursor: Cursor, first: number): Buffer {
  if (first < 0x80) return decimal(first)
  if (first < 0xc0) return cursor.take(first & 0x3f)
  if (first < 0xe0) return decimal(((((first & 0x1f) << 8) | cursor.byte()) << 19) >> 19)
  if (first < 0xf0) return cursor.take(((first & 0x0f) << 8) | cursor.byte())
  if (first === 0xf0) return cursor.take(cursor.take(4).readUInt32LE())
  if (first === 0xf1) return decimal(cursor.take(2).readInt16LE())
  if (first === 0xf2) return decimal(cursor.take(3).readIntLE(0, 3))
  if (first === 0xf3) return decimal(cursor.take(4).readInt32LE())
  if (first === 0xf4) return decimal(cursor.take(8).readBigInt64LE())
  throw new RangeError(`${first} is no encoding in a listpack`)
}

/** The elements of a ziplist, which servers before Redis 7 write (ziplist.c: ten bytes of header); throws RangeError when broken. */
export function ziplist(packed: Buffer): Buffer[] {
  return whole(packed, 10, cursor => {
    const before = cursor.byte()
    if (before === END) return undefined
    if (before === 254) cursor.take(4)
    return ziplistElement(cursor, cursor.byte())
  })
}

function ziplistElement(cursor: Cursor, first: number): Buffer {
  if (first >> 6 === 0) return cursor.take(first)
  if (first >> 6 === 1) return cursor.take(((first & 63) << 8) | cursor.byte())
  if (first >> 6 === 2) return cursor.take(cursor.take(4).readUInt32BE())
  if (first === 0xc0) return decimal(cursor.take(2).readInt16LE())
  if (first === 0xd0) return decimal(cursor.take(4).readInt32LE())
  if (first === 0xe0) return decimal(cursor.take(8).readBigInt64LE())
  if (first === 0xf0) return decimal(cursor.take(3).readIntLE(0, 3))
  if (first === 0xfe) return decimal(cursor.take(1).readInt8())
  if (first >= 0xf1 && first <= 0xfd) return decimal((first & 15) - 1)
  throw new RangeError(`${first} is no encoding in a ziplist`)
}

/** The numbers of an intset (intset.c: width and count as 32 bits, then the numbers); throws RangeError when broken. */
export function intset(packed: Buffer): Buffer[] {
  const width = packed.length < 8 ? 0 : packed.readUInt32LE(0)
  const count = width === 0 ? 0 : packed.readUInt32LE(4)
  if (![2, 4, 8].includes(width) || packed.length !== 8 + width * count) throw new RangeError('a set of numbers is broken')
  return Array.from({ length: count }, (_, i) => {
    const at = 8 + i * width
    return decimal(width === 8 ? packed.readBigInt64LE(at) : packed.readIntLE(at, width))
  })
}

const END = 0xff

function whole(packed: Buffer, header: number, next: (cursor: Cursor) => Buffer | undefined): Buffer[] {
  const cursor = new Cursor(packed, header)
  const elements: Buffer[] = []
  try {
    for (let element = next(cursor); element !== undefined; element = next(cursor)) elements.push(element)
  } catch (error) {
    // All of it is at hand: what is missing never comes.
    if (error instanceof More) throw new RangeError('a packed value is cut off')
    throw error
  }
  if (cursor.at !== packed.length) throw new RangeError('a packed value goes on after its end')
  return elements
}
