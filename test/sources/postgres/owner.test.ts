import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { postgres as source } from '../../../lib/sources/postgres/index.ts'
import { doing } from '../../exec/doing.ts'
import { describeWith, type Postgres, postgres } from '../../testbed/index.ts'
import { dumped, streamOf } from '../conformance.ts'
import { secret } from './shop.ts'

describeWith('postgres', 'a PostgreSQL database that is not its superuser’s', () => {
  let server: Postgres
  let shop: ReturnType<typeof source>
  const name = `Odd "Shop's"`
  const settings = () =>
    server.sql(
      'postgres',
      `SELECT datname, setrole::regrole, setconfig FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase ORDER BY 1, 2`,
    )
  const run = 'r1'

  beforeAll(async () => {
    server = await postgres()
    server.sql('postgres', `CREATE ROLE "app user" LOGIN CREATEDB PASSWORD 'app-password'; CREATE ROLE reader LOGIN PASSWORD 'reader-password'`)
    server.sql('postgres', `CREATE DATABASE "Odd ""Shop's""" OWNER "app user"`)
    server.sql(
      'postgres',
      `ALTER DATABASE "Odd ""Shop's""" SET work_mem = '8MB'; ALTER ROLE reader IN DATABASE "Odd ""Shop's""" SET statement_timeout = '5s'`,
    )
    const url = `postgres://${encodeURIComponent('app user')}:app-password@127.0.0.1:${server.port}/`
    shop = source('database', { url: secret(url), database: name, bin: server.bin })
    server.sql(name, `SET ROLE "app user"; CREATE TABLE t (a int); INSERT INTO t VALUES (1), (2); GRANT SELECT ON t TO reader`)
  }, 60_000)
  afterAll(() => server?.stop())

  test('is dumped, loaded, locked, swapped and taken back by its owner, with its odd name', { timeout: 60_000 }, async () => {
    const before = settings()
    const { bytes, content } = await dumped(shop)
    server.sql(name, 'DELETE FROM t')
    const loading = shop.load('beside', run).take(streamOf(bytes), doing())
    // Settings for another role are not the owner's to make.
    await expect(loading).rejects.toMatchObject({
      exit: 4,
      message: expect.stringMatching(/permission denied|must be/),
      next: ["put a superuser's address into DATABASE_URL for this"],
    })
    await shop.unload('beside', run).run(doing())
    server.sql('postgres', `ALTER ROLE reader IN DATABASE "Odd ""Shop's""" RESET ALL`)
    const plain = await dumped(shop)
    expect(plain.content.items['(schema)']).toEqual(content.items['(schema)'])
    server.sql(name, 'INSERT INTO t VALUES (3)')
    await shop.load('beside', run).take(streamOf(plain.bytes), doing())
    expect((await shop.content('beside', run, doing())).items).toEqual(plain.content.items)
    await shop.lock!.hold(run).run(doing())
    await shop.swap(run, []).run(doing())
    expect(server.sql(name, 'SELECT count(*) FROM t')).toBe('0')
    await shop.swapBack(run, []).run(doing())
    await shop.lock!.release(run).run(doing())
    expect(server.sql(name, 'SELECT count(*) FROM t')).toBe('1')
    await shop.unload('beside', run).run(doing())
    expect(before).toContain('statement_timeout=5s')
    expect(settings()).toContain('work_mem=8MB')
    expect(await shop.remains(doing())).toEqual([])
  })

  test('is not called locked while a session that its owner may not end goes on writing', { timeout: 60_000 }, async () => {
    const env = { ...process.env, PGPASSWORD: server.password }
    const other = spawn(join(server.bin, 'psql'), ['-h', '127.0.0.1', '-p', String(server.port), '-U', 'root', name], {
      env,
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    try {
      while (server.sql('postgres', `SELECT count(*) FROM pg_stat_activity WHERE datname LIKE 'Odd%'`) === '0') await sleep(50)
      await expect(shop.lock!.hold('r2').run(doing())).rejects.toMatchObject({ exit: 4, message: expect.stringMatching(/must be|permission denied/) })
    } finally {
      other.stdin.end()
      await once(other, 'exit')
    }
    await shop.lock!.release('r2').run(doing())
    expect(await shop.lock!.held(doing())).toBeNull()
  })
})
