import { Crc, tablesOf } from '../../crc64.ts'

/** The reflected polynomial of CRC-64-Jones, with which Redis ends its dumps (crc64.c of Redis; 0xad93d23594c935a9 before reflection). */
const TABLES = tablesOf(0x95ac9329ac4bc9b5n)

/** The CRC-64 of Redis over bytes that arrive in pieces. */
export class Crc64 extends Crc {
  constructor() {
    super(TABLES, 0)
  }

  /** The eight bytes that a dump ends with, the lowest first. */
  bytes(): Buffer {
    const [low, high] = this.halves()
    const end = Buffer.alloc(8)
    end.writeInt32LE(low, 0)
    end.writeInt32LE(high, 4)
    return end
  }
}
