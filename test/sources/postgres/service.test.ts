import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { postgres as source } from '../../../lib/sources/postgres/index.ts'
import { doing } from '../../exec/doing.ts'
import { type Docker, describeWith, docker } from '../../testbed/index.ts'
import { dumped, streamOf } from '../conformance.ts'
import { secret } from './shop.ts'

/** A server that publishes no port and has no network at all, and that asks for a password on its local socket. */
const START = `printf %s "$PW" > /tmp/pw && initdb -D /tmp/data -U app -A scram-sha-256 --pwfile=/tmp/pw -E UTF8 --locale=C --no-sync >/dev/null &&
exec postgres -D /tmp/data -c listen_addresses= -c fsync=off 2>&1`

describeWith(['docker', 'postgres'], 'PostgreSQL in a service without a port', () => {
  let engine: Docker
  const before = process.env.DOCKER_HOST
  const password = 'p w$"\''
  let shop: ReturnType<typeof source>
  const at = (file: string, more: object = {}) =>
    source('database', {
      in: { compose: { project: 'ecosyste', file }, service: 'db' },
      user: 'app',
      password: secret(password, 'DB_PASSWORD'),
      database: 'ecosyste',
      ...more,
    })
  let file: string
  const sql = (text: string, database = 'ecosyste') =>
    engine.docker(
      'compose',
      '-p',
      'ecosyste',
      '-f',
      file,
      'exec',
      '-T',
      '-e',
      `PGPASSWORD=${password}`,
      'db',
      'psql',
      '-XqAt',
      '-U',
      'app',
      '-d',
      database,
      '-c',
      text,
    )

  beforeAll(async () => {
    engine = await docker()
    process.env.DOCKER_HOST = engine.address
    const service = {
      image: engine.postgresImage(),
      network_mode: 'none',
      user: '65534:65534',
      environment: { PW: password.replaceAll('$', '$$$$') },
    }
    file = engine.up('ecosyste', { db: { ...service, command: ['sh', '-c', START.replaceAll('$', '$$$$')] } })
    shop = at(file)
    for (let tries = 0; (await shop.facts(doing())).state === 'unreachable' && tries < 100; tries++) await sleep(200)
    sql('CREATE DATABASE ecosyste', 'postgres')
    sql(`CREATE TABLE orders (id serial, note text); INSERT INTO orders (note) SELECT repeat(md5(i::text), 20) FROM generate_series(1, 20000) i`)
  }, 120_000)
  afterAll(async () => {
    await engine?.stop()
    if (before === undefined) delete process.env.DOCKER_HOST
    else process.env.DOCKER_HOST = before
  }, 60_000)

  test('is looked at, dumped, drilled, restored and taken back through exec alone', { timeout: 120_000 }, async () => {
    const run = 'r1'
    expect(await shop.facts(doing())).toMatchObject({
      state: 'answers',
      where: 'ecosyste/db postgres://local/ecosyste',
      counts: { 'public.orders': 20_000 },
      tools: [{ name: 'psql', version: expect.stringMatching(/^\d/) }, { name: 'pg_dump' }, { name: 'pg_dumpall' }, { name: 'pg_restore' }],
    })
    const { bytes, content } = await dumped(shop)
    expect(content.items['public.orders']).toMatchObject({ count: 20_000 })
    sql('DELETE FROM orders WHERE id > 100')
    for (const place of ['scratch', 'beside'] as const) {
      await shop.load(place, run).take(streamOf(bytes), doing())
      expect((await shop.content(place, run, doing())).items).toEqual(content.items)
    }
    await shop.unload('scratch', run).run(doing())
    await shop.lock!.hold(run).run(doing())
    expect(() => sql('DELETE FROM orders')).toThrow(/read-only/)
    await shop.swap(run, []).run(doing())
    expect(sql('SELECT count(*) FROM orders')).toBe('20000')
    await shop.swapBack(run, []).run(doing())
    await shop.lock!.release(run).run(doing())
    expect(sql('SELECT count(*) FROM orders')).toBe('100')
    await shop.unload('beside', run).run(doing())
    expect(await shop.remains(doing())).toEqual([])
  })

  test('a dump that is given up, or whose docker is killed, ends in the service too and does not disturb the server', {
    timeout: 60_000,
  }, async () => {
    const dumps = () => sql(`SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pg_dump'`)
    const begun = sql('SELECT pg_postmaster_start_time()')
    for await (const _ of shop.dump().open(doing())) break
    const ours = doing()
    const stream = shop.dump().open(ours)
    const cut = (async () => {
      for await (const _ of stream) process.kill(-ours.started.at(-1)!.pid, 'SIGKILL')
    })()
    await expect(cut).rejects.toThrow()
    for (let waited = 0; dumps() !== '0' && waited < 50; waited++) await sleep(100)
    expect(dumps()).toBe('0')
    expect(sql('SELECT pg_postmaster_start_time()')).toBe(begun)
    expect(engine.docker('compose', '-p', 'ecosyste', '-f', file, 'logs', 'db')).not.toContain('terminating any other active server processes')
  })

  test('says that the password is wrong, or that the service is not there', { timeout: 60_000 }, async () => {
    expect(await at(file, { password: secret('wrong') }).facts(doing())).toMatchObject({
      state: 'denied',
      because: expect.stringContaining('password'),
    })
    const gone = at(file, { in: { compose: { project: 'ecosyste', file }, service: 'nobody' } })
    expect(await gone.facts(doing())).toMatchObject({
      state: 'unreachable',
      because: expect.stringContaining('The service nobody cannot be entered'),
    })
  })
})
