import { dirname } from 'node:path'
import { Secret } from '../../lib/plan/secrets.ts'
import { mongodb as mongoSource } from '../../lib/sources/mongodb/index.ts'
import { postgres as postgresSource } from '../../lib/sources/postgres/index.ts'
import { redis as redisSource } from '../../lib/sources/redis/index.ts'
import { fillRedis, lookRedis, lookSql, TABLES } from '../stacks/data.ts'
import { azurite, postgres, redis } from '../testbed/index.ts'
import { find } from '../testbed/tools.ts'
import type { Live } from './kill-live.ts'
import { newWorld } from './kit.ts'
import { bucketKeys, serve, shopRows, withShop } from './servers.ts'

/** MongoDB, or its stand-in, on S3. */
export async function mongoOnS3(): Promise<Live> {
  const served = await serve()
  const { mongo, store, world, env } = served
  return {
    name: 'MongoDB on S3',
    world,
    env,
    sources: [
      mongoSource('database', { uri: new Secret('SHOP_URI', env.SHOP_URI ?? ''), databases: ['shop'], bin: dirname(find('mongodump') ?? '') }),
    ],
    change: () =>
      withShop(mongo, async shop => {
        await shop.collection('orders').deleteMany({ n: { $gt: 40 } })
        await shop.collection('users').insertOne({ name: `later ${Date.now()}` })
      }),
    rows: () => shopRows(mongo),
    keys: () => bucketKeys(store),
    stop: async () => void (await Promise.all([mongo.stop(), store.stop()])),
  }
}

/** PostgreSQL and Redis in one recovery point on Azure Blob (Azurite). */
export async function databasesOnAzure(): Promise<Live> {
  const [database, cache, store] = await Promise.all([postgres(), redis(), azurite()])
  const container = await store.container('backups')
  database.sql('postgres', 'CREATE DATABASE shop')
  database.sql('shop', TABLES)
  fillRedis(cache.command)
  const world = newWorld({
    data: `database: postgres({ url: secret('SHOP_URL'), database: 'shop' }), cache: redis({ url: secret('CACHE_URL') })`,
    stores: `azureBlob({ account: '${store.account}', container: '${container}', key: secret('AZURE_KEY'), endpoint: '${store.endpoint}' })`,
  })
  const tools = [database.bin, ...['redis-cli', 'redis-server'].map(tool => dirname(find(tool) ?? ''))]
  const env = {
    PATH: [...new Set(tools), dirname(process.execPath), '/usr/bin', '/bin'].join(':'),
    SHOP_URL: database.url,
    CACHE_URL: cache.url,
    AZURE_KEY: store.key,
  }
  let changes = 0
  return {
    name: 'PostgreSQL and Redis on Azure',
    world,
    env,
    sources: [
      postgresSource('database', { url: new Secret('SHOP_URL', database.url), database: 'shop', bin: database.bin }),
      redisSource('cache', { url: new Secret('CACHE_URL', cache.url) }),
    ],
    async change() {
      changes += 1
      database.sql('shop', `DELETE FROM posts WHERE id % 5 = 1; UPDATE users SET name = 'later ${changes}' WHERE id = 3`)
      cache.command('HSET', 'counters', 'field 1', `later ${changes}`)
    },
    rows: async () => `${lookSql(database.sql, 'shop')}\n${lookRedis(cache.command)}`,
    keys: () => blobs(store, container),
    stop: async () => void (await Promise.all([database.stop(), cache.stop(), store.stop()])),
  }
}

/** Names of every blob; of one that has only blocks so far as `unfinished <name>`. */
async function blobs(store: { readonly endpoint: string; readonly account: string; readonly key: string }, container: string): Promise<string[]> {
  const { BlobServiceClient, StorageSharedKeyCredential } = await import('@azure/storage-blob')
  const client = new BlobServiceClient(store.endpoint, new StorageSharedKeyCredential(store.account, store.key)).getContainerClient(container)
  const [whole, all]: [string[], string[]] = [[], []]
  for await (const { name } of client.listBlobsFlat()) whole.push(name)
  for await (const { name } of client.listBlobsFlat({ includeUncommitedBlobs: true })) all.push(name)
  return [...whole, ...all.filter(name => !whole.includes(name)).map(name => `unfinished ${name}`)].sort()
}
