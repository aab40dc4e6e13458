import { dirname } from 'node:path'
import { MongoClient } from 'mongodb'
import { type Minio, type Mongo, minio, mongodb } from '../testbed/index.ts'
import { find } from '../testbed/tools.ts'
import { type Invoke, newWorld, type World } from './kit.ts'

/** A password that breaks every careless quoting, with a word in it that can be looked for. SASLprep allows no line break in one. */
export const PASSWORD = `Zq7MARKER' "two words" %41 $HOME \\ #end`
export const MARKER = 'Zq7MARKER'

/** A stack on MongoDB and S3, with the environment that its runbooks need. */
export type Served = { readonly mongo: Mongo; readonly store: Minio; readonly world: World; readonly env: Record<string, string> }

const DATA = `database: mongodb({ uri: secret('SHOP_URI'), databases: ['shop'] })`

/** What the stack file of the servers says; `endpoint` may be a proxy's. */
export const shapeOf = (endpoint: string, bucket: string) => ({
  data: DATA,
  stores: `s3({ bucket: '${bucket}', endpoint: '${endpoint}', forcePathStyle: true, region: 'us-east-1', accessKeyId: secret('S3_ID'), secretAccessKey: secret('S3_KEY') })`,
})

/** The address with its password, as an operator sets it. */
export const addressOf = (port: number, password = PASSWORD) => `mongodb://op:${encodeURIComponent(password)}@127.0.0.1:${port}/?authSource=admin`

/** Starts both servers, fills the database, and describes the stack. */
export async function serve(orders = 60): Promise<Served> {
  const [mongo, store] = await Promise.all([mongodb({ auth: { user: 'op', password: PASSWORD } }), minio()])
  await store.bucket('backups')
  const world = newWorld(shapeOf(store.endpoint, 'backups'))
  await withShop(mongo, async shop => {
    await shop.collection('orders').insertMany(Array.from({ length: orders }, (_, n) => ({ n, says: `order ${n}`, filler: 'x'.repeat(200) })))
    await shop.collection('users').insertOne({ name: 'ada' })
  })
  const tools = [...new Set(['mongodump', 'mongorestore'].flatMap(tool => find(tool) ?? []).map(file => dirname(file)))].join(':')
  const env = {
    PATH: `${tools}:${dirname(process.execPath)}:/usr/bin:/bin`,
    SHOP_URI: addressOf(mongo.port),
    S3_ID: store.accessKey,
    S3_KEY: store.secretKey,
  }
  return { mongo, store, world, env }
}

/** Works with the database itself. */
export async function withShop<T>(mongo: Mongo, work: (db: import('mongodb').Db) => Promise<T>): Promise<T> {
  const client = new MongoClient(addressOf(mongo.port), { serverSelectionTimeoutMS: 3_000, directConnection: true })
  try {
    return await work(client.db('shop'))
  } finally {
    await client.close()
  }
}

/** Every live document, in order. */
export const shopRows = (mongo: Mongo) =>
  withShop(mongo, async shop =>
    JSON.stringify([
      await shop.collection('orders').find().sort({ n: 1 }).toArray(),
      await shop.collection('users').find().sort({ name: 1 }).toArray(),
    ]),
  )

/** Names of the collections, ours beside the live ones included. */
export const collections = (mongo: Mongo) => withShop(mongo, async shop => (await shop.listCollections().toArray()).map(({ name }) => name).sort())

/** Keys of every object and of every unfinished upload in the bucket. */
export async function bucketKeys(store: Minio): Promise<string[]> {
  const { S3Client, ListObjectsV2Command, ListMultipartUploadsCommand } = await import('@aws-sdk/client-s3')
  const client = new S3Client({
    endpoint: store.endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: store.accessKey, secretAccessKey: store.secretKey },
  })
  try {
    const objects = await client.send(new ListObjectsV2Command({ Bucket: 'backups' }))
    const uploads = await client.send(new ListMultipartUploadsCommand({ Bucket: 'backups' }))
    return [...(objects.Contents ?? []).map(({ Key }) => Key ?? ''), ...(uploads.Uploads ?? []).map(({ Key }) => `unfinished ${Key}`)].sort()
  } finally {
    client.destroy()
  }
}

/** The environment of the servers with something else in it. */
export const withEnv = ({ env }: Served, more: Record<string, string> = {}, how: Invoke = {}): Invoke => ({ ...how, env: { ...env, ...more } })
