import { Crc64 } from './crc64.ts'
import type { KeyRecord, Piece } from './reader.ts'

/** Writes pieces of a dump as a dump again, with an end and a CRC-64 of its own; without any piece left out, byte for byte the same. */
export class RdbWriter {
  readonly #crc = new Crc64()

  pieces(pieces: readonly Piece[]): Buffer {
    const bytes = Buffer.concat(pieces.map(({ raw }) => raw))
    this.#crc.update(bytes)
    return bytes
  }

  end(): Buffer {
    const mark = Buffer.from([0xff])
    this.#crc.update(mark)
    return Buffer.concat([mark, this.#crc.bytes()])
  }
}

/** A key's value as `RESTORE` takes it (cluster.c, createDumpPayload): type, value, version of the format, CRC-64 of all that. */
export function payload({ type, value }: Pick<KeyRecord, 'type' | 'value'>, version: number): Buffer {
  const body = Buffer.concat([Buffer.from([type]), value, Buffer.from([version & 0xff, version >> 8])])
  const crc = new Crc64()
  crc.update(body)
  return Buffer.concat([body, crc.bytes()])
}

/** A command in Redis's protocol. */
export function command(...words: readonly (string | Buffer)[]): Buffer {
  const parts = words.flatMap(word => {
    const bytes = typeof word === 'string' ? Buffer.from(word) : word
    return [Buffer.from(`$${bytes.length}\r\n`), bytes, CRLF]
  })
  return Buffer.concat([Buffer.from(`*${words.length}\r\n`), ...parts])
}

const CRLF = Buffer.from('\r\n')
