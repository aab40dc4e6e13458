import type { Digest } from '../../digest.ts'
import type { Cursor } from './bytes.ts'

/** Kinds of value as the digest names them. */
const [STREAM, MODULE] = [5, 6]

/**
 * Reads a stream; `format` is 1, 2 or 3 (Redis 5, 7.0, 7.2). Its entries stand in packed nodes that every server keeps as they are.
 * What only newer formats have (first id, entries read, when a consumer was last active) is read and does not count.
 */
export function streamValue(cursor: Cursor, digest: Digest, format: 1 | 2 | 3): void {
  digest.word(STREAM)
  for (let left = cursor.length(); left > 0; left--) digest.bytes(cursor.string()).bytes(cursor.string())
  // Number of entries, and the last id in two halves.
  for (let left = 3; left > 0; left--) digest.number(cursor.length())
  // First id, highest removed id, entries ever added.
  if (format >= 2) for (let left = 5; left > 0; left--) cursor.length()
  for (let groups = cursor.length(); groups > 0; groups--) {
    digest.bytes(cursor.string()).number(cursor.length()).number(cursor.length())
    if (format >= 2) cursor.length()
    for (let pending = cursor.length(); pending > 0; pending--) digest.bytes(cursor.take(16)).number(cursor.u64()).number(cursor.length())
    for (let consumers = cursor.length(); consumers > 0; consumers--) consumer(cursor, digest, format)
  }
}

function consumer(cursor: Cursor, digest: Digest, format: 1 | 2 | 3): void {
  digest.bytes(cursor.string())
  cursor.take(format === 3 ? 16 : 8)
  for (let pending = cursor.length(); pending > 0; pending--) digest.bytes(cursor.take(16))
}

/** Reads a module's value or settings by the marks that Redis puts around each piece; what the pieces mean only the module knows. */
export function moduleValue(cursor: Cursor, digest: Digest): void {
  digest.word(MODULE).bytes(cursor.take(moduleIdBytes(cursor)))
  for (let mark = cursor.length(); mark !== 0; mark = cursor.length()) {
    digest.word(mark)
    if (mark === 1 || mark === 2) digest.number(cursor.length())
    else if (mark === 3) digest.bytes(cursor.take(4))
    else if (mark === 4) digest.bytes(cursor.take(8))
    else if (mark === 5) digest.bytes(cursor.string())
    else throw new RangeError(`${mark} is no mark of a module's value`)
  }
}

/** A module's id is a number of 64 bits, of which a JavaScript number would lose some; its bytes are taken as they stand. */
function moduleIdBytes(cursor: Cursor): number {
  const begun = cursor.at
  cursor.length()
  const bytes = cursor.at - begun
  cursor.at = begun
  return bytes
}
