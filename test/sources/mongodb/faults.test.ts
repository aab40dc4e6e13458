import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { mongodb as source } from '../../../lib/sources/mongodb/index.ts'
import { collect, doing } from '../../exec/doing.ts'
import { describeWith, type Mongo, mongodb } from '../../testbed/index.ts'
import { end, front, segment, small } from './made.ts'
import { direct, SPACED, secret, seed } from './seed.ts'

async function* bytes(archive: Buffer) {
  for (let at = 0; at < archive.length; at += 4_096) yield archive.subarray(at, at + 4_096)
}

describeWith(['mongodb', 'mongodb-tools'], 'a MongoDB database in trouble', () => {
  let server: Mongo
  let uri: string
  let folder: string

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mongodb-faults-'))
    server = await mongodb({ auth: { user: 'ops', password: 'right-password' } })
    uri = `mongodb://ops:right-password@127.0.0.1:${server.port}/`
    await seed(uri, 50)
  })
  afterAll(async () => {
    await server?.stop()
    await rm(folder, { recursive: true })
  })

  const shop = (more: Partial<Parameters<typeof source>[1]> = {}) => source('database', { uri: secret(uri), databases: ['shop'], ...more })
  const dumped = (from: ReturnType<typeof source>) => collect(from.dump().open(doing()))
  const names = () => direct(uri, async db => (await db.listCollections({}, { nameOnly: true }).toArray()).map(({ name }) => name).sort())

  /** A folder with one fake tool, for what the real ones say of themselves or do once in a blue moon. */
  async function fake(name: string, script: string): Promise<string> {
    const bin = await mkdtemp(join(folder, 'bin-'))
    await writeFile(join(bin, name), `#!/bin/sh\n${script}\n`)
    await chmod(join(bin, name), 0o755)
    return bin
  }

  test('a wrong password is told as denied, at once, and not repeated', async () => {
    const wrong = shop({ uri: secret(uri.replace('right-password', 'wrong-password')) })
    const facts = await wrong.facts(doing())
    expect(facts).toMatchObject({ state: 'denied', because: expect.stringContaining('MongoDB refuses the user or password of DB_URI') })
    await expect(dumped(wrong)).rejects.toMatchObject({ exit: 3, next: ['correct DB_URI'] })
    expect(JSON.stringify(facts)).not.toContain('wrong-password')
  })

  test('an unknown database is missing, with the names that there are, and its dump is refused', async () => {
    const unknown = shop({ databases: ['shpo'] })
    expect(await unknown.facts(doing())).toMatchObject({
      state: 'missing',
      because: expect.stringMatching(/^shpo has no collections; the server has .*shop/),
    })
    await expect(dumped(unknown)).rejects.toMatchObject({ exit: 7, message: expect.stringContaining('There is nothing to dump') })
    expect(await unknown.content('live', 'r1', doing())).toEqual({ items: {}, warnings: [] })
  })

  test('a dump without an expected collection is refused, and the collection named', async () => {
    await expect(dumped(shop({ collections: { expected: ['orders', 'payments'] } }))).rejects.toMatchObject({
      exit: 7,
      message: expect.stringContaining('lacks collections that are expected: payments'),
    })
  })

  test('a server that refuses or never answers is known as unreachable within 6 s, even if the address asks for longer', async () => {
    const silent = createServer(() => {}).listen(0, '127.0.0.1')
    await new Promise(resolve => silent.once('listening', resolve))
    const { port } = silent.address() as { port: number }
    const begun = Date.now()
    const addresses = ['mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=60000', `mongodb://127.0.0.1:${port}/`]
    const looks = Promise.all(addresses.map(address => shop({ uri: secret(address) }).facts(doing())))
    await expect(dumped(shop({ uri: secret('mongodb://127.0.0.1:1/') }))).rejects.toMatchObject({ exit: 8 })
    for (const facts of await looks) expect(facts).toMatchObject({ state: 'unreachable', because: expect.stringContaining('does not answer') })
    expect(Date.now() - begun).toBeLessThan(6_000)
    silent.close()
  })

  test('tools that are missing or too old are named with what to type', async () => {
    const mend = expect.stringContaining('install MongoDB Database Tools 100.3 or newer')
    const bin = await fake('mongodump', 'echo "mongodump version: 100.2.1"')
    const { tools } = await shop({ bin }).facts(doing())
    expect(tools).toEqual([
      { name: 'mongodump', version: '100.2.1', mend },
      { name: 'mongorestore', version: null, mend },
    ])
    await expect(dumped(shop({ bin: folder }))).rejects.toMatchObject({ exit: 3 })
  })

  test('a tool that exits 0 with failed documents, or with none of them, has failed', async () => {
    for (const said of [
      '4 document(s) restored successfully. 1 document(s) failed to restore.',
      '0 document(s) restored successfully. 0 document(s) failed to restore.',
      '',
    ]) {
      const bin = await fake('mongorestore', `cat >/dev/null; echo "${said}" >&2`)
      const load = shop({ bin }).load('scratch', 'r1').take(bytes(small()), doing())
      await expect(load).rejects.toMatchObject({ exit: 7, message: expect.stringContaining('did not load everything') })
    }
    const bin = await fake('mongodump', 'exit 0')
    await expect(dumped(shop({ bin }))).rejects.toMatchObject({ exit: 7, message: 'The archive is broken: byte 0: is empty.' })
  })

  test('a dump with the oplog is refused where there is none, and is never loaded under other names', async () => {
    const whole = shop({ oplog: true })
    expect(whole.dump().prints).toBe("mongodump --config=/dev/fd/3 --archive --oplog 3<'DB_URI for the tools'")
    if (server.standIn) await expect(dumped(whole)).rejects.toMatchObject({ exit: 3, message: expect.stringContaining('has no oplog') })
    await expect(whole.load('scratch', 'r1').take(bytes(small()), doing())).rejects.toMatchObject({
      exit: 3,
      message: expect.stringContaining('by hand'),
    })
  })

  test('an archive of another database is refused before anything is written', async () => {
    const foreign = Buffer.concat([front(['orders'], 'other'), segment('orders', [], 'other'), end('orders', [], 'other')])
    const load = shop().load('beside', 'r1').take(bytes(foreign), doing())
    await expect(load).rejects.toMatchObject({ exit: 3, message: 'The dump holds database other; this part is shop.' })
    expect(await direct(uri, db => db.listCollections().toArray(), 'other')).toEqual([])
    expect(await names()).toEqual(['empty', SPACED, 'orders', 'users'])
  })

  test('a truncated archive fails, and what it left is removed by unload', async () => {
    const archive = await dumped(shop())
    for (const length of [archive.length - 1, Math.floor(archive.length / 2), 20]) {
      await expect(
        shop()
          .load('beside', 'r1')
          .take(bytes(archive.subarray(0, length)), doing()),
      ).rejects.toThrow()
      await shop().unload('beside', 'r1').run(doing())
      expect(await names()).toEqual(['empty', SPACED, 'orders', 'users'])
    }
  })
})
