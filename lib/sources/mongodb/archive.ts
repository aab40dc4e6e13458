import type { BSON } from 'mongodb'
import { Trouble } from '../../plan/outcome.ts'
import { Digest } from '../digest.ts'
import { Crc64 } from './crc64.ts'
import { metadataDigest } from './metadata.ts'

/** What an archive says of one collection, once all of its bytes were read and matched their checksum. */
export type Namespace = { readonly database: string; readonly collection: string; readonly count: number; readonly digest: string }

/** The first bytes of every archive, 0x8199e26d in little-endian order. */
const MAGIC = 0x8199e26d
/** The only version that the tools have ever written. */
const FORMAT = '0.1'
/** Ends the prelude and each segment, where the length of a document would stand. */
const TERMINATOR = -1
/** An empty document: its length and a final zero. */
const SMALLEST_DOCUMENT = 5
/** The limit of the tools themselves (`db.MaxBSONSize`): they refuse to restore anything larger. */
const LARGEST_DOCUMENT = 16 * 1024 * 1024

type Open = { database: string; collection: string; metadata: string; documents: Digest; crc: Crc64; closed: boolean }
type Header = { db: string; collection: string; EOF: boolean; CRC: bigint }
type Metadata = { db: string; collection: string; metadata: string; size: number; type: string }

/** Loads the BSON library with the driver and returns a reader for one archive. */
export async function archiveReader(): Promise<ArchiveReader> {
  const { BSON } = await import('mongodb')
  return new ArchiveReader(BSON)
}

/**
 * Reads a `mongodump --archive` stream of any chunking, holding one document at most. The format: magic, header,
 * metadata of each collection, terminator; then segments of (collection, its documents, terminator), those of several
 * collections mixed; each collection ends with a segment that has the CRC-64 of all its documents.
 * The tools' CRC does not cover the metadata in front. `push` and `end` throw Trouble(7) that names collection and byte.
 */
export class ArchiveReader {
  readonly #bson: typeof BSON
  readonly #collections = new Map<string, Open>()
  #expects: 'magic' | 'header' | 'metadata' | 'segment' | 'documents' | 'terminator' = 'magic'
  #current: Open | undefined
  #offset = 0
  #held: Buffer[] = []
  #heldBytes = 0
  #wanted = 0

  constructor(bson: typeof BSON) {
    this.#bson = bson
  }

  /** Whether the front matter has been read, so that `names` is whole. */
  get announced(): boolean {
    return this.#expects !== 'magic' && this.#expects !== 'header' && this.#expects !== 'metadata'
  }

