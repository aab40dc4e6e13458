import { spawnSync } from 'node:child_process'
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { MongoClient } from 'mongodb'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { copyOf, endWorlds, invoke, newWorld, pointsOf, ROOT, rowsOf, type World } from '../runbooks/kit.ts'
import { describeWith, type Mongo, mongodb } from '../testbed/index.ts'
import { block, blockNames } from './documents.ts'

const PAGE = 'docs/recovery-point.md'

afterAll(endWorlds)

/** Runs a block of the page in the folder of the newest recovery point, as a person would: a plain shell, no Node on PATH. */
function byHand(world: World, name: string, env: Readonly<Record<string, string>> = {}) {
  const to = join(world.folder, 'by-hand')
  mkdirSync(to, { recursive: true })
  const path = (process.env.PATH ?? '').split(':').filter(folder => !folder.startsWith(`${ROOT}/`))
  const cwd = join(world.store, 'shop/local', pointsOf(world).at(-1) ?? '')
  const ran = spawnSync('/bin/sh', ['-eu', '-c', block(PAGE, name)], {
    cwd,
    encoding: 'utf8',
    env: { PATH: path.join(':'), HOME: to, TO: to, ...env },
  })
  return { ...ran, to, cwd }
}

test('every command of the page is run by a test below', () => {
  expect(blockNames(PAGE)).toEqual([
    'check',
    'manifest',
    'sqlite',
    'files',
    'mongodb',
    'postgres-object',
    'postgres-roles',
    'postgres',
    'redis',
    'age',
  ])
})

describeWith('zstd', 'a recovery point restored by hand', () => {
  let world: World
  beforeAll(async () => {
    world = newWorld()
    mkdirSync(join(world.media, 'nested'))
    writeFileSync(join(world.media, 'nested', '-rf $(id) "ö".txt'), 'awkward')
    symlinkSync('nested/nowhere', join(world.media, 'link'))
    const ran = await invoke(world, 'backup', ['--yes'])
    expect(ran.stderr).toContain('DONE')
    expect(ran.exit).toBe(0)
  })

  test('the checksums of a sound point agree', () => {
    const { status, stdout } = byHand(world, 'check')
    expect(stdout).toBe('database.sqlite.zst is as recorded\nmedia.tar.zst is as recorded\n')
    expect(status).toBe(0)
  })

  test('a flipped bit in an object is found', () => {
    const copy = copyOf(world)
    const file = join(copy.store, 'shop/local', pointsOf(copy)[0] ?? '', 'media.tar.zst')
    const bytes = readFileSync(file)
    bytes.writeUInt8(bytes.readUInt8(bytes.length >> 1) ^ 1, bytes.length >> 1)
    writeFileSync(file, bytes)
    const { status, stdout } = byHand(copy, 'check')
    expect(stdout).toContain('media.tar.zst is NOT as recorded')
    expect(status).toBe(1)
  })

  test('the manifest agrees with its own digest, and a changed one does not', () => {
    expect(byHand(world, 'manifest').stdout).toBe('the manifest is as it was written\n')
    const copy = copyOf(world)
    const file = join(copy.store, 'shop/local', pointsOf(copy)[0] ?? '', 'manifest.json')
    writeFileSync(file, readFileSync(file, 'utf8').replace('"count": 40', '"count": 41'))
    expect(byHand(copy, 'manifest').status).toBe(1)
    truncateSync(file, 100)
    appendFileSync(file, '\n')
    expect(byHand(copy, 'manifest').status).toBe(1)
  })

  test('the database has the same rows', () => {
    const { status, to } = byHand(world, 'sqlite')
    expect(status).toBe(0)
    expect(rowsOf(join(to, 'shop.sqlite'))).toBe(rowsOf(world.database))
  })

  test('the files have the same names, bytes, modes, times and links', () => {
    const { status, stderr, to } = byHand(world, 'files')
    expect(stderr).toBe('')
    expect(status).toBe(0)
    expect(tree(join(to, 'media'))).toEqual(tree(world.media))
  })
})

/** Everything about every entry below a folder that a backup must keep. */
function tree(folder: string): unknown[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .map(entry => {
      const path = join(entry.parentPath, entry.name)
      const name = path.slice(folder.length)
      if (entry.isSymbolicLink()) return [name, readlinkSync(path)]
      const { mode, mtimeMs } = statSync(path)
      return [name, mode, Math.floor(mtimeMs / 1000), entry.isFile() ? readFileSync(path, 'hex') : null]
    })
    .sort()
}

describeWith(['zstd', 'mongodb', 'mongodb-tools'], 'a MongoDB part restored by hand', () => {
  let server: Mongo
  let client: MongoClient
  beforeAll(async () => {
    server = await mongodb()
    client = new MongoClient(server.uri, { directConnection: true })
    const orders = client.db('shop').collection('orders')
    await orders.insertMany(Array.from({ length: 300 }, (_, n) => ({ number: n, says: `order ${n} “ö”`, lines: [n, { deep: n / 3 }] })))
    await orders.createIndex({ number: 1 }, { unique: true })
    await client.db('shop').collection('users').insertOne({ name: 'ada' })
  })
  afterAll(async () => {
    await client?.close()
    await server?.stop()
  })

  test('the other database has equal documents and indexes, and the file with the address is gone', async () => {
    const world = newWorld({ data: `database: mongodb({ uri: secret('MONGODB_URI'), databases: ['shop'] })`, env: `MONGODB_URI=${server.uri}\n` })
    const env = { PATH: process.env.PATH ?? '' }
    const made = await invoke(world, 'backup', ['--yes'], { env })
    expect(made.last).toContain('DONE')
    const ran = byHand(world, 'mongodb', { MONGODB_URI: `${server.uri}/` })
    expect(ran.stderr).toContain('301 document(s) restored successfully. 0 document(s) failed to restore.')
    expect(ran.status).toBe(0)
    expect(existsSync(join(ran.to, 'uri.yaml'))).toBe(false)
    for (const name of ['orders', 'users']) {
      const [wanted, found] = ['shop', 'shop_restored'].map(database => client.db(database).collection(name))
      const all = { sort: { _id: 1 as const } }
      expect(await found?.find({}, all).toArray()).toEqual(await wanted?.find({}, all).toArray())
      const keys = async (collection = found) => (await collection?.indexes())?.map(({ key, unique }) => ({ key, unique: unique === true }))
      expect(await keys(found)).toEqual(await keys(wanted))
    }
  })
})
