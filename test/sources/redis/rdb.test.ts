import { spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Trouble } from '../../../lib/plan/outcome.ts'
import { Crc64 } from '../../../lib/sources/redis/rdb/crc64.ts'
import { unlzf } from '../../../lib/sources/redis/rdb/lzf.ts'
import { type Piece, RdbReader } from '../../../lib/sources/redis/rdb/reader.ts'
import { payload, RdbWriter } from '../../../lib/sources/redis/rdb/writer.ts'
import { describeWith, type Redis, redis } from '../../testbed/index.ts'
import { dumped } from '../conformance.ts'
import { temporary } from '../temporary.ts'
import { SHOP, sourceOf } from './shop.ts'

/** All pieces of a dump that comes in chunks of so many bytes. */
function piecesIn(bytes: Buffer, chunk = bytes.length || 1): Piece[] {
  const reader = new RdbReader()
  const pieces: Piece[] = []
  for (let at = 0; at < bytes.length; at += chunk) pieces.push(...reader.push(bytes.subarray(at, at + chunk)))
  return [...pieces, ...reader.end()]
}

const digests = (bytes: Buffer, chunk?: number) =>
  piecesIn(bytes, chunk).flatMap(piece => (piece.kind === 'key' ? [`${piece.db} ${piece.key.toString('hex')} ${piece.digest}`] : []))

/** The exit code of reading a dump; 0 when it reads well. */
function exitOf(bytes: Buffer): number {
  try {
    piecesIn(bytes)
    return 0
  } catch (error) {
    if (error instanceof Trouble) return error.exit
    throw error
  }
}

describe('pieces of the format', () => {
  it('has the checksum of Redis', () => {
    const crc = new Crc64()
    crc.update(Buffer.from('1234567'))
    crc.update(Buffer.from('89'))
    // The value that crc64.c of Redis gives as its own test.
    expect(crc.bytes().readBigUInt64LE().toString(16)).toBe('e9c6d914c4b8d9ca')
  })

  it('decompresses what can be, and refuses everything else with a RangeError', () => {
    expect(unlzf(Buffer.from([0, 97, 0xe0, 1, 0]), 11).toString()).toBe('aaaaaaaaaaa')
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(200), (packed, length) => {
        try {
          expect(unlzf(Buffer.from(packed), length)).toHaveLength(length)
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError)
        }
      }),
    )
  })

  it('never mistakes garbage for a dump', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), garbage => {
        expect(exitOf(Buffer.concat([Buffer.from('REDIS0010'), garbage]))).not.toBe(0)
      }),
    )
  })

  it('names a type that it does not know', () => {
    const bytes = Buffer.concat([Buffer.from('REDIS0012'), Buffer.from([0xfe, 0, 24, 1, 97])])
    expect(() => piecesIn(bytes)).toThrow(/type 24/)
    expect(exitOf(bytes)).toBe(3)
  })
})