  /** The collections that the front matter announces. */
  get names(): readonly { readonly database: string; readonly collection: string }[] {
    return [...this.#collections.values()]
  }

  push(chunk: Buffer): void {
    let bytes = chunk
    if (this.#heldBytes > 0) {
      this.#hold(chunk)
      if (this.#heldBytes < this.#wanted) return
      bytes = Buffer.concat(this.#held, this.#heldBytes)
      this.#held = []
      this.#heldBytes = 0
    }
    let at = 0
    while (at < bytes.length) {
      this.#wanted = this.#sizeAt(bytes, at)
      if (at + this.#wanted > bytes.length) break
      this.#take(bytes.subarray(at, at + this.#wanted))
      at += this.#wanted
      this.#offset += this.#wanted
    }
    if (at < bytes.length) this.#hold(bytes.subarray(at))
  }

  /** Every collection of the archive; call it after the last `push`. */
  end(): readonly Namespace[] {
    if (this.#offset + this.#heldBytes === 0) this.#broken('is empty')
    if (this.#heldBytes > 0 || this.#expects !== 'segment') this.#broken(`is cut off ${this.#heldBytes} bytes later`)
    const all = [...this.#collections.values()]
    for (const one of all) if (!one.closed) this.#broken('ends before this collection does', one)
    return all.map(one => {
      const { count, digest } = one.documents.items()
      return { database: one.database, collection: one.collection, count, digest: `documents:${digest} indexes:${this.#indexes(one)}` }
    })
  }

  /** Keeps a copy: the chunk's own memory may be let go of once it was read. */
  #hold(bytes: Buffer): void {
    this.#held.push(Buffer.from(bytes))
    this.#heldBytes += bytes.length
  }

  /** Bytes of the item that begins here, or 4 while its length is not known. */
  #sizeAt(bytes: Buffer, at: number): number {
    if (bytes.length - at < 4 || this.#expects === 'magic') return 4
    const length = bytes.readInt32LE(at)
    if (length === TERMINATOR) return 4
    if (length < SMALLEST_DOCUMENT || length > LARGEST_DOCUMENT) this.#broken(`${length} is no length of a document`)
    return length
  }

  #take(item: Buffer): void {
    const terminates = item.length === 4
    if (!terminates && item[item.length - 1] !== 0) this.#broken('a document does not end with a zero')
    switch (this.#expects) {
      case 'magic':
        if (item.readUInt32LE() !== MAGIC) this.#broken('does not begin as an archive of mongodump does')
        this.#expects = 'header'
        return
      case 'header':
        this.#version(this.#parsed<{ version: string }>(item, ['concurrent_collections', 'version', 'server_version', 'tool_version']).version)
        this.#expects = 'metadata'
        return
      case 'metadata':
        if (terminates) this.#expects = 'segment'
        else this.#announce(this.#parsed<Metadata>(item, ['db', 'collection', 'metadata', 'size', 'type']))
        return
      case 'segment':
        this.#segment(this.#parsed<Header>(item, ['db', 'collection', 'EOF', 'CRC']))
        return
      case 'terminator':
        if (!terminates) this.#broken('has documents after the end of this collection', this.#current)
        this.#expects = 'segment'
        return
      case 'documents':
        if (terminates) this.#expects = 'segment'
        else this.#document(item)
    }
  }

  #version(found: string): void {
    if (found !== FORMAT) this.#broken(`has format version ${found}; known is ${FORMAT}`)
  }

  #announce(metadata: Metadata): void {
    // The documents of a time series stand under the name of its buckets.
    const name = `${metadata.db}.${metadata.type === 'timeseries' ? 'system.buckets.' : ''}${metadata.collection}`
    if (this.#collections.has(name)) this.#broken(`announces ${name} twice`)
    this.#collections.set(name, {
      database: metadata.db,
      collection: metadata.collection,
      metadata: metadata.metadata,
      documents: new Digest(),
      crc: new Crc64(),
      closed: false,
    })
  }

  #segment(header: Header): void {
    const name = `${header.db}.${header.collection}`
    const one = this.#collections.get(name)
    if (!one) this.#broken(`has documents of ${name}, which it does not announce`)
    if (one.closed) this.#broken('goes on after its end', one)
    this.#current = one
    this.#expects = header.EOF ? 'terminator' : 'documents'
    if (!header.EOF && header.CRC !== 0n) this.#broken('has a checksum before its end', one)
    if (!header.EOF) return
    if (header.CRC !== one.crc.value()) this.#broken(`does not match its checksum, after ${one.documents.items().count} documents`, one)
    one.closed = true
  }

  #document(item: Buffer): void {
    const one = this.#current!
    one.crc.update(item)
    one.documents.bytes(item).end()
  }

  /** A document of the archive itself. It must have these fields and nothing else, and mean the very same bytes when written again. */
  #parsed<T>(item: Buffer, fields: readonly string[]): T {
    if (item.length === 4) this.#broken('has a terminator where a header belongs')
    try {
      const document = this.#bson.deserialize(item, { useBigInt64: true, promoteBuffers: true })
      if (Object.keys(document).join() === fields.join() && item.equals(this.#bson.serialize(document))) return document as T
    } catch {
      // Falls through to the message that holds for all three ways of being wrong.
    }
    return this.#broken('has a damaged header')
  }

  #indexes(one: Open): string {
    try {
      // The oplog and the users have no metadata.
      return metadataDigest(one.metadata || '{}')
    } catch (error) {
      return this.#broken(`has unreadable indexes and options (${(error as Error).message})`, one)
    }
  }

  #broken(how: string, one?: Open): never {
    const where = one ? `collection ${one.database}.${one.collection}, ` : ''
    throw new Trouble(7, `The archive is broken: ${where}byte ${this.#offset}: ${how}.`)
  }
}
