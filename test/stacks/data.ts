import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { MongoClient, type MongoClientOptions } from 'mongodb'
import { mongoKind } from '../testbed/availability.ts'
import type { Mongo } from '../testbed/index.ts'

const sha256 = (bytes: string | Buffer) => createHash('sha256').update(bytes).digest('hex')

/** User and password of the testbed's MongoDB; the password breaks careless quoting. */
export const AUTH = { user: 'op', password: `p:w"'@/ %41` }

/** An address of an example file with a server of the testbed in place of the capitals. */
export function addressed(example: string, { port, user = AUTH.user, password = AUTH.password }: { port: number; user?: string; password?: string }) {
  const here = example.replace(/@[^/]+/, `@127.0.0.1:${port}`).replace('USER', encodeURIComponent(user))
  return here.replace('PASSWORD', encodeURIComponent(password))
}

/** What plays MongoDB here, for the title of a test. */
export const standIn = () => (mongoKind() === 'ferretdb' ? 'FerretDB (stands in for MongoDB)' : 'MongoDB')

/** A server at a port of this machine; its user is the testbed's own where none is named. */
type Reached = Pick<Mongo, 'port' | 'user' | 'password'>

/** Works with one database, not through the toolkit. */
export async function withMongo<T>(
  { port, user = AUTH.user, password = AUTH.password }: Reached,
  database: string,
  work: (db: import('mongodb').Db) => Promise<T>,
): Promise<T> {
  const options: MongoClientOptions = { auth: { username: user, password }, authSource: 'admin', directConnection: true }
  const client = new MongoClient(`mongodb://127.0.0.1:${port}`, options)
  try {
    return await work(client.db(database))
  } finally {
    await client.close()
  }
}

/** Whether the server says that it is a member of a replica set; an address that asks for one is not answered by another. */
export async function replicaSet(mongo: Mongo): Promise<boolean> {
  return (await withMongo(mongo, 'admin', db => db.command({ hello: 1 }))).setName !== undefined
}

/** Makes a user that is kept in `database`; the stand-in knows no roles, there everybody may do everything. */
export async function newUser(mongo: Mongo, database: string, { user, password }: { user: string; password: string }): Promise<void> {
  const roles = mongo.standIn ? [] : [{ role: 'root', db: 'admin' }]
  await withMongo(mongo, database, db => db.command({ createUser: user, pwd: password, roles }))
}

/** Fills two collections, one with a unique index. */
export async function fillMongo(mongo: Reached, database: string, [many, few]: readonly [string, string]): Promise<void> {
  await withMongo(mongo, database, async db => {
    await db
      .collection(many)
      .insertMany(Array.from({ length: 500 }, (_, n) => ({ n, at: new Date(1_700_000_000_000 + n), says: `été ${n} `.repeat(9) })))
    await db.collection(few).insertMany(['ada', 'grace'].map(name => ({ name, mail: `${name}@stack.example`, tags: ['a', { deep: [1.5, null] }] })))
    await db.collection(few).createIndex({ mail: 1 }, { unique: true })
  })
}

/** Deletes, changes, adds, and drops a whole collection. */
export async function damageMongo(mongo: Reached, database: string, [many, few]: readonly [string, string]): Promise<void> {
  await withMongo(mongo, database, async db => {
    await db.collection(many).deleteMany({ n: { $gte: 100 } })
    await db.collection(many).updateOne({ n: 7 }, { $set: { says: 'damaged' } })
    await db.collection('later').insertOne({ made: 'after the backup' })
    await db.collection(few).drop()
  })
}

/** Count, indexes and a hash of every collection that is the application's. */
export function lookMongo(mongo: Reached, database: string): Promise<string> {
  return withMongo(mongo, database, async db => {
    const names = (await db.listCollections().toArray()).map(({ name }) => name).filter(name => !name.includes('__') && !name.startsWith('system.'))
    const lines = names.sort().map(async name => {
      const documents = (await db.collection(name).find().toArray()).map(document => JSON.stringify(document)).sort()
      const indexes = (await db.collection(name).indexes()).map(({ key, unique }) => JSON.stringify([key, unique ?? false])).sort()
      return `${name} ${documents.length} ${indexes.join(' ')} ${sha256(documents.join('\n'))}`
    })
    return (await Promise.all(lines)).join('\n')
  })
}

