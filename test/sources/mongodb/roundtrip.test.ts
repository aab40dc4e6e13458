import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { mongodb as source } from '../../../lib/sources/mongodb/index.ts'
import { collect, doing } from '../../exec/doing.ts'
import { describeWith, type Mongo, mongodb } from '../../testbed/index.ts'
import { awkward, direct, SPACED, secret, seed } from './seed.ts'

describeWith(['mongodb', 'mongodb-tools'], 'a MongoDB database', () => {
  // No newline: SCRAM (RFC 4013, SASLprep) prohibits control characters in passwords.
  const password = `it's "a b" 100% @:/?#ü&\\{}`
  let server: Mongo
  let uri: string

  beforeAll(async () => {
    server = await mongodb({ auth: { user: 'ops', password } })
    uri = `mongodb://ops:${encodeURIComponent(password)}@127.0.0.1:${server.port}/`
    await seed(uri)
  })
  afterAll(() => server?.stop())

  const shop = (database = 'shop') => source('database', { uri: secret(uri), databases: [database], collections: { expected: [] } })
  async function* bytes(archive: Buffer) {
    for (let at = 0; at < archive.length; at += 65_536) yield archive.subarray(at, at + 65_536)
  }

  test('its facts are counts, size, the newest time and the tools', async () => {
    const facts = await shop().facts(doing())
    expect(facts).toMatchObject({ name: 'database', kind: 'mongodb', where: `mongodb://127.0.0.1:${server.port}/shop`, state: 'answers' })
    expect(facts.counts).toEqual({ orders: 4_000, users: 2, empty: 0, [SPACED]: 1 })
    expect(facts.sizeBytes).toBeGreaterThan(2_000_000)
    expect(Date.now() - Date.parse(facts.newest ?? '')).toBeLessThan(60_000)
    expect(facts.tools).toEqual([
      { name: 'mongodump', version: expect.stringMatching(/^\d+\./) },
      { name: 'mongorestore', version: expect.stringMatching(/^\d+\./) },
    ])
  })

  test('of 4,000 documents goes out, and comes back beside with equal documents and indexes', async () => {
    const database = shop()
    const dump = database.dump()
    const archive = await collect(dump.open(doing()))
    const content = dump.content()
    expect(content.warnings).toEqual([])
    expect(Object.fromEntries(Object.entries(content.items).map(([name, { count }]) => [name, count]))).toEqual({
      orders: 4_000,
      users: 2,
      empty: 0,
      [SPACED]: 1,
    })
    expect(await database.examine(bytes(archive), doing())).toEqual(content)
    await database.load('beside', 'r1').take(bytes(archive), doing())
    expect(await database.content('beside', 'r1', doing())).toEqual(content)
    await database.unload('beside', 'r1').run(doing())
  })

  test('what a restore made is no part of the data, is found, and is removed', async () => {
    await seed(uri, 20, 'rests')
    // Only here, as the stand-in cannot rename a collection with a dot.
    await direct(uri, db => db.collection('logs.2025').insertOne({ a: 1 }), 'rests')
    const database = shop('rests')
    const dump = database.dump()
    const archive = await collect(dump.open(doing()))
    const content = dump.content()
    for (const place of ['beside', 'scratch'] as const) await database.load(place, 'r1').take(bytes(archive), doing())
    expect(await database.presence('r1', doing())).toEqual({ live: 5, beside: 5, aside: 0, scratch: 5 })
    expect(await database.remains(doing())).toEqual(
      expect.arrayContaining([
        { run: 'r1', place: 'beside' },
        { run: 'r1', place: 'scratch' },
      ]),
    )
    const again = database.load('beside', 'r1').take(bytes(archive), doing())
    await expect(again).rejects.toMatchObject({ exit: 5, message: expect.stringContaining('already holds what run r1 loaded') })

    const second = database.dump()
    await collect(second.open(doing()))
    expect(second.content().items).toEqual(content.items)
    expect(second.content().warnings).toEqual([])
    expect(Object.keys((await database.facts(doing())).counts)).toHaveLength(5)

    for (const place of ['beside', 'scratch', 'scratch'] as const) await database.unload(place, 'r1').run(doing())
    expect(await database.presence('r1', doing())).toEqual({ live: 5, beside: 0, aside: 0, scratch: 0 })
    expect(await database.remains(doing())).toEqual([])
  })

  test('a lost index and a changed document make the content differ', async () => {
    await seed(uri, 20, 'small')
    const database = shop('small')
    const before = await database.content('live', 'r1', doing())
    await direct(uri, db => db.collection('orders').dropIndex('n_half'), 'small')
    const without = await database.content('live', 'r1', doing())
    expect(without.items.orders?.digest.split(' ')[0]).toBe(before.items.orders?.digest.split(' ')[0])
    expect(without.items.orders?.digest).not.toBe(before.items.orders?.digest)
    await direct(uri, db => db.collection('orders').updateOne({ n: 3 }, { $set: { half: 0.25 } }), 'small')
    expect((await database.content('live', 'r1', doing())).items.orders?.digest).not.toBe(without.items.orders?.digest)
    expect((await database.content('live', 'r1', doing())).items.users).toEqual(before.items.users)
  })

  test('is restored by hand with the command that it names, into a database of another name', async () => {
    await seed(uri, 20, 'hand')
    const database = shop('hand')
    const folder = await mkdtemp(join(tmpdir(), 'mongodb-by-hand-'))
    await writeFile(join(folder, 'uri.yaml'), `uri: ${JSON.stringify(`${uri}?authSource=admin`)}\n`)
    await writeFile(join(folder, 'database.archive'), await collect(database.dump().open(doing())))
    execFileSync('sh', ['-c', `cat database.archive | ${database.byHand[0]}`], { cwd: folder, stdio: 'pipe' })
    await rm(folder, { recursive: true })
    expect((await shop('hand_restored').content('live', 'r1', doing())).items).toEqual((await database.content('live', 'r1', doing())).items)
  })

  test('a dump taken under writes equals what is restored from it', async () => {
    await seed(uri, 1_000, 'busy')
    const database = shop('busy')
    let writing = true
    const writer = direct(
      uri,
      async db => {
        let n = 10_000
        for (; writing; n++) await db.collection('orders').insertOne(awkward(n))
        return n - 10_000
      },
      'busy',
    )
    const dump = database.dump()
    const archive = await collect(dump.open(doing()))
    writing = false
    expect(await writer).toBeGreaterThan(0)
    await database.load('scratch', 'r2').take(bytes(archive), doing())
    expect((await database.content('scratch', 'r2', doing())).items).toEqual(dump.content().items)
    await database.unload('scratch', 'r2').run(doing())
  })

  test('neither the address nor the password stands on any command line while the tools run', async () => {
    const seen: string[] = []
    const look = () => {
      for (const pid of readdirSync('/proc').filter(name => /^\d+$/.test(name))) {
        try {
          const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
          if (/mongo(dump|restore)/.test(line)) seen.push(`${line} ${readFileSync(`/proc/${pid}/environ`, 'utf8')}`)
        } catch {
          // Gone between listing and reading.
        }
      }
    }
    await seed(uri, 500, 'quiet')
    const database = shop('quiet')
    const timer = setInterval(look, 5)
    const archive = await collect(database.dump().open(doing()))
    await database.load('scratch', 'r3').take(bytes(archive), doing())
    clearInterval(timer)
    await database.unload('scratch', 'r3').run(doing())
    expect(seen.some(line => line.includes('mongodump'))).toBe(true)
    expect(seen.some(line => line.includes('mongorestore'))).toBe(true)
    for (const word of [password, encodeURIComponent(password), '100%', 'ops:']) expect(seen.filter(line => line.includes(word))).toEqual([])
    expect(database.dump().prints + database.load('beside', 'r3').prints).not.toContain(encodeURIComponent(password))
  })
})
