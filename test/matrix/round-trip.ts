import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MongoClient } from 'mongodb'
import { minio } from '../testbed/minio.ts'
import { mongodb } from '../testbed/mongodb.ts'
import type { Member } from './run.ts'

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const MIB = Number(process.env.ROUND_TRIP_MIB ?? 200)

/** Documents of about 2 KB whose text does not repeat, so that sizes are honest. */
function documents(from: number, count: number) {
  return Array.from({ length: count }, (_, i) => {
    const n = from + i
    const text = Array.from({ length: 40 }, (_, k) => createHash('sha256').update(`${n}/${k}`).digest('base64')).join(' ')
    return {
      n,
      at: new Date(1_700_000_000_000 + n * 1000),
      email: `user${n}@shop.example`,
      tags: ['été', String(n % 7)],
      nested: { deep: [{ n }] },
      text,
    }
  })
}

/** Counts, indexes and a hash of every document, computed without the toolkit. */
async function digest(uri: string, name: string): Promise<string> {
  const client = new MongoClient(uri)
  const lines: string[] = []
  for (const { name: collection } of (await client.db(name).listCollections().toArray()).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (collection.includes('__')) continue
    const hashes: string[] = []
    for await (const document of client.db(name).collection(collection).find())
      hashes.push(createHash('sha256').update(JSON.stringify(document)).digest('hex'))
    const indexes = (await client.db(name).collection(collection).indexes())
      .map(({ key, unique }) => JSON.stringify({ key, unique: unique ?? false }))
      .sort()
    lines.push(`${collection} ${hashes.length} ${indexes.join()} ${createHash('sha256').update(hashes.sort().join()).digest('hex')}`)
  }
  await client.close()
  return lines.join('\n')
}

async function fill(uri: string): Promise<void> {
  const client = new MongoClient(uri)
  const total = Math.ceil((MIB * 2 ** 20) / 2_150)
  for (let n = 0; n < total; n += 2_000) {
    await client
      .db('shop')
      .collection(n % 6_000 === 0 ? 'users' : 'orders')
      .insertMany(documents(n, Math.min(2_000, total - n)))
  }
  await client.db('shop').collection('users').createIndex({ email: 1 }, { unique: true })
  await client.db('shop').collection('orders').createIndex({ n: 1 })
  await client.close()
}

/** A round trip of hundreds of megabytes: backup, drill, loss, restore, to a directory and to S3; then by hand with zstd and mongorestore alone. */
const roundTrip: Member = async tell => {
  const failed = { push: tell }
  const folder = mkdtempSync(join(tmpdir(), 'runbooks-round-trip-'))
  const [mongo, s3] = [await mongodb(), await minio()]
  try {
    await s3.bucket('round-trip')
    mkdirSync(join(folder, 'config'))
    mkdirSync(join(folder, 'home'))
    writeFileSync(join(folder, 'config/package.json'), '{"type":"module"}')
    writeFileSync(
      join(folder, 'config/shop.ts'),
      `import { defineStack, directory, mongodb, s3, secret } from 'runbooks'
export default defineStack({ name: 'shop', timezone: 'Europe/Paris', data: { database: mongodb({ uri: secret('MONGODB_URI'), databases: ['shop'] }) },
  environments: {
    directory: { stores: [directory({ path: 'backups' })] },
    s3: { stores: [s3({ bucket: 'round-trip', endpoint: '${s3.endpoint}', region: 'us-east-1', forcePathStyle: true, accessKeyId: secret('KEY'), secretAccessKey: secret('SECRET') })] },
  } })
`,
    )
    await fill(mongo.uri)
    const wanted = await digest(mongo.uri, 'shop')
    process.stdout.write(`${MIB} MiB in ${mongo.standIn ? 'FerretDB (stands in for mongod)' : 'mongod'}:\n${wanted}\n`)
    const env = {
      PATH: process.env.PATH ?? '',
      HOME: folder,
      RUNBOOKS_HOME: join(folder, 'home'),
      RUNBOOKS_CONFIG: join(folder, 'config'),
      MONGODB_URI: mongo.uri,
      KEY: s3.accessKey,
      SECRET: s3.secretKey,
    }
    const step = (runbook: string, environment: string, ...flags: string[]) => {
      const began = Date.now()
      const ran = spawnSync(
        process.execPath,
        [join(ROOT, 'node_modules/.bin/zx'), `runbooks/${runbook}.ts`, '--stack=shop', `--environment=${environment}`, '--yes', ...flags],
        { cwd: ROOT, env, encoding: 'utf8' },
      )
      const last = ran.stdout.trimEnd().split('\n').at(-1) ?? ''
      process.stdout.write(`${((Date.now() - began) / 1000).toFixed(0).padStart(5)} s  ${last}\n`)
      if (ran.status !== 0) failed.push(`${runbook} ${environment}: ${last}\n${ran.stderr.slice(-2000)}`)
    }
    for (const environment of ['directory', 's3']) {
      step('backup', environment)
      step('restore-drill', environment)
      const client = new MongoClient(mongo.uri)
      await client
        .db('shop')
        .collection('orders')
        .deleteMany({ n: { $gt: 100, $lt: 500 } })
      await client.close()
      step('restore', environment, '--backup=latest', '--writers-stopped=STOPPED', '--part=database')
      if ((await digest(mongo.uri, 'shop')) !== wanted) failed.push(`${environment}: the restored data is not what was backed up`)
    }
    await byHand(mongo.uri, join(folder, 'home/backups/shop/directory'))
    if ((await digest(mongo.uri, 'by_hand')) !== wanted) failed.push('by hand: the restored data is not what was backed up')
    else process.stdout.write('by hand, with zstd and mongorestore alone: equal\n')
  } finally {
    await mongo.stop()
    await s3.stop()
    rmSync(folder, { recursive: true, force: true })
  }
  return { cases: 5 }
}

export default roundTrip

/** Restores the oldest point into another database with the commands of docs/recovery-point.md. */
async function byHand(uri: string, store: string): Promise<void> {
  const [point = ''] = readdirSync(store)
    .filter(name => /^\d/.test(name))
    .sort()
  execFileSync(
    'bash',
    [
      '-o',
      'pipefail',
      '-c',
      `zstd -dc "$1" | mongorestore --uri="$2" --archive --stopOnError --nsFrom='shop.$c$' --nsTo='by_hand.$c$'`,
      'by-hand',
      join(store, point, 'database.archive.zst'),
      uri,
    ],
    { stdio: ['ignore', 'ignore', 'ignore'] },
  )
}