/** Photos in folders, with names that are no plain text. */
export function fillFiles(folder: string): void {
  for (let n = 0; n < 30; n++) {
    const file = join(folder, `annonce ${n % 3}`, `été ${n}'.jpg`)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, Buffer.from(sha256(String(n)).repeat(n * 20), 'hex'))
  }
}

/** Path and hash of every file. */
export function lookFiles(folder: string): string {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile())
  const lines = files.map(entry => join(entry.parentPath, entry.name)).map(file => `${file.slice(folder.length)} ${sha256(readFileSync(file))}`)
  return lines.sort().join('\n')
}

/** Runs SQL in a database and gives back what psql prints. */
export type Sql = (database: string, text: string) => string

/** Two tables, one that refers to the other, and a view. */
export const TABLES = `
CREATE TABLE users (id serial PRIMARY KEY, name text UNIQUE NOT NULL, at timestamptz DEFAULT now(), data jsonb);
CREATE TABLE posts (id serial PRIMARY KEY, author int REFERENCES users, says text);
INSERT INTO users (name, data) SELECT 'user ' || i, jsonb_build_object('n', i) FROM generate_series(1, 50) i;
INSERT INTO posts (author, says) SELECT 1 + i % 50, 'été ' || md5(i::text) FROM generate_series(1, 2000) i;
CREATE VIEW loud AS SELECT upper(says) AS says FROM posts;`

export const DAMAGE = `DELETE FROM posts WHERE id > 10; UPDATE users SET name = 'nobody' WHERE id = 3; DROP VIEW loud; CREATE TABLE later (n int)`

/** Every relation with its kind, and count and hash of both tables. */
export function lookSql(sql: Sql, database: string): string {
  const rows = (table: string) => `SELECT '${table}', count(*)::text, md5(string_agg(t::text, '|' ORDER BY id)) FROM ${table} t`
  const relations = `SELECT relname::text, relkind::text, '' FROM pg_class WHERE relnamespace = 'public'::regnamespace`
  return sql(database, `${relations} UNION ALL ${rows('users')} UNION ALL ${rows('posts')} ORDER BY 1, 2`)
}

/** Runs one command of Redis and gives back what redis-cli prints. */
export type Cli = (...words: string[]) => string

/** Values of every usual kind in two databases, and a session that ends in hours. */
export function fillRedis(cli: Cli): void {
  cli('EVAL', KEYS, '0')
}

const KEYS = `
for i = 1, 200 do
  redis.call('SET', 'session:' .. i, 'token ' .. i, 'EX', 7200 + i)
  redis.call('RPUSH', 'feed', 'item ' .. i)
  redis.call('ZADD', 'ranks', i / 2, 'player ' .. i)
  redis.call('HSET', 'counters', 'field ' .. i, i)
end
redis.call('SELECT', 1)
redis.call('SADD', 'tags', 'a', 'b', 'c')
return 'filled'`

export function damageRedis(cli: Cli): void {
  cli(
    'EVAL',
    `redis.call('DEL', 'feed', 'session:7') redis.call('HSET', 'counters', 'field 1', 'damaged') return redis.call('SET', 'later', '1')`,
    '0',
  )
}

/** Values and moments of expiry of both databases, sorted. */
export function lookRedis(cli: Cli): string {
  return cli('EVAL', LOOK, '0')
}

const LOOK = `
local read = { string = { 'GET' }, list = { 'LRANGE', 0, -1 }, set = { 'SMEMBERS' }, zset = { 'ZRANGE', 0, -1, 'WITHSCORES' }, hash = { 'HGETALL' } }
local lines = {}
for db = 0, 1 do
  redis.call('SELECT', db)
  for _, key in ipairs(redis.call('KEYS', '*')) do
    local kind = redis.call('TYPE', key).ok
    local how = read[kind]
    local value = redis.call(how[1], key, unpack(how, 2))
    if kind == 'set' then table.sort(value) end
    if kind == 'hash' then
      local pairs = {}
      for i = 1, #value, 2 do pairs[#pairs + 1] = value[i] .. '=' .. value[i + 1] end
      table.sort(pairs)
      value = pairs
    end
    lines[#lines + 1] = db .. ' ' .. key .. ' ' .. kind .. ' ' .. tostring(redis.call('PEXPIRETIME', key)) .. ' ' .. redis.sha1hex(cjson.encode(value))
  end
end
table.sort(lines)
return lines`
