import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Trouble } from '../../../lib/plan/outcome.ts'
import { archiveReader, type Namespace } from '../../../lib/sources/mongodb/archive.ts'
import { Crc64 } from '../../../lib/sources/mongodb/crc64.ts'
import { metadataDigest } from '../../../lib/sources/mongodb/metadata.ts'
import { bson, end, front, segment, small, TERMINATOR } from './made.ts'

async function read(...chunks: Buffer[]): Promise<readonly Namespace[]> {
  const reader = await archiveReader()
  for (const chunk of chunks) reader.push(chunk)
  return reader.end()
}

async function troubleOf(...chunks: Buffer[]): Promise<Trouble | undefined> {
  const error = await read(...chunks).then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (error !== undefined && !(error instanceof Trouble)) throw error
  return error
}

test('the checksum is CRC-64-ECMA, in pieces of any size', () => {
  const crc = new Crc64()
  for (const piece of ['1', '', '2345678', '9']) crc.update(Buffer.from(piece))
  // The check value of the catalogue of parametrised CRC algorithms (CRC-64/XZ).
  expect(BigInt.asUintN(64, crc.value())).toBe(0x995dc9bbdf1939fan)
})

test('any chunking of an archive reads the same', async () => {
  const archive = small()
  const whole = await read(archive)
  expect(whole.map(({ collection, count }) => [collection, count])).toEqual([
    ['orders', 4],
    ['users', 1],
  ])
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: archive.length }), { maxLength: 40 }), async cuts => {
      const edges = [0, ...cuts.sort((a, b) => a - b), archive.length]
      expect(await read(...edges.slice(1).map((edge, i) => archive.subarray(edges[i], edge)))).toEqual(whole)
    }),
    { numRuns: 50 },
  )
  expect(await read(...Array.from(archive, byte => Buffer.from([byte])))).toEqual(whole)
})

test('the order of documents and segments does not change the digest, but any other document does', async () => {
  const [a, b, c] = [bson({ _id: 1 }), bson({ _id: 2 }), bson({ _id: 3 })]
  const of = async (...documents: Buffer[]) =>
    (await read(front(['x']), ...documents.map(one => segment('x', [one])), end('x', documents)))[0]?.digest
  expect(await of(a, b)).toBe(await of(b, a))
  expect(await of(a, b)).not.toBe(await of(a, c))
  expect(await of(a, b)).not.toBe(await of(a, a, b, b))
})

test('an archive with an oplog and a time series is whole, though one has no metadata and the other stands under the name of its buckets', async () => {
  const header = front([]).subarray(0, -TERMINATOR.length)
  const oplog = bson({ db: '', collection: 'oplog', metadata: '', size: 0, type: '' })
  const series = bson({ db: 'shop', collection: 'load', metadata: '{"indexes":[]}', size: 0, type: 'timeseries' })
  const data = [bson({ a: 1 })]
  const parts = [header, oplog, series, TERMINATOR, segment('system.buckets.load', data), end('system.buckets.load', data), end('oplog', [], '')]
  expect((await read(...parts)).map(({ database, collection, count }) => [database, collection, count])).toEqual([
    ['', 'oplog', 0],
    ['shop', 'load', 1],
  ])
})

test('every truncation is found, and the message names what is not whole', async () => {
  const archive = small()
  for (let length = 0; length < archive.length; length++) expect((await troubleOf(archive.subarray(0, length)))?.exit, `cut at ${length}`).toBe(7)
  const cut = archive.length - end('orders', []).length
  expect((await troubleOf(archive.subarray(0, cut)))?.message).toBe(
    `The archive is broken: collection shop.orders, byte ${cut}: ends before this collection does.`,
  )
  expect((await troubleOf())?.message).toBe('The archive is broken: byte 0: is empty.')
})

test('every changed byte is found or changes the content, but for versions and ids that say nothing of the data', async () => {
  const archive = small()
  const whole = JSON.stringify(await read(archive))
  const harmless: number[] = []
  for (let at = 0; at < archive.length; at++) {
    for (const mask of [0x01, 0x20, 0x80, 0xff]) {
      const bytes = Buffer.from(archive)
      bytes[at]! ^= mask
      const trouble = await troubleOf(bytes)
      if (trouble ? trouble.exit !== 7 : JSON.stringify(await read(bytes)) === whole) harmless.push(at)
    }
  }
  const text = archive.toString('latin1')
  const allowed = new Set<number>()
  const allow = (from: number, length: number) => Array.from({ length }, (_, i) => allowed.add(from + i))
  allow(text.indexOf('concurrent_collections') + 'concurrent_collections.'.length, 4)
  for (const value of ['7.0.42', '100.6.1']) allow(text.indexOf(`${value}\0`), value.length)
  // An index's `v`; and what stands after the indexes: uuid, and name and type a second time, as text.
  for (const found of text.matchAll(/\{"\$numberInt":"2"\}|(?<=\]),"uuid".*?"collection"\}|(?<=size.).{4}|(?<=type.{5})collection/gs))
    allow(found.index, found[0].length)
  expect(harmless.filter(at => !allowed.has(at))).toEqual([])
  expect(harmless.length).toBeGreaterThan(0)
})

test.each([
  ['another file', [Buffer.from('PGDMP, but long enough to be looked at')], 'does not begin as an archive'],
  ['documents of a collection that was not announced', [front(['x']), segment('y', [])], 'has documents of shop.y'],
  ['documents after the end of their collection', [front(['x']), end('x', []), segment('x', [])], 'goes on after its end'],
  ['documents in the segment of an end', [front(['x']), end('x', []).subarray(0, -4), bson({}), TERMINATOR], 'after the end of this collection'],
  ['a wrong checksum', [front(['x']), segment('x', [bson({ a: 1 })]), end('x', [bson({ a: 2 })])], 'does not match its checksum, after 1 documents'],
  ['a newer format', [Buffer.from(small().toString('latin1').replace('0.1\0', '0.2\0'), 'latin1')], 'has format version 0.2; known is 0.1'],
  ['two terminators', [front(['x']), TERMINATOR], 'has a terminator where a header belongs'],
  ['a length beyond the limit', [front(['x']), segment('x', []).subarray(0, -4), Buffer.from([0, 0, 0, 2])], 'is no length of a document'],
  ['a collection announced twice', [front(['x', 'x'])], 'announces shop.x twice'],
])('%s is named', async (_, chunks, words) => {
  const trouble = await troubleOf(...chunks)
  expect(trouble?.exit).toBe(7)
  expect(trouble?.message).toContain(words)
})

test('the metadata digest ignores what servers add, and sees a lost, changed or reordered index', () => {
  const of = (...indexes: object[]) => metadataDigest(JSON.stringify({ indexes, uuid: crypto.randomUUID() }))
  const one = { v: { $numberInt: '2' }, key: { a: { $numberInt: '1' }, b: { $numberInt: '-1' } }, name: 'a_b', unique: true }
  const other = { v: 2, key: { c: 1 }, name: 'c_1' }
  expect(of(one, other)).toBe(of({ ...other, ns: 'shop.x' }, { ...one, v: 1, key: { a: { $numberLong: '1' }, b: { $numberDouble: '-1.0' } } }))
  expect(of(one, other)).not.toBe(of(one))
  expect(of(one)).not.toBe(of({ ...one, unique: false }))
  expect(of(one)).not.toBe(of({ ...one, key: { b: -1, a: 1 } }))
})
