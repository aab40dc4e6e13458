import { Digest } from '../../digest.ts'
import type { Cursor } from './bytes.ts'
import { intset, listpack, ziplist } from './packed.ts'
import { moduleValue, streamValue } from './streams.ts'

/** A type of value that this code does not know: a newer Redis, or a module. */
export class UnknownType extends Error {
  readonly type: number
  constructor(type: number) {
    super(`type ${type}`)
    this.type = type
  }
}

/**
 * Reads one value and adds what it means to a digest: the same for every encoding of the same value, because a server that loads it
 * chooses its own (hash table or listpack, number or text, compressed or not). Type numbers are those of rdb.h.
 */
export function readValue(cursor: Cursor, type: number, digest: Digest): void {
  const read = READERS[type]
  if (!read) throw new UnknownType(type)
  read(cursor, digest)
}

type Read = (cursor: Cursor, digest: Digest) => void

/** Kinds of value as the digest names them. */
const [STRING, LIST, SET, SORTED, HASH] = [0, 1, 2, 3, 4]

const READERS: Readonly<Record<number, Read>> = {
  0: (cursor, digest) => digest.word(STRING).bytes(cursor.string()),
  1: (cursor, digest) => list(digest, strings(cursor, cursor.length())),
  2: (cursor, digest) => set(digest, strings(cursor, cursor.length())),
  3: (cursor, digest) =>
    sorted(
      digest,
      scored(cursor, () => textScore(cursor)),
    ),
  4: (cursor, digest) => pairs(digest, HASH, strings(cursor, cursor.length() * 2)),
  5: (cursor, digest) =>
    sorted(
      digest,
      scored(cursor, () => cursor.take(8).readDoubleLE()),
    ),
  7: moduleValue,
  10: (cursor, digest) => list(digest, ziplist(cursor.string())),
  11: (cursor, digest) => set(digest, intset(cursor.string())),
  12: (cursor, digest) => packedSorted(digest, ziplist(cursor.string())),
  13: (cursor, digest) => pairs(digest, HASH, ziplist(cursor.string())),
  14: (cursor, digest) => list(digest, strings(cursor, cursor.length()).flatMap(ziplist)),
  15: (cursor, digest) => streamValue(cursor, digest, 1),
  16: (cursor, digest) => pairs(digest, HASH, listpack(cursor.string())),
  17: (cursor, digest) => packedSorted(digest, listpack(cursor.string())),
  18: (cursor, digest) => list(digest, quicklist(cursor)),
  19: (cursor, digest) => streamValue(cursor, digest, 2),
  20: (cursor, digest) => set(digest, listpack(cursor.string())),
  21: (cursor, digest) => streamValue(cursor, digest, 3),
}

function strings(cursor: Cursor, count: number): Buffer[] {
  const found: Buffer[] = []
  for (let i = 0; i < count; i++) found.push(cursor.string())
  return found
}

/** Nodes of a list since Redis 7: one long element, or a listpack of short ones. */
function quicklist(cursor: Cursor): Buffer[] {
  const elements: Buffer[] = []
  for (let left = cursor.length(); left > 0; left--) {
    const container = cursor.length()
    if (container !== 1 && container !== 2) throw new RangeError(`${container} is no kind of a list's node`)
    const node = cursor.string()
    if (container === 1) elements.push(node)
    else for (const element of listpack(node)) elements.push(element)
  }
  return elements
}

type Scored = readonly (readonly [member: Buffer, score: number])[]

function scored(cursor: Cursor, score: () => number): Scored {
  const found: [Buffer, number][] = []
  for (let left = cursor.length(); left > 0; left--) found.push([cursor.string(), score()])
  return found
}

/** Scores as texts with their length in one byte; 253, 254 and 255 stand for NaN and the infinities. */
function textScore(cursor: Cursor): number {
  const length = cursor.byte()
  if (length === 253) return Number.NaN
  if (length === 254) return Number.POSITIVE_INFINITY
  if (length === 255) return Number.NEGATIVE_INFINITY
  return number(cursor.take(length))
}

function number(text: Buffer): number {
  const score = text.toString('latin1')
  if (score === 'inf') return Number.POSITIVE_INFINITY
  return score === '-inf' ? Number.NEGATIVE_INFINITY : Number(score)
}

function list(digest: Digest, elements: readonly Buffer[]): void {
  digest.word(LIST).word(elements.length)
  for (const element of elements) digest.bytes(element)
}

function set(digest: Digest, members: readonly Buffer[]): void {
  const all = new Digest()
  for (const member of members) all.bytes(member).end()
  unordered(digest, SET, all)
}

function pairs(digest: Digest, kind: number, flat: readonly Buffer[]): void {
  if (flat.length % 2 !== 0) throw new RangeError('a hash has a field without a value')
  const all = new Digest()
  for (let i = 0; i < flat.length; i += 2)
    all
      .bytes(flat[i]!)
      .bytes(flat[i + 1]!)
      .end()
  unordered(digest, kind, all)
}

function packedSorted(digest: Digest, flat: readonly Buffer[]): void {
  if (flat.length % 2 !== 0) throw new RangeError('a sorted set has a member without a score')
  const found: [Buffer, number][] = []
  for (let i = 0; i < flat.length; i += 2) found.push([flat[i]!, number(flat[i + 1]!)])
  sorted(digest, found)
}

function sorted(digest: Digest, members: Scored): void {
  const all = new Digest()
  for (const [member, score] of members) all.bytes(member).number(score).end()
  unordered(digest, SORTED, all)
}

function unordered(digest: Digest, kind: number, all: Digest): void {
  const { count, digest: sum } = all.items()
  digest.word(kind).word(count).text(sum)
}
