import { execFileSync } from 'node:child_process'
import { chownSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { postgres as source } from '../../../lib/sources/postgres/index.ts'
import { doing } from '../../exec/doing.ts'
import { describeWith, type Postgres, postgres } from '../../testbed/index.ts'
import { dumped, streamOf } from '../conformance.ts'
import { everything, fill, secret } from './shop.ts'

describeWith('postgres', 'a PostgreSQL server that is killed, or follows another', () => {
  let server: Postgres
  let shop: ReturnType<typeof source>

  beforeAll(async () => {
    server = await postgres()
    fill(server, 'shop', 60_000)
    shop = source('database', { url: secret(server.url), database: 'shop', bin: server.bin })
  }, 60_000)
  afterAll(() => server?.stop())

  test('a server killed halfway fails the dump and the load; what was half loaded can be removed', { timeout: 60_000 }, async () => {
    const { bytes } = await dumped(shop)
    const dump = (async () => {
      const taken = shop.dump()
      for await (const _ of taken.open(doing())) await server.kill()
      return taken.content()
    })()
    await expect(dump).rejects.toMatchObject({ exit: 8, message: expect.stringContaining('PostgreSQL does not answer') })
    expect(await shop.facts(doing())).toMatchObject({ state: 'unreachable' })
    await server.start()
    async function* halfway() {
      yield bytes.subarray(0, bytes.length >> 1)
      await server.kill()
      yield bytes.subarray(bytes.length >> 1)
    }
    await expect(shop.load('beside', 'r1').take(halfway(), doing())).rejects.toMatchObject({ exit: 8 })
    await server.start()
    expect(await shop.remains(doing())).toEqual([{ run: 'r1', place: 'beside' }])
    await shop.unload('beside', 'r1').run(doing())
    expect(await shop.remains(doing())).toEqual([])
  })

  test('a lock outlives the server’s crash, stops its superuser too, and lets readers read', { timeout: 60_000 }, async () => {
    await shop.lock!.hold('r2').run(doing())
    await server.kill()
    await server.start()
    expect(await shop.lock!.held(doing())).toBe('r2')
    expect(() => server.sql('shop', 'DELETE FROM orders')).toThrow(/read-only transaction/)
    expect(server.sql('shop', 'SELECT count(*) FROM orders')).toBe('60004')
    await shop.lock!.release('r2').run(doing())
    server.sql('shop', 'DELETE FROM orders WHERE id = 9')
    expect(server.sql('postgres', `SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = 'shop'`)).toBe("the shop's")
  })

  test('the commands by hand restore a dump from its bytes', { timeout: 60_000 }, async () => {
    // A restore computes materialized views anew.
    server.sql('shop', 'REFRESH MATERIALIZED VIEW totals')
    const { bytes } = await dumped(shop)
    writeFileSync(join(server.folder, 'stdin'), bytes)
    const env = {
      ...process.env,
      PATH: `${server.bin}:${process.env.PATH}`,
      PGHOST: '127.0.0.1',
      PGPORT: String(server.port),
      PGUSER: 'root',
      PGPASSWORD: server.password,
    }
    execFileSync('sh', ['-c', `set -e\n${shop.byHand.map((line, at) => (at === 0 ? `${line} < stdin` : line)).join('\n')}`], {
      env,
      cwd: server.folder,
      stdio: 'pipe',
    })
    // Settings of the database as a whole are not among what a new database of another name is given.
    const rows = (database: string) => {
      const all = everything(server, database)
      return all.slice(0, all.indexOf('plpgsql'))
    }
    expect(rows('shop_restored')).toEqual(rows('shop'))
    expect(readFileSync(join(server.folder, 'shop.dump')).subarray(0, 5).toString()).toBe('PGDMP')
  })

  // Last, as the server stays a standby.
  test('a standby can be dumped, says so, and is not restored into', { timeout: 60_000 }, async () => {
    await server.kill()
    const signal = join(server.folder, 'data/standby.signal')
    writeFileSync(signal, '')
    if (process.getuid?.() === 0) chownSync(signal, 65_534, 65_534)
    await server.start()
    expect(await shop.facts(doing())).toMatchObject({ state: 'answers', because: expect.stringContaining('standby') })
    const { bytes } = await dumped(shop)
    await expect(shop.load('beside', 'r3').take(streamOf(bytes), doing())).rejects.toMatchObject({
      exit: 3,
      message: expect.stringContaining('is a standby'),
    })
  })
})
