/** The reflected polynomial of CRC-64-Jones, with which Redis ends its dumps (crc64.c of Redis; 0xad93d23594c935a9 before reflection). */
const POLYNOMIAL = 0x95ac9329ac4bc9b5n

/** The CRC of each byte in halves of 32 bits, because BigInt arithmetic is a hundred times slower. */
const LOW = new Int32Array(256)
const HIGH = new Int32Array(256)
for (let byte = 0; byte < 256; byte++) {
  let crc = BigInt(byte)
  for (let bit = 0; bit < 8; bit++) crc = crc & 1n ? (crc >> 1n) ^ POLYNOMIAL : crc >> 1n
  LOW[byte] = Number(BigInt.asIntN(32, crc))
  HIGH[byte] = Number(BigInt.asIntN(32, crc >> 32n))
}

/** The CRC-64 of Redis over bytes that arrive in pieces; several times faster than values are read. */
export class Crc64 {
  #low = 0
  #high = 0

  update(bytes: Uint8Array): void {
    let low = this.#low
    let high = this.#high
    for (let i = 0; i < bytes.length; i++) {
      const at = (low ^ bytes[i]!) & 255
      low = ((low >>> 8) | (high << 24)) ^ LOW[at]!
      high = (high >>> 8) ^ HIGH[at]!
    }
    this.#low = low
    this.#high = high
  }

  /** The eight bytes that a dump ends with, the lowest first. */
  bytes(): Buffer {
    const end = Buffer.alloc(8)
    end.writeInt32LE(this.#low, 0)
    end.writeInt32LE(this.#high, 4)
    return end
  }
}
