import { createHash, type Hash } from 'node:crypto'
import { Trouble } from '../../plan/outcome.ts'
import { Digest } from '../digest.ts'
import type { Content, Items } from '../source.ts'
import { Cursor, INT_BYTES, MORE } from './bytes.ts'
import { type Contents, type Entry, readContents } from './contents.ts'
import { GLOBALS_END, GLOBALS_START, MOST_GLOBALS } from './globals.ts'
import { tableName } from './names.ts'
import { Rows } from './rows.ts'
import { schemaItems, sequenceItems } from './schema.ts'

/** Marks in front of data, of pg_backup_custom.c: rows of a table, and large objects. */
const [ROWS, LARGE_OBJECTS] = [1, 3]
/** A larger front is damage: each entry is a few hundred bytes. */
const LARGEST_FRONT = 512 * 1024 * 1024

/** Reads `pg_dump -Fc -Z0` bytes of any chunking, holding the table of contents and one row at most, and what follows the archive. `push` and `end` throw Trouble(7). */
export class ArchiveReader {
  #contents: Contents | undefined
  #front: Buffer[] = []
  #frontBytes = 0
  #tryAt = 1
  #expects: 'block' | 'object' | 'length' | 'bytes' | 'globals' = 'block'
  #part = Buffer.alloc(0)
  #left = 0
  #offset = 0
  readonly #waiting = new Map<number, Entry>()
  readonly #items = new Map<string, Items>()
  readonly #objects = new Digest()
  #entry: Entry | undefined
  #rows: Rows | undefined
  #object: { readonly id: number; readonly hash: Hash } | undefined
  #globals: Buffer[] = []
  #globalsBytes = 0

  /** What stands in front of the data; undefined until all of it has come. */
  get contents(): Contents | undefined {
    return this.#contents
  }

