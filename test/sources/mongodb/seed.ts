import { Binary, type Db, Double, Int32, Long, MongoClient, ObjectId, Timestamp, UUID } from 'mongodb'
import { Secret } from '../../../lib/plan/secrets.ts'

/** Works with the server itself, past the source under test. */
export async function direct<T>(uri: string, work: (db: Db) => Promise<T>, database = 'shop'): Promise<T> {
  const client = new MongoClient(uri, { serverSelectionTimeoutMS: 3_000 })
  try {
    return await work(client.db(database))
  } finally {
    await client.close()
  }
}

export const secret = (uri: string) => new Secret('DB_URI', uri)

/** The types that are easily lost on the way; the stand-in takes no Decimal128, NaN nor arrays in arrays. */
export function awkward(n: number) {
  return {
    _id: new ObjectId(),
    n: new Int32(n),
    long: Long.fromString('9007199254740993'),
    whole: new Double(3),
    half: 0.5,
    nothing: null,
    when: new Date(Date.UTC(2025, 11, 9, 2, 14, 2, n % 1000)),
    stamp: new Timestamp({ t: 1_700_000_000, i: n }),
    bytes: new Binary(Buffer.from([0, 255, n & 255, 10])),
    uuid: new UUID('2a11040e-e33a-4e4f-8bad-993286cbd8de'),
    text: 'Ünïcode 漢字 🜁 "quoted" \n\\ line',
    deep: { list: [1, 'two', { three: [{}, { four: [] }] }], 'key with spaces': true },
    pattern: /a.*b/i,
    filler: 'x'.repeat(600),
  }
}

export const SPACED = 'logs 2025 für alle'

/** Four collections, one of them empty and one with an awkward name, and a unique index of two fields. */
export async function seed(uri: string, orders = 4_000, database = 'shop'): Promise<void> {
  await direct(
    uri,
    async db => {
      await db.collection('orders').insertMany(Array.from({ length: orders }, (_, n) => awkward(n)))
      await db.collection('orders').createIndex({ n: 1, half: -1 }, { unique: true, name: 'n_half' })
      await db.collection<{ _id: string }>('users').insertMany([{ _id: 'ä' }, { _id: 'o’b' }])
      await db.createCollection('empty')
      await db.collection(SPACED).insertOne({ of: 'a name with spaces and letters beyond ASCII' })
    },
    database,
  )
}
