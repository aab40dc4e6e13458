import { chmodSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type Db, MongoClient } from 'mongodb'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { ComposeService } from '../../../lib/exec/place.ts'
import { type Tunnel, tunnel } from '../../../lib/exec/tunnel.ts'
import { Secret } from '../../../lib/plan/secrets.ts'
import { compose } from '../../../lib/platforms/compose/index.ts'
import { mongodb as source } from '../../../lib/sources/mongodb/index.ts'
import { toolCommand } from '../../../lib/sources/mongodb/tools.ts'
import { placed } from '../../../lib/stack/places.ts'
import { doing } from '../../exec/doing.ts'
import { type Docker, describeWith, docker, sshd } from '../../testbed/index.ts'
import { find } from '../../testbed/tools.ts'
import { dumped, streamOf } from '../conformance.ts'

// Every connection and every tool enters the service, through docker.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })

const PASSWORD = 'p w"\\%41 $HOME'
const USER = `mongodb://op:${encodeURIComponent(PASSWORD)}@127.0.0.1:27017/?authSource=admin`

test('in a service the address is no argument, and the tool reads it from a descriptor of its own', () => {
  const within = { compose: { project: 'shop' }, service: 'mongo' }
  const reach = { uri: new Secret('SHOP_URI', USER), within }
  const site = { name: 'database', where: '', live: reach, scratch: reach, database: 'shop', expected: [], bin: undefined, oplog: false }
  const command = toolCommand(site, reach, 'mongodump', ['--config=/dev/fd/3', '--archive'], false)
  expect(command.typed?.argv.join(' ')).toBe('compose -p shop exec -T mongo mongodump --config=/dev/fd/3 --archive')
  expect([command.file, ...command.argv].join('\n')).not.toContain('p%20w')
  expect(command.preface?.reveal()).toMatch(/^TOOL_CONFIG 2\nuri: "mongodb:\/\/op:p%20w/)
})

test('an address of several servers, or one to be looked up, is none of a service', () => {
  const within = { compose: { project: 'shop' }, service: 'mongo' }
  for (const uri of ['mongodb://a:1,b:2/', 'mongodb+srv://cluster.example.org/'])
    expect(() => source('database', { uri: new Secret('SHOP_URI', uri), databases: ['shop'], in: within }), uri).toThrow(/must name one server/)
})

/** Its image is made of the program that plays MongoDB here; a mongod with its libraries was never to be had. */
const inContainer = () =>
  describeWith(['docker', 'mongodb', 'mongodb-tools', 'ssh'], 'MongoDB (FerretDB stands in) in a service without a port', () => {
    let engine: Docker
    let place: ComposeService
    let db: Db
    let client: MongoClient
    let way: Tunnel
    const before = process.env.DOCKER_HOST
    const at = (more: object = {}) => source('database', { uri: new Secret('SHOP_URI', USER), databases: ['shop'], in: place, ...more })

    beforeAll(async () => {
      const ferret = find('ferretdb')
      if (!ferret) throw new Error('ferretdb is missing; to install it: npm run testbed -- install mongodb')
      engine = await docker()
      process.env.DOCKER_HOST = engine.address
      const programs = ['mongodump', 'mongorestore']
      const handler = ['--handler=sqlite', '--sqlite-url=file:/tmp/', '--state-dir=/tmp', '--listen-addr=127.0.0.1:27017']
      const file = engine.up('shop', {
        mongo: {
          image: engine.image('mongo', [...programs, 'ferretdb']),
          network_mode: 'none',
          init: true,
          environment: {
            PATH: `${dirname(ferret)}:/usr/bin:/bin`,
            FERRETDB_TEST_ENABLE_NEW_AUTH: 'true',
            FERRETDB_SETUP_DATABASE: 'admin',
            FERRETDB_SETUP_USERNAME: 'op',
            FERRETDB_SETUP_PASSWORD: PASSWORD.replaceAll('$', '$$$$'),
          },
          command: ['ferretdb', ...handler, '--debug-addr=-', '--telemetry=disable'],
        },
      })
      place = { compose: { project: 'shop', file }, service: 'mongo' }
      way = await tunnel(place, { host: '127.0.0.1', port: 27_017 }, doing())
      client = new MongoClient(USER.replace('127.0.0.1:27017', encodeURIComponent(way.path)), { directConnection: true })
      db = client.db('shop')
      await db.collection('orders').insertMany(Array.from({ length: 500 }, (_, n) => ({ n, says: 'x'.repeat(500) })))
      await db.collection('users').insertOne({ name: 'ada' })
    })
    afterAll(async () => {
      await client?.close()
      await way?.close()
      await engine?.stop()
      if (before === undefined) delete process.env.DOCKER_HOST
      else process.env.DOCKER_HOST = before
    })

    const rows = async () => JSON.stringify(await db.collection('orders').find().sort({ n: 1 }).toArray())

    test('is looked at, dumped, drilled, restored, taken back and forgotten through exec alone', async () => {
      const run = 'r1'
      const shop = at()
      expect(await shop.facts(doing())).toMatchObject({
        state: 'answers',
        where: 'shop/mongo mongodb://127.0.0.1:27017/shop',
        counts: { orders: 500, users: 1 },
        tools: [
          { name: 'mongodump', version: expect.any(String) },
          { name: 'mongorestore', version: expect.any(String) },
        ],
      })
      const { bytes, content } = await dumped(shop)
      expect(content.items.orders).toMatchObject({ count: 500 })
      const atBackup = await rows()
      await db.collection('orders').deleteMany({ n: { $gt: 100 } })
      const atRestore = await rows()
      for (const to of ['scratch', 'beside'] as const) {
        await shop.load(to, run).take(streamOf(bytes), doing())
        expect((await shop.content(to, run, doing())).items).toEqual(content.items)
      }
      expect(await shop.presence(run, doing())).toEqual({ live: 2, beside: 2, aside: 0, scratch: 2 })
      await shop.unload('scratch', run).run(doing())
      await shop.swap(run, ['orders', 'users']).run(doing())
      expect(await rows()).toBe(atBackup)
      await shop.swapBack(run, ['orders', 'users']).run(doing())
      expect(await rows()).toBe(atRestore)
      await shop.unload('beside', run).run(doing())
      expect(await shop.remains(doing())).toEqual([])
    })

    test('no connection and no tool is left in the service, and the password stands on no command line', async () => {
      const ours = doing()
      await at().facts(ours)
      const processes = () => engine.docker('top', engine.docker('ps', '-q'), '-o', 'pid,args')
      const own = processes()
        .split('\n')
        .filter(line => /bash/.test(line)).length
      await at().facts(doing())
      const after = processes()
      expect(after.split('\n').filter(line => /bash/.test(line)).length).toBe(own)
      expect(after).not.toMatch(/mongodump/)
      expect(ours.started.map(({ prints }) => prints).join('\n')).not.toMatch(/p%20w|p w/)
    })

    test('says that the password is wrong, that nothing answers there, or that the service is not there', async () => {
      const wrong = new Secret('SHOP_URI', USER.replace(encodeURIComponent(PASSWORD), 'wrong'))
      expect(await at({ uri: wrong }).facts(doing())).toMatchObject({ state: 'denied', because: expect.stringContaining('SHOP_URI') })
      const closed = new Secret('SHOP_URI', USER.replace('27017', '27018'))
      expect(await at({ uri: closed }).facts(doing())).toMatchObject({
        state: 'unreachable',
        because: expect.stringContaining('leads to no MongoDB'),
      })
      const nobody = at({ in: { ...place, service: 'nobody' } })
      expect(await nobody.facts(doing())).toMatchObject({ state: 'unreachable', because: expect.stringContaining('cannot be entered') })
    })

    test('is reached through a platform behind ssh, too, until that is gone', async () => {
      // An ordinary user who may use Docker; nobody here may.
      chmodSync(engine.folder, 0o711)
      chmodSync(join(engine.folder, 'docker.sock'), 0o666)
      const server = await sshd({ settings: { SetEnv: `DOCKER_HOST=${engine.address}` } })
      const host = `ssh://${server.user}@127.0.0.1:${server.port}`
      const options = { host, knownHosts: server.knownHosts, project: 'shop', directory: '/srv/shop', files: '', door: 'http://127.0.0.1:9' }
      const platform = compose({ stack: 'shop', environment: 'test', services: [] }, { ...options, key: new Secret('SSH_KEY', server.key) })
      const shop = at(placed({ in: 'mongo' }, platform))
      delete process.env.DOCKER_HOST
      try {
        expect(await shop.facts(doing())).toMatchObject({
          state: 'answers',
          where: `${host} shop in /srv/shop: mongo mongodb://127.0.0.1:27017/shop`,
        })
        const { bytes, content } = await dumped(shop)
        await shop.load('scratch', 'r2').take(streamOf(bytes), doing())
        expect((await shop.content('scratch', 'r2', doing())).items).toEqual(content.items)
        await shop.unload('scratch', 'r2').run(doing())
        await platform.close?.()
        await server.stop()
        const lost = at(placed({ in: 'mongo' }, compose({ stack: 'shop', environment: 'test', services: [] }, options)))
        expect(await lost.facts(doing())).toMatchObject({ state: 'unreachable', because: expect.stringContaining('127.0.0.1') })
      } finally {
        process.env.DOCKER_HOST = engine.address
        await platform.close?.()
        await server.stop()
      }
    })
  })

if (find('ferretdb')) inContainer()
