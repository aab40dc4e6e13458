import { Trouble } from '../../../plan/outcome.ts'
import { Digest } from '../../digest.ts'
import { Cursor, More } from './bytes.ts'
import { Crc64 } from './crc64.ts'
import { moduleValue } from './streams.ts'
import { readValue, UnknownType } from './values.ts'

/** A key as a dump holds it. */
export type KeyRecord = {
  readonly kind: 'key'
  /** The whole record, as it stands. */
  readonly raw: Buffer
  readonly db: number
  readonly key: Buffer
  readonly type: number
  /** The value, serialized as in the file. */
  readonly value: Buffer
  /** When it expires, in milliseconds since 1970; null for never. */
  readonly expiresMs: number | null
  /** Of the key, its meaning and its expiry. */
  readonly digest: string
}

/** One piece of a dump; `db` is the database that it belongs to, or -1 for the whole server. */
export type Piece =
  | KeyRecord
  | { readonly kind: 'about'; readonly raw: Buffer; readonly db: -1; readonly name: string; readonly value: string }
  | { readonly kind: 'functions' | 'other'; readonly raw: Buffer; readonly db: number }

/** Marks of rdb.h. */
const MARK = {
  slotInfo: 0xf4,
  functions: 0xf5,
  moduleAux: 0xf7,
  idle: 0xf8,
  frequency: 0xf9,
  about: 0xfa,
  resize: 0xfb,
  expiresMs: 0xfc,
  expiresS: 0xfd,
  select: 0xfe,
  end: 0xff,
} as const

const HEADER_BYTES = 9
/** What redis-cli leaves on stdout behind a dump that the server streamed without a file: its random end mark. */
const END_MARK = /^[0-9a-f]{40}$/

/**
 * Reads an RDB dump of any chunking into its pieces, checks its structure and its CRC-64, and holds one piece at most.
 * `push` and `end` throw Trouble(7) for a broken dump, Trouble(3) for a value that this code does not know.
 */
export class RdbReader {
  #pending: Buffer[] = []
  #pendingBytes = 0
  #tryAt = 1
  #offset = 0
  #db = -1
  #version: number | undefined
  #crc = new Crc64()
  #over = false
  #expires: number | null = null
  #begun = 0

  /** The format's version, which a server must know to take values out of this dump. */
  get version(): number {
    if (this.#version === undefined) throw new Error('the version is known only after the first bytes')
    return this.#version
  }

  push(chunk: Buffer): Piece[] {
    this.#pending.push(chunk)
    this.#pendingBytes += chunk.length
    if (this.#pendingBytes < this.#tryAt) return []
    const pieces = this.#read()
    // Doubling keeps the cost of reading a long value again in proportion to its size.
    this.#tryAt = this.#pendingBytes * 2
    return pieces
  }

  /** The last pieces, when no more bytes will come. */
  end(): Piece[] {
    const pieces = this.#read()
    if (!this.#over) this.#broken(this.#offset + this.#pendingBytes === 0 ? 'it is empty' : 'it is cut off')
    const rest = Buffer.concat(this.#pending).toString('latin1')
    if (rest !== '' && !END_MARK.test(rest)) this.#broken('something else follows its end')
    return pieces
  }

  #read(): Piece[] {
    const bytes = this.#pending.length === 1 ? this.#pending[0]! : Buffer.concat(this.#pending)
    const cursor = new Cursor(bytes)
    const pieces: Piece[] = []
    let read = 0
    try {
      while (!this.#over) {
        this.#begun = cursor.at
        const piece = this.#version === undefined ? this.#header(cursor) : this.#piece(cursor)
        if (piece) pieces.push(piece)
        read = cursor.at
      }
    } catch (error) {
      if (error instanceof RangeError) this.#broken(error.message, cursor.at)
      if (error instanceof UnknownType) throw unknown(error.type)
      if (!(error instanceof More)) throw error
      this.#expires = null
    }
    if (!this.#over) this.#crc.update(bytes.subarray(0, read))
    this.#offset += read
    const rest = bytes.subarray(read)
    this.#pending = rest.length > 0 ? [rest] : []
    this.#pendingBytes = rest.length
    return pieces
  }

  #header(cursor: Cursor): Piece {
    const raw = cursor.take(HEADER_BYTES)
    const found = /^REDIS(\d{4})$/.exec(raw.toString('latin1'))
    if (!found) throw new RangeError('it does not begin as a dump of Redis does')
    this.#version = Number(found[1])
    return { kind: 'other', raw, db: -1 }
  }

  /** One piece with everything in front of a key; undefined at the end. */
  #piece(cursor: Cursor): Piece | undefined {
    this.#expires = null
    for (;;) {
      const mark = cursor.byte()
      if (mark === MARK.expiresMs) this.#expires = cursor.u64()
      else if (mark === MARK.expiresS) this.#expires = cursor.take(4).readUInt32LE() * 1000
      else if (mark === MARK.idle) cursor.length()
      else if (mark === MARK.frequency) cursor.byte()
      else if (mark === MARK.end) return this.#last(cursor)
      else if (mark >= MARK.slotInfo) return this.#about(cursor, mark)
      else return this.#key(cursor, mark)
    }
  }

  #key(cursor: Cursor, type: number): KeyRecord {
    if (this.#db < 0) throw new RangeError('a key stands outside of any database')
    const key = cursor.string()
    const begun = cursor.at
    const digest = new Digest().bytes(key).number(this.#expires ?? -1)
    readValue(cursor, type, digest)
    digest.end()
    const { bytes, at } = cursor
    const [raw, value] = [bytes.subarray(this.#begun, at), bytes.subarray(begun, at)]
    return { kind: 'key', raw, db: this.#db, key, type, value, expiresMs: this.#expires, digest: digest.items().digest }
  }

  #about(cursor: Cursor, mark: number): Piece {
    const raw = () => cursor.bytes.subarray(this.#begun, cursor.at)
    if (mark === MARK.about) {
      const [name, value] = [cursor.string().toString('latin1'), cursor.string().toString('latin1')]
      return { kind: 'about', raw: raw(), db: -1, name, value }
    }
    if (mark === MARK.functions) {
      cursor.string()
      return { kind: 'functions', raw: raw(), db: -1 }
    }
    if (mark === MARK.moduleAux) {
      moduleValue(cursor, new Digest())
      return { kind: 'other', raw: raw(), db: -1 }
    }
    if (mark === MARK.select) {
      const db = cursor.length()
      const piece = { kind: 'other' as const, raw: raw(), db }
      this.#db = db
      return piece
    }
    if (mark !== MARK.resize && mark !== MARK.slotInfo) throw new UnknownType(mark)
    for (let left = mark === MARK.resize ? 2 : 3; left > 0; left--) cursor.length()
    return { kind: 'other', raw: raw(), db: this.#db }
  }

  #last(cursor: Cursor): undefined {
    const upToHere = cursor.bytes.subarray(0, cursor.at)
    const found = cursor.take(8)
    this.#crc.update(upToHere)
    this.#over = true
    // Zeros stand for `rdbchecksum no`.
    if (found.some(byte => byte !== 0) && !found.equals(this.#crc.bytes())) throw new RangeError('its CRC-64 is not the one at its end')
    return undefined
  }

  #broken(how: string, at = 0): never {
    throw new Trouble(7, `The dump is broken at byte ${this.#offset + at}: ${how}.`)
  }
}

function unknown(type: number): Trouble {
  return new Trouble(3, `The dump holds a value of type ${type}, which this code cannot read (it knows those of Redis up to 7.2).`, {
    next: ['tell who maintains this toolkit, and copy dump.rdb by hand until then'],
  })
}
