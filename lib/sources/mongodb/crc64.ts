import { Crc, tablesOf } from '../crc64.ts'

/** The reflected polynomial of CRC-64-ECMA (ECMA-182), as Go's `hash/crc64` and the MongoDB tools use it. */
const TABLES = tablesOf(0xc96c5795d7870f42n)

/** The CRC-64-ECMA of bytes that arrive in pieces. */
export class Crc64 extends Crc {
  constructor() {
    super(TABLES, -1)
  }

  /** As a signed 64-bit number, which is how BSON holds it. */
  value(): bigint {
    const [low, high] = this.halves()
    return BigInt.asIntN(64, (BigInt(~high >>> 0) << 32n) | BigInt(~low >>> 0))
  }
}
