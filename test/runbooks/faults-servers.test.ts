import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { forwarder, refusing } from '../stores/forwarder.ts'
import { describeWith, minio, mongodb, type Toxiproxy, toxiproxy } from '../testbed/index.ts'
import { faultTable } from './faults.ts'
import { describeStack, endWorlds, invoke } from './kit.ts'
import { addressOf, bucketKeys, collections, type Served, serve, shapeOf, shopRows, withEnv, withShop } from './servers.ts'

// Each starts many processes, and other test files run beside it.
vi.setConfig({ testTimeout: 240_000 })

const CONFIRM = '--confirm=shop/local'
const { row, known, made } = faultTable('MongoDB and S3')

describeWith(['mongodb', 'mongodb-tools', 's3', 'toxiproxy'], 'faults of MongoDB and S3', () => {
  let served: Served
  let proxies: Toxiproxy

  beforeAll(async () => {
    ;[served, proxies] = await Promise.all([serve(2_000), toxiproxy()])
    const ran = await invoke(served.world, 'backup', ['--yes'], withEnv(served))
    expect(ran.exit, ran.stderr).toBe(0)
  })
  afterAll(async () => {
    endWorlds()
    await Promise.all([served?.mongo.stop(), served?.store.stop(), proxies?.stop()])
  })

  /** Objects without the shared state, which every run touches. */
  const objects = async () => (await bucketKeys(served.store)).filter(key => !key.includes('/.state/'))

  /** Runs what must leave the database and the backups as they are. */
  async function untouched(
    fault: string,
    runbook: string,
    flags: readonly string[],
    more: Record<string, string>,
    exit: number,
    why: RegExp,
    command = '',
  ): Promise<void> {
    const before = [await shopRows(served.mongo), ...(await collections(served.mongo)), ...(await objects())]
    const ran = await invoke(served.world, runbook, flags, withEnv(served, more))
    expect([fault, ran.exit, ran.stderr.replace(/\s+/g, ' ')], ran.stderr).toEqual([fault, exit, expect.stringMatching(why)])
    expect([await shopRows(served.mongo), ...(await collections(served.mongo)), ...(await objects())]).toEqual(before)
    row(
      fault,
      command || [runbook, ...flags.filter(flag => flag !== CONFIRM && flag !== '--yes')].join(' '),
      ran,
      'everything as it was',
      served.world,
    )
  }

  test('a server that does not let us in or has nothing is told before anything is touched', async () => {
    const { mongo } = served
    await untouched('a wrong password', 'backup', ['--yes'], { SHOP_URI: addressOf(mongo.port, 'wrong') }, 3, /denied|authentication|not to be read/i)
    const { data: _, ...rest } = shapeOf(served.store.endpoint, 'backups')
    describeStack(served.world, { ...rest, data: `database: mongodb({ uri: secret('SHOP_URI'), databases: ['shpo'] })` })
    await untouched('an unknown database', 'backup', ['--yes'], {}, 3, /missing|empty/)
    describeStack(served.world, shapeOf(served.store.endpoint, 'backups'))
    await untouched('a database server that is away', 'backup', ['--yes'], { SHOP_URI: addressOf(1) }, 3, /unreachable|cannot be reached/)
    await untouched(
      'a database server that is away',
      'restore',
      ['--backup=latest', CONFIRM, '--skip-safety-backup=SKIP'],
      { SHOP_URI: addressOf(1) },
      3,
      /cannot be reached/,
    )
    await untouched('a database server that is away', 'doctor', [], { SHOP_URI: addressOf(1) }, 8, /unreachable/)
  })

  test('a tool that is missing or too old is named with what mends it', async () => {
    const bin = join(served.world.folder, 'bin')
    mkdirSync(bin)
    const bare = `${bin}:${process.execPath.replace(/\/node$/, '')}:/usr/bin:/bin`
    await untouched('mongodump is missing', 'backup', ['--yes'], { PATH: bare }, 3, /needs mongodump, which is not on PATH/)
    for (const tool of ['mongodump', 'mongorestore']) {
      writeFileSync(join(bin, tool), `#!/bin/sh\necho "${tool} version: 3.6.1"\n`)
      chmodSync(join(bin, tool), 0o755)
    }
    await untouched('mongodump is too old', 'backup', ['--yes'], { PATH: bare }, 3, /3\.6\.1 is too old/)
    await untouched('mongorestore is too old', 'restore', ['--backup=latest', CONFIRM], { PATH: bare }, 3, /3\.6\.1 is too old/)
    for (const tool of ['mongodump', 'mongorestore'])
      writeFileSync(join(bin, tool), `#!/bin/sh\ncase "$*" in *--version*) echo "${tool} version: 100.9.0";; *) echo broken >&2; exit 3;; esac\n`)
    await untouched('mongodump fails in the middle', 'backup', ['--yes'], { PATH: bare }, 4, /exited 3: broken/)
    rmSync(bin, { recursive: true })
  })

  test('a store that is away, has another key, or another time is told', async () => {
    const { store, world } = served
    await untouched('a wrong key of the store', 'backup', ['--yes'], { S3_KEY: 'wrong'.repeat(5) }, 3, /denied|signature/i)
    await untouched('a wrong key of the store', 'backup-list', [], { S3_KEY: 'wrong'.repeat(5) }, 8, /denied|signature/i)
    describeStack(world, shapeOf(store.endpoint, 'nobucket'))
    await untouched('a bucket that does not exist', 'backup', ['--yes'], {}, 3, /missing|no such bucket|does not exist|not there/i)
    const away = await proxies.through(`127.0.0.1:${store.port}`)
    await away.down()
    describeStack(world, shapeOf(`http://${away.address}`, 'backups'))
    await untouched('a store that cannot be reached', 'backup', ['--yes'], {}, 3, /unreachable|refused|cannot be reached|does not answer/i)
    await untouched('a store that cannot be reached', 'backup-list', [], {}, 8, /unreachable|refused|cannot be reached|does not answer/i)
    await untouched(
      'a store that cannot be reached',
      'restore',
      ['--backup=latest', CONFIRM],
      {},
      3,
      /unreachable|refused|cannot be reached|does not answer/i,
    )
    // No clock is changed here: the refusal is the one that S3 gives to a request of another time.
    const skewed = await forwarder(store.endpoint, () =>
      refusing(403, 'RequestTimeTooSkewed', 'The difference between the request time and the current time is too large.'),
    )
    describeStack(world, shapeOf(skewed.endpoint, 'backups'))
    await untouched('a clock that is wrong', 'backup', ['--yes'], {}, 3, /clock|time/i)
    await skewed.stop()
    describeStack(world, shapeOf(store.endpoint, 'backups'))
  })

  test('a store whose answers are lost is none the worse for it', async () => {
    const { store, world } = served
    let lost = 0
    const uploads = (url = '') => /\.zst(\?|$)/.test(url)
    const cut = await forwarder(store.endpoint, asked => (asked.method === 'PUT' && uploads(asked.url) && ++lost === 1 ? 'cut' : 'pass'))
    describeStack(world, shapeOf(cut.endpoint, 'backups'))
    const ran = await invoke(world, 'backup', ['--yes'], withEnv(served))
    expect([ran.exit, lost > 0], ran.stderr).toEqual([0, true])
    await cut.stop()
    describeStack(world, shapeOf(store.endpoint, 'backups'))
    expect((await invoke(world, 'backup-verify', ['--backup=latest', '--yes'], withEnv(served))).exit).toBe(0)
    row('a store whose answer to an upload is lost', 'backup', ran, 'a new backup, every byte as recorded', world)
  })

  test('a store that goes away in the middle leaves a run that the next backup cleans up after', async () => {
    const { store, world } = served
    const way = await proxies.through(`127.0.0.1:${store.port}`)
    describeStack(world, shapeOf(`http://${way.address}`, 'backups'))
    const before = await objects()
    const ran = await invoke(world, 'backup', ['--yes'], {
      ...withEnv(served),
      started: child => child.stderr?.on('data', (text: string) => void (/start +Copy database/.test(text) && way.down())),
    })
    expect([ran.exit, await objects()], ran.stderr).toEqual([5, before])
    row('a store that goes away in the middle', 'backup', ran, 'the earlier backups, and a run that must be settled', world)
    await way.up()
    const again = await invoke(world, 'backup', ['--yes', '--wait=90s'], withEnv(served))
    expect([again.exit, (await objects()).length > before.length], again.stderr).toEqual([0, true])
    row('the store is back', 'backup --wait=90s', again, 'a new backup; what the earlier run left is removed', world)
    describeStack(world, shapeOf(store.endpoint, 'backups'))
  })

  test('a database server that is killed in the middle of a dump fails the backup', { timeout: 200_000 }, async () => {
    const [other, second] = await Promise.all([mongodb({ auth: { user: 'op', password: served.mongo.password ?? '' } }), minio()])
    await second.bucket('backups')
    await withShop(other, shop => shop.collection('orders').insertMany(Array.from({ length: 20_000 }, (_, n) => ({ n, filler: 'x'.repeat(500) }))))
    describeStack(served.world, shapeOf(second.endpoint, 'backups'))
    const env = withEnv(served, { SHOP_URI: addressOf(other.port), S3_ID: second.accessKey, S3_KEY: second.secretKey })
    const ran = await invoke(served.world, 'backup', ['--yes'], {
      ...env,
      started: child =>
        child.stderr?.on('data', (text: string) => (/start +Copy database/.test(text) ? void setTimeout(() => void other.kill(), 600) : undefined)),
    })
    expect([ran.exit, (await bucketKeys(second)).filter(key => !key.includes('.state'))], ran.stderr).toEqual([4, []])
    row('a database server that is killed in the middle', 'backup', ran, 'the earlier backups; nothing of the new one', served.world)
    await Promise.all([other.stop(), second.stop()])
    describeStack(served.world, shapeOf(served.store.endpoint, 'backups'))
  })

  test('the table has no row of this section that nothing makes', () => {
    if (!process.env.UPDATE_FAULTS) expect(new Set(made())).toEqual(new Set(known()))
  })
})
