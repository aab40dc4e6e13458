import { BSON } from 'mongodb'
import { afterAll, beforeAll } from 'vitest'
import type { Json } from '../../../lib/plan/plan.ts'
import { mongodb as source } from '../../../lib/sources/mongodb/index.ts'
import { leftover } from '../../../lib/sources/mongodb/names.ts'
import { describeWith, type Mongo, mongodb } from '../../testbed/index.ts'
import { conforms } from '../conformance.ts'
import { awkward, direct, secret, seed } from './seed.ts'

/** Documents and indexes of every live collection, as exact Extended JSON. */
function everything(uri: string, database: string): Promise<Json> {
  return direct(
    uri,
    async db => {
      const names = (await db.listCollections({}, { nameOnly: true }).toArray()).map(({ name }) => name).filter(name => !leftover(name))
      return Promise.all(
        names.sort().map(async name => {
          const documents = await db.collection(name).find({}, { promoteValues: false }).sort({ _id: 1 }).toArray()
          return [name, documents.map(one => BSON.EJSON.stringify(one, { relaxed: false })), JSON.stringify(await db.collection(name).indexes())]
        }),
      )
    },
    database,
  )
}

describeWith(['mongodb', 'mongodb-tools'], 'one server, a database for each test', () => {
  let server: Mongo
  let made = 0

  beforeAll(async () => {
    server = await mongodb()
  })
  afterAll(() => server?.stop())

  conforms('mongodb', async () => {
    const name = `shop${made++}`
    return {
      source: source('database', { uri: secret(server.uri), databases: [name] }),
      fill: () => seed(server.uri, 100, name),
      mutate: () => direct(server.uri, async db => void (await db.collection('orders').insertOne(awkward(100_000 + made++))), name),
      destroy: () =>
        direct(
          server.uri,
          async db => {
            await db.collection('users').drop()
            await db.collection('orders').deleteMany({})
          },
          name,
        ).then(() => undefined),
      read: () => everything(server.uri, name),
      end: () => direct(server.uri, db => db.dropDatabase(), name).then(() => undefined),
    }
  })
})
