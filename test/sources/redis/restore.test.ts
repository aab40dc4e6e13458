import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { Secret } from '../../../lib/plan/secrets.ts'
import type { Source } from '../../../lib/sources/source.ts'
import { describeWith, type Redis, redis } from '../../testbed/index.ts'
import { doing, dumped, streamOf, troubleOf } from '../conformance.ts'
import { everything, SHOP, sourceOf } from './shop.ts'

describeWith('redis', 'a restore of Redis', () => {
  const servers: Redis[] = []
  const started = async (settings: Readonly<Record<string, string>> = {}): Promise<Redis> => {
    const server = await redis({ settings })
    servers.push(server)
    return server
  }
  let server: Redis
  let part: Source

  beforeEach(async () => {
    server = await started({ appendonly: 'yes', appendfsync: 'always' })
    part = sourceOf(server)
  })
  afterEach(async () => {
    await Promise.all(servers.splice(0).map(one => one.stop()))
  })
  const load = (bytes: Buffer, run = 'r1', place: 'beside' | 'scratch' = 'beside') => part.load(place, run).take(streamOf(bytes), doing())

  it('lasts over a crash with the append-only file on, and so do its way back and what it put aside', async () => {
    server.command('EVAL', SHOP, '0')
    const atBackup = everything(server)
    const { bytes } = await dumped(part)
    server.command('FLUSHDB')
    server.command('SET', 'after', 'the ruin')
    const ruined = everything(server)
    await load(bytes)
    await part.swap('r1', []).run(doing())
    await server.kill()
    await server.start()
    expect(everything(server)).toEqual(atBackup)
    expect(await part.presence('r1', doing())).toEqual({ live: 3, beside: 0, aside: 3, scratch: 0 })
    await part.swapBack('r1', []).run(doing())
    await server.kill()
    await server.start()
    expect(everything(server)).toEqual(ruined)
    expect(await part.presence('r1', doing())).toEqual({ live: 3, beside: 3, aside: 0, scratch: 0 })
  })

  it('is never seen half by clients that write and read meanwhile', async () => {
    server.command('MSET', 'a', 'old', 'b', 'old')
    const { bytes } = await dumped(part)
    server.command('MSET', 'a', 'new', 'b', 'new')
    await load(bytes)
    let reads = 0
    let over = false
    const mixes: string[] = []
    const reader = (async () => {
      while (!over) {
        const pair = server.command('MGET', 'a', 'b').split('\n')
        if (pair[0] !== pair[1] || pair[0] === '') mixes.push(pair.join())
        reads++
        await sleep(1)
      }
    })()
    for (let round = 0; round < 3; round++) {
      await part.swap('r1', []).run(doing())
      expect(server.command('GET', 'a')).toBe('old')
      await part.swapBack('r1', []).run(doing())
      expect(server.command('GET', 'a')).toBe('new')
    }
    over = true
    await reader
    expect(reads).toBeGreaterThan(3)
    expect(mixes).toEqual([])
  })

  it('does not mind keys that expire on the way, but minds every other that is missing', async () => {
    server.command('EVAL', SHOP, '0')
    server.command('SET', 'brief', 'x', 'PX', '1500')
    const { bytes, content } = await dumped(part)
    await load(bytes)
    await sleep(1600)
    expect((await part.content('beside', 'r1', doing())).items).toEqual(content.items)
    const lost = await lose('session:40')
    expect(lost).not.toEqual(content.items)
  })

  /** What stands beside after a key of it was removed behind our back. */
  async function lose(key: string) {
    for (let db = 15; db > 3; db--) {
      if (server.command('-n', String(db), 'DEL', key) === '1') return (await part.content('beside', 'r1', doing())).items
    }
    throw new Error(`${key} stands nowhere beside`)
  }

  it('drills a backup whose keys have long expired', async () => {
    server.command('SET', 'kept', 'x')
    server.command('SET', 'brief', 'x', 'PX', '200')
    const { bytes, content } = await dumped(part)
    await sleep(300)
    await load(bytes, 'r1', 'scratch')
    expect(content.items).toMatchObject({ db0: { count: 1 }, 'db0 (expiring)': { count: 1 } })
    expect((await part.content('scratch', 'r1', doing())).items).toEqual(content.items)
    await part.unload('scratch', 'r1').run(doing())
    expect(await part.remains(doing())).toEqual([])
  })

  it('drills in a server of its own where one is named', async () => {
    server.command('EVAL', SHOP, '0')
    const other = await started()
    part = sourceOf(server, { scratch: new Secret('SCRATCH_URL', other.url) })
    const { bytes, content } = await dumped(part)
    await load(bytes, 'r1', 'scratch')
    expect((await part.content('scratch', 'r1', doing())).items).toEqual(content.items)
    expect(await part.remains(doing())).toEqual([{ run: 'r1', place: 'scratch' }])
    await part.unload('scratch', 'r1').run(doing())
    expect(other.command('INFO', 'keyspace')).toBe('# Keyspace')
  })

  it('leaves what earlier restores put aside out of backups', async () => {
    server.command('SET', 'a', 'old')
    const { bytes, content } = await dumped(part)
    server.command('SET', 'a', 'new')
    await load(bytes)
    await part.swap('r1', []).run(doing())
    const again = await dumped(part)
    expect(again.content.items).toEqual(content.items)
    expect((await part.examine(streamOf(again.bytes), doing())).items).toEqual(content.items)
  })

  it('refuses what would throw live keys away or has no room, before anything is changed', async () => {
    const tight = await started({ maxmemory: '6mb', 'maxmemory-policy': 'allkeys-lru' })
    tight.command('EVAL', "for i = 1, 300 do redis.call('SET', i, string.rep(i, 4000)) end return 1", '0')
    const before = tight.command('DBSIZE')
    const { bytes } = await dumped(sourceOf(tight))
    expect(await troubleOf(sourceOf(tight).load('beside', 'r1').take(streamOf(bytes), doing()))).toMatchObject({
      exit: 3,
      message: expect.stringContaining('limit'),
    })
    expect(tight.command('DBSIZE')).toBe(before)
    const single = await started({ databases: '1' })
    const refused = await troubleOf(sourceOf(single).load('beside', 'r1').take(streamOf(bytes), doing()))
    expect(refused).toMatchObject({ exit: 3, message: expect.stringContaining('None of the 1 databases is empty') })
  })

  it('says that functions are in a backup and are not restored', async () => {
    server.command('SET', 'a', 'x')
    server.command('FUNCTION', 'LOAD', "#!lua name=shop\nredis.register_function('one', function() return 1 end)")
    const { bytes, content } = await dumped(part)
    expect(content.warnings.join()).toContain('1 libraries of functions')
    expect((await part.examine(streamOf(bytes), doing())).items).toEqual(content.items)
    await load(bytes)
    expect((await part.content('beside', 'r1', doing())).items).toEqual(content.items)
  })

  it('can be done by hand as the backup says, also where the append-only file is on', async () => {
    server.command('EVAL', SHOP, '0')
    const atBackup = everything(server)
    const { bytes } = await dumped(part)
    server.command('FLUSHALL')
    await server.kill()
    await writeFile(join(server.folder, 'dump.rdb'), bytes)
    await rename(join(server.folder, 'appendonlydir'), join(server.folder, 'appendonlydir.old'))
    const byHand = await started({ dir: server.folder, appendonly: 'no' })
    expect(everything(byHand)).toEqual(atBackup)
    byHand.command('CONFIG', 'SET', 'appendonly', 'yes')
    while (!byHand.command('INFO', 'persistence').includes('aof_rewrite_in_progress:0')) await sleep(20)
    await byHand.kill()
    await server.start()
    expect(everything(server)).toEqual(atBackup)
  })

  it('takes back what a killed load left', async () => {
    server.command('EVAL', SHOP, '0')
    const { bytes } = await dumped(part)
    const stop = new AbortController()
    async function* slowly() {
      yield bytes.subarray(0, bytes.length - 100)
      stop.abort(new Error('killed'))
      await sleep(60_000)
    }
    await expect(part.load('beside', 'r1').take(slowly(), doing('r1', stop.signal))).rejects.toThrow()
    expect((await part.presence('r1', doing())).beside).toBeGreaterThan(0)
    expect(await troubleOf(Promise.resolve(part.swap('r1', []).run(doing())))).toMatchObject({
      exit: 5,
      message: expect.stringContaining('not loaded to its end'),
    })
    await part.unload('beside', 'r1').run(doing())
    expect(await part.presence('r1', doing())).toEqual({ live: 3, beside: 0, aside: 0, scratch: 0 })
  })
})
