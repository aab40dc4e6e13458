import { BSON, type Document, Long } from 'mongodb'
import { Crc64 } from '../../../lib/sources/mongodb/crc64.ts'

const MAGIC = Buffer.from([0x6d, 0xe2, 0x99, 0x81])
export const TERMINATOR = Buffer.from([0xff, 0xff, 0xff, 0xff])

export const bson = (document: Document): Buffer => Buffer.from(BSON.serialize(document))

const ID_INDEX = { v: { $numberInt: '2' }, key: { _id: { $numberInt: '1' } }, name: '_id_' }

/** The front matter of an archive, with an index on `n` for each collection. */
export function front(collections: readonly string[], database = 'shop'): Buffer {
  const header = bson({ concurrent_collections: 4, version: '0.1', server_version: '7.0.42', tool_version: '100.6.1' })
  const metadata = collections.map(collection => {
    const indexes = [ID_INDEX, { v: { $numberInt: '2' }, key: { n: { $numberInt: '1' } }, name: 'n_1', unique: true }]
    const text = JSON.stringify({ indexes, uuid: '2a11040ee33a4e4f8bad993286cbd8de', collectionName: collection, type: 'collection' })
    return bson({ db: database, collection, metadata: text, size: 0, type: 'collection' })
  })
  return Buffer.concat([MAGIC, header, ...metadata, TERMINATOR])
}

/** One run of documents of a collection. */
export function segment(collection: string, documents: readonly Buffer[], database = 'shop'): Buffer {
  return Buffer.concat([bson({ db: database, collection, EOF: false, CRC: Long.ZERO }), ...documents, TERMINATOR])
}

/** The end of a collection, with the checksum of its documents. */
export function end(collection: string, documents: readonly Buffer[], database = 'shop'): Buffer {
  const crc = new Crc64()
  for (const document of documents) crc.update(document)
  return Buffer.concat([bson({ db: database, collection, EOF: true, CRC: Long.fromBigInt(crc.value()) }), TERMINATOR])
}

/** A small whole archive of two collections, the first in two segments with the second between them. */
export function small(): Buffer {
  const orders = Array.from({ length: 4 }, (_, n) => bson({ _id: n, n, of: 'ünïcode' }))
  const users = [bson({ _id: 'a' })]
  return Buffer.concat([
    front(['orders', 'users']),
    segment('orders', orders.slice(0, 2)),
    segment('users', users),
    end('users', users),
    segment('orders', orders.slice(2)),
    end('orders', orders),
  ])
}