  push(chunk: Buffer): void {
    if (this.#contents) this.#data(chunk)
    else this.#take(chunk)
  }

  /** Where the archive itself ends, in bytes; undefined before it has. What comes after are the roles. */
  get endsAt(): number | undefined {
    return this.#expects === 'globals' ? this.#offset : undefined
  }

  /** All that was in it; with `globals`, the roles must follow the archive, without it nothing may. */
  end(how: { readonly globals: boolean }): Content {
    if (!this.#contents && this.#frontBytes > 0) this.#tryFront()
    const contents = this.#contents
    if (!contents) this.#broken(this.#frontBytes === 0 ? 'is empty' : 'is cut off inside its table of contents')
    if (this.#expects !== 'globals') this.#broken('is cut off', this.#entry ?? this.#waiting.values().next().value)
    const after = Buffer.concat(this.#globals).toString('utf8')
    if (how.globals && !(after.startsWith(GLOBALS_START) && after.endsWith(GLOBALS_END))) this.#broken('is cut off inside the roles that follow it')
    if (!how.globals && after !== '') this.#broken('is followed by something else')
    const objects = this.#objects.items()
    return {
      items: {
        ...Object.fromEntries([...this.#items].sort(([a], [b]) => (a < b ? -1 : 1))),
        '(schema)': schemaItems(contents.entries),
        '(sequences)': sequenceItems(contents.entries),
        ...(objects.count > 0 ? { '(large objects)': objects } : {}),
      },
      warnings: [],
    }
  }

  #take(chunk: Buffer): void {
    this.#front.push(chunk)
    this.#frontBytes += chunk.length
    // Doubling keeps the cost of trying again in proportion to the size.
    if (this.#frontBytes < this.#tryAt) return
    this.#tryAt = this.#frontBytes * 2
    this.#tryFront()
    if (!this.#contents && this.#frontBytes > LARGEST_FRONT) this.#broken('has a table of contents without an end')
  }

  #tryFront(): void {
    const bytes = Buffer.concat(this.#front)
    this.#front = [bytes]
    try {
      this.#contents = readContents(bytes)
    } catch (error) {
      if (error === MORE) return
      if (error instanceof RangeError) this.#broken(error.message)
      throw error
    }
    this.#front = []
    this.#offset = this.#contents.bytes
    for (const entry of this.#contents.entries) if (entry.data) this.#waiting.set(entry.id, entry)
    if (this.#waiting.size === 0) this.#expects = 'globals'
    this.#data(bytes.subarray(this.#contents.bytes))
  }

  #data(chunk: Buffer): void {
    const bytes = this.#part.length > 0 ? Buffer.concat([this.#part, chunk]) : chunk
    let at = 0
    while (at < bytes.length && this.#expects !== 'globals') {
      const took = this.#expects === 'bytes' ? this.#piece(bytes, at) : this.#mark(bytes, at)
      if (took === 0) break
      at += took
      this.#offset += took
    }
    this.#part = Buffer.alloc(0)
    if (at === bytes.length) return
    if (this.#expects === 'globals') this.#after(bytes.subarray(at))
    else this.#part = Buffer.from(bytes.subarray(at))
  }

  /** A number, or a mark with a number; 0 while it is not whole. */
  #mark(bytes: Buffer, at: number): number {
    const size = this.#expects === 'block' ? 1 + INT_BYTES : INT_BYTES
    if (at + size > bytes.length) return 0
    const cursor = new Cursor(bytes, at)
    const mark = this.#expects === 'block' ? cursor.byte() : 0
    const value = this.#number(cursor)
    if (this.#expects === 'block') this.#block(mark, value)
    else if (this.#expects === 'object') this.#largeObject(value)
    else if (value === 0) this.#pieceOver()
    else {
      this.#left = value
      this.#expects = 'bytes'
    }
    return size
  }

  #number(cursor: Cursor): number {
    try {
      const value = cursor.int()
      if (value >= 0) return value
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
    }
    return this.#broken('has a number that cannot be', this.#entry)
  }

  #block(mark: number, id: number): void {
    const entry = this.#waiting.get(id)
    if ((mark !== ROWS && mark !== LARGE_OBJECTS) || !entry) this.#broken('has data that it does not announce', this.#entry)
    this.#waiting.delete(id)
    this.#entry = entry
    this.#rows = mark === ROWS ? new Rows() : undefined
    this.#expects = mark === ROWS ? 'length' : 'object'
  }

  #largeObject(id: number): void {
    if (id === 0) this.#blockOver()
    else {
      this.#object = { id, hash: createHash('sha256') }
      this.#expects = 'length'
    }
  }

  #piece(bytes: Buffer, at: number): number {
    const piece = bytes.subarray(at, at + this.#left)
    this.#rows?.push(piece)
    this.#object?.hash.update(piece)
    this.#left -= piece.length
    if (this.#left === 0) this.#expects = 'length'
    return piece.length
  }

  #pieceOver(): void {
    if (this.#object) {
      this.#objects.word(this.#object.id).bytes(this.#object.hash.digest()).end()
      this.#object = undefined
      this.#expects = 'object'
      return
    }
    const items = this.#rows?.items()
    if (!items) this.#broken('has rows without an end', this.#entry)
    this.#items.set(tableName(this.#entry!.schema, this.#entry!.name), items)
    this.#blockOver()
  }

  #blockOver(): void {
    this.#entry = undefined
    this.#rows = undefined
    this.#expects = this.#waiting.size === 0 ? 'globals' : 'block'
  }

  #after(bytes: Buffer): void {
    this.#globalsBytes += bytes.length
    if (this.#globalsBytes > MOST_GLOBALS) this.#broken('is followed by something else')
    this.#globals.push(Buffer.from(bytes))
  }

  #broken(how: string, entry?: Entry): never {
    const where = entry ? `${entry.kind === 'TABLE DATA' ? 'table ' : ''}${tableName(entry.schema, entry.name)}, ` : ''
    throw new Trouble(7, `The archive is broken: ${where}byte ${this.#offset}: ${how}.`)
  }
}
