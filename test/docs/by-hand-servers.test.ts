import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { endWorlds, invoke, newWorld, pointsOf, type World } from '../runbooks/kit.ts'
import { describeWith, type Postgres, postgres, type Redis, redis } from '../testbed/index.ts'
import { block } from './documents.ts'

const PAGE = 'docs/recovery-point.md'

afterAll(endWorlds)

/** A world whose only part is that of a server, backed up once. */
async function backedUp(data: string, env: string, path: string): Promise<World> {
  const world = newWorld({ data, env })
  const file = join(world.config, 'shop.ts')
  writeFileSync(file, readFileSync(file, 'utf8').replace('mongodb, s3', 'mongodb, postgres, redis, s3'))
  const ran = await invoke(world, 'backup', ['--yes'], { env: { PATH: path } })
  expect(ran.stderr).toContain('DONE')
  mkdirSync(join(world.folder, 'to'))
  return world
}

/** Runs a block of the page in the folder of the recovery point, as a person would: a plain shell. */
function byHand(world: World, name: string, env: Readonly<Record<string, string>>) {
  const cwd = join(world.store, 'shop/local', pointsOf(world).at(-1) ?? '')
  return spawnSync('/bin/sh', ['-eu', '-c', block(PAGE, name)], { cwd, encoding: 'utf8', env: { TO: join(world.folder, 'to'), ...env } })
}

describeWith(['zstd', 'postgres'], 'a PostgreSQL part restored by hand', () => {
  let server: Postgres
  let env: Record<string, string>
  beforeAll(async () => {
    server = await postgres()
    server.sql('postgres', 'CREATE DATABASE shop')
    server.sql('postgres', 'CREATE ROLE clerk')
    server.sql(
      'shop',
      "CREATE TABLE orders (id serial PRIMARY KEY, says text); INSERT INTO orders (says) SELECT 'order ' || n || ' “ö”' FROM generate_series(1, 300) n",
    )
    server.sql('shop', 'GRANT SELECT ON orders TO clerk')
    server.sql('shop', "INSERT INTO orders (says) VALUES ('-- Roles and tablespaces of the server'), ('x')")
    const connection = { PGHOST: '127.0.0.1', PGPORT: String(server.port), PGUSER: server.user, PGPASSWORD: server.password }
    env = { PATH: `${server.bin}:${process.env.PATH}`, ...connection }
  })
  afterAll(() => server?.stop())

  test('the new database has equal rows and rights, and the roles come back when they are gone', async () => {
    const url = new URL('/shop', server.url)
    const world = await backedUp(`database: postgres({ url: secret('DATABASE_URL'), database: 'shop' })`, `DATABASE_URL='${url}'\n`, env.PATH ?? '')
    server.sql('shop', 'DROP OWNED BY clerk')
    server.sql('postgres', 'DROP ROLE clerk')
    expect(byHand(world, 'postgres-object', env).status).toBe(0)
    expect(byHand(world, 'postgres-roles', env).status).toBe(0)
    const ran = byHand(world, 'postgres', env)
    expect(ran.stderr).not.toContain('error')
    expect(ran.status).toBe(0)
    const rows = (database: string) => server.sql(database, 'SELECT * FROM orders ORDER BY id')
    expect(rows('shop_restored').split('\n')).toHaveLength(302)
    expect(rows('shop_restored')).toBe(rows('shop'))
    expect(server.sql('shop_restored', "SELECT has_table_privilege('clerk', 'orders', 'SELECT')")).toBe('t')
  })
})

describeWith(['zstd', 'redis'], 'a Redis part by hand', () => {
  let server: Redis
  let restored: Redis | undefined
  beforeAll(async () => {
    server = await redis()
  })
  afterAll(async () => {
    await restored?.stop()
    await server?.stop()
  })

  test('the dump is one that Redis finds sound and starts from, with the same keys', async () => {
    server.lines('SET greeting “ö”\nRPUSH list 1 2 3\nSELECT 3\nHSET user:1 name ada')
    const path = process.env.PATH ?? ''
    const world = await backedUp(
      `cache: redis({ url: secret('REDIS_URL') })`,
      `REDIS_URL='redis://:${encodeURIComponent(server.password)}@127.0.0.1:${server.port}'\n`,
      path,
    )
    const ran = byHand(world, 'redis', { PATH: path })
    expect(ran.stdout).toMatch(/RDB looks OK/)
    expect(ran.status).toBe(0)
    const dir = join(world.folder, 'to')
    expect(existsSync(join(dir, 'dump.rdb'))).toBe(true)
    restored = await redis({ settings: { dir } })
    expect(restored.command('INFO', 'keyspace')).toBe(server.command('INFO', 'keyspace'))
    expect(restored.command('LRANGE', 'list', '0', '-1')).toBe('1\n2\n3')
    expect(restored.command('GET', 'greeting')).toBe(server.command('GET', 'greeting'))
  })
})