describeWith('redis', 'dumps of a real server', () => {
  let server: Redis
  let bytes: Buffer

  beforeAll(async () => {
    server = await redis()
    server.command('EVAL', SHOP, '0')
    bytes = (await dumped(sourceOf(server))).bytes
  })
  afterAll(() => server?.stop())

  it('reads the same of any chunking, and writes the same bytes again', () => {
    const whole = digests(bytes)
    expect(whole).toHaveLength(63)
    expect(digests(bytes, 4099)).toEqual(whole)
    const small = smallDump()
    expect(digests(small, 1)).toEqual(digests(small))
    const writer = new RdbWriter()
    expect(Buffer.concat([writer.pieces(piecesIn(bytes)), writer.end()]).equals(bytes)).toBe(true)
  })

  /** A dump of a few short keys, by the server itself. */
  function smallDump(): Buffer {
    const kept = piecesIn(bytes).filter(piece => piece.kind !== 'key' || piece.raw.length < 60)
    const writer = new RdbWriter()
    return Buffer.concat([writer.pieces(kept), writer.end()])
  }

  it('finds every cut, and every flipped bit', () => {
    const small = smallDump()
    for (let length = 0; length < small.length; length++) expect(exitOf(small.subarray(0, length)), `cut to ${length}`).toBe(7)
    for (let at = 0; at < small.length; at++) {
      const flipped = Buffer.from(small)
      flipped[at]! ^= 1 << (at % 8)
      expect([3, 7], `bit ${at % 8} of byte ${at}`).toContain(exitOf(flipped))
    }
    expect(exitOf(Buffer.concat([small, Buffer.from('0123456789abcdef0123456789abcdef01234567')]))).toBe(0)
    expect(exitOf(Buffer.concat([small, Buffer.from('0123456789abcdef0123456789abcdef0123456')]))).toBe(7)
  })

  it('writes dumps that redis-check-rdb takes, also with databases left out', async () => {
    const file = join(await temporary(), 'dump.rdb')
    const writer = new RdbWriter()
    await writeFile(file, Buffer.concat([writer.pieces(piecesIn(bytes).filter(({ db }) => db !== 1)), writer.end()]))
    const { stdout, status } = spawnSync('redis-check-rdb', [file], { encoding: 'utf8' })
    expect(stdout).toMatch(/RDB looks OK/)
    expect(stdout).toMatch(/62 keys read/)
    expect(status).toBe(0)
  })

  it('says the same of the same values in other encodings', async () => {
    const settings = {
      ...{ 'hash-max-listpack-entries': '0', 'zset-max-listpack-entries': '0', 'set-max-intset-entries': '0', 'list-max-listpack-size': '1' },
      ...{ rdbcompression: 'no', rdbchecksum: 'no', 'stream-node-max-entries': '100', 'repl-diskless-sync': 'no' },
    }
    const other = await redis({ settings })
    try {
      persist(server)
      const plain = (await dumped(sourceOf(server))).bytes
      other.command('EVAL', SHOP, '0')
      persist(other)
      const unpacked = (await dumped(sourceOf(other))).bytes
      // When a group's entries were delivered is not the same on both.
      const without = (all: string[]) => all.filter(row => !row.startsWith(`0 ${Buffer.from('events').toString('hex')} `)).sort()
      expect(without(digests(unpacked))).toEqual(without(digests(plain)))
      expect(kinds(plain)).toEqual([0, 2, 4, 5, 11, 16, 17, 18, 19])
      expect(kinds(unpacked)).toEqual([0, 2, 4, 5, 18, 19])
    } finally {
      await other.stop()
    }
  })

  const kinds = (dump: Buffer) => [...new Set(piecesIn(dump).flatMap(piece => (piece.kind === 'key' ? [piece.type] : [])))].sort((a, b) => a - b)

  it('reads the packed lists of servers before Redis 7 as Redis itself does', async () => {
    const elements = [Buffer.from([3, 97, 98, 99]), Buffer.from([0xfe, 0xfb]), Buffer.from([0xc0, 0x10, 0xf0]), Buffer.from([0xf4])]
    const old: readonly [name: string, type: number, value: Buffer][] = [
      ['old list', 10, string(ziplist(elements))],
      ['old hash', 13, string(ziplist(elements))],
      ['old ranks', 12, string(ziplist([elements[0]!, elements[1]!]))],
      ['old quicklist', 14, Buffer.concat([Buffer.from([1]), string(ziplist(elements))])],
    ]
    const script = "return redis.call('RESTORE', ARGV[1], 0, (ARGV[2]:gsub('%x%x', function(h) return string.char(tonumber(h, 16)) end)))"
    for (const [name, type, value] of old) server.command('EVAL', script, '0', name, payload({ type, value }, 9).toString('hex'))
    const now = (await dumped(sourceOf(server))).bytes
    const before = Buffer.concat([
      Buffer.from('REDIS0009'),
      Buffer.from([0xfe, 0]),
      ...old.map(([name, type, value]) => Buffer.concat([Buffer.from([type]), string(Buffer.from(name)), value])),
      Buffer.from([0xff, 0, 0, 0, 0, 0, 0, 0, 0]),
    ])
    expect(
      digests(now)
        .filter(row => row.startsWith(`0 ${Buffer.from('old ').toString('hex')}`))
        .sort(),
    ).toEqual(digests(before).sort())
  })
})

/** Takes away every time to live: both servers were filled at another moment. */
function persist(server: Redis): void {
  server.command('PERSIST', 'session')
  server.command('-n', '3', 'PERSIST', 'soon')
  server.lines(Array.from({ length: 40 }, (_, i) => `PERSIST session:${i + 1}\n`).join(''))
}

/** A string of less than 64 bytes, as the format writes it. */
const string = (bytes: Buffer) => Buffer.concat([Buffer.from([bytes.length]), bytes])

/** A ziplist of elements of less than 254 bytes, each encoding and data. */
function ziplist(elements: readonly Buffer[]): Buffer {
  const lengths = [0, ...elements.map(({ length }) => length + 1)]
  const body = Buffer.concat(elements.map((element, i) => Buffer.concat([Buffer.from([lengths[i]!]), element])))
  const header = Buffer.alloc(10)
  header.writeUInt32LE(10 + body.length + 1, 0)
  header.writeUInt32LE(10 + body.length - lengths.at(-1)!, 4)
  header.writeUInt16LE(elements.length, 8)
  return Buffer.concat([header, body, Buffer.from([0xff])])
}
