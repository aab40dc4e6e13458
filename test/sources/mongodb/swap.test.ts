import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { mongodb as source } from '../../../lib/sources/mongodb/index.ts'
import { collect, doing } from '../../exec/doing.ts'
import { describeWith, type Mongo, mongodb } from '../../testbed/index.ts'
import { direct, SPACED, secret, seed } from './seed.ts'

describeWith(['mongodb', 'mongodb-tools'], 'swapping collections of a MongoDB database', () => {
  const names = ['empty', 'orders', 'users', SPACED]
  let server: Mongo
  let database: ReturnType<typeof source>
  let name: string
  let made = 0

  beforeAll(async () => {
    server = await mongodb()
  })
  afterAll(() => server?.stop())

  /** A database of its own whose backup of 20 orders is loaded beside, and whose live data has changed since. */
  beforeEach(async () => {
    name = `shop${made++}`
    database = source('database', { uri: secret(server.uri), databases: [name] })
    await seed(server.uri, 20, name)
    const archive = await collect(database.dump().open(doing()))
    await database.load('beside', 'r1').take(
      (async function* () {
        yield archive
      })(),
      doing(),
    )
    await direct(server.uri, db => db.collection('orders').deleteMany({}), name)
    await direct(server.uri, db => db.collection('users').drop(), name)
    await direct(server.uri, db => db.collection('later').insertOne({ a: 1 }), name)
  })

  const counts = async () => (await database.facts(doing())).counts
  const [old, restored] = [
    { empty: 0, later: 1, orders: 0, [SPACED]: 1 },
    { empty: 0, orders: 20, users: 2, [SPACED]: 1 },
  ]

  test('puts the restored in place and the present aside; back, again and forgotten', async () => {
    await database.swap('r1', names).run(doing())
    expect(await counts()).toEqual(restored)
    expect(await database.presence('r1', doing())).toEqual({ live: 4, beside: 0, aside: 4, scratch: 0 })
    expect(await database.swap('r1', names).run(doing())).toEqual({ renamed: 0 })

    await database.swapBack('r1', names).run(doing())
    expect(await counts()).toEqual(old)
    expect(await database.swapBack('r1', names).run(doing())).toEqual({ renamed: 0 })
    expect(await database.presence('r1', doing())).toEqual({ live: 4, beside: 4, aside: 0, scratch: 0 })

    await database.swap('r1', names).run(doing())
    expect(await database.remains(doing())).toEqual([{ run: 'r1', place: 'aside' }])
    await database.forget('r1').run(doing())
    await database.forget('r1').run(doing())
    expect(await counts()).toEqual(restored)
    expect(await database.remains(doing())).toEqual([])
    const indexes = await direct(server.uri, db => db.collection('orders').indexes(), name)
    expect(indexes).toContainEqual(expect.objectContaining({ name: 'n_half', unique: true }))
  })

  /** Renames until so many renamings are done, as a process does that is killed then. */
  async function killedAfter(renamings: number, action: ReturnType<typeof database.swap>): Promise<void> {
    const context = doing()
    const killed = action.run({ ...context, progress: ({ done }) => void (done === renamings && context.abort.abort(new Error('killed'))) })
    await expect(killed).rejects.toThrow('killed')
  }

  test.each([1, 2, 3, 4, 5, 6, 7])('killed after %i of 8 renamings it is finished by a second call, and taken back by the reverse', async done => {
    await killedAfter(done, database.swap('r1', names))
    await database.swapBack('r1', names).run(doing())
    expect(await counts()).toEqual(old)
    await killedAfter(done, database.swap('r1', names))
    await database.swap('r1', names).run(doing())
    expect(await counts()).toEqual(restored)
  })

  test('a collection made again by a writer in the middle stops both ways, is named, and nothing is overwritten', async () => {
    // later aside, empty aside, empty in place, orders aside.
    await killedAfter(4, database.swap('r1', names))
    await expect(database.forget('r1').run(doing())).rejects.toMatchObject({
      exit: 5,
      message: expect.stringContaining('only what stands aside has the present data of orders'),
    })
    await direct(server.uri, db => db.collection('orders').insertOne({ written: 'meanwhile' }), name)
    for (const action of [database.swap('r1', names), database.swapBack('r1', names)]) {
      await expect(action.run(doing())).rejects.toMatchObject({ exit: 5, message: expect.stringContaining('orders was made again by a writer') })
    }
    expect((await counts()).orders).toBe(1)
    const aside = await direct(server.uri, db => db.listCollections({}, { nameOnly: true }).toArray(), name)
    expect(aside.map(one => one.name)).toEqual(expect.arrayContaining(['orders', 'orders__aside_r1', 'orders__restore_r1']))
  })

  test('a writer that does not stop costs nothing: what it wrote, what was there and what was restored all stand', async () => {
    let writing = true
    const writer = direct(
      server.uri,
      async db => {
        let written = 0
        for (; writing; written++) await db.collection('orders').insertOne({ n: 1_000 + written, half: 0 })
        return written
      },
      name,
    )
    const end = await database
      .swap('r1', names)
      .run(doing())
      .catch((error: unknown) => error)
    writing = false
    const written = await writer
    if (end instanceof Error) expect(end).toMatchObject({ exit: 5 })
    const total = await direct(
      server.uri,
      async db => {
        const places = ['orders', 'orders__aside_r1', 'orders__restore_r1']
        const each = await Promise.all(places.map(place => db.collection(place).countDocuments()))
        return each.reduce((sum, count) => sum + count, 0)
      },
      name,
    )
    expect(total).toBe(20 + written)
  })
})
