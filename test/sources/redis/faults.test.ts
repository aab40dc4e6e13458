import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Doing } from '../../../lib/plan/plan.ts'
import { Secret } from '../../../lib/plan/secrets.ts'
import { redis as source } from '../../../lib/sources/redis/index.ts'
import { describeWith, type Redis, redis } from '../../testbed/index.ts'
import { freePort } from '../../testbed/ports.ts'
import { doing, dumped, streamOf, troubleOf } from '../conformance.ts'
import { temporary } from '../temporary.ts'
import { SHOP, sourceOf } from './shop.ts'

const at = (url: string, more = {}) => source('cache', { url: new Secret('REDIS_URL', url), ...more })

/** About 20 MB that do not compress, which take a while to send. */
const BULK = `for i = 1, 2000 do local t = {} for j = 1, 1250 do t[j] = string.format('%08x', math.random(0, 2147483647)) end redis.call('SET', 'bulk:' .. i, table.concat(t)) end return 1`

describeWith('redis', 'Redis that is not as it should be', () => {
  let server: Redis

  beforeAll(async () => {
    server = await redis()
    server.command('EVAL', SHOP, '0')
  })
  afterAll(() => server?.stop())

  it('tells a wrong password from a server that is not there, and never repeats it', async () => {
    const wrong = at(server.url.replace(/:[^:@]*@/, ':not-the-password@'))
    expect(await wrong.facts(doing())).toMatchObject({ state: 'denied', because: expect.stringContaining('REDIS_URL') })
    expect((await troubleOf(dumped(wrong))).exit).toBe(3)
    const gone = at(`redis://:not-the-password@127.0.0.1:${await freePort()}`)
    expect(await gone.facts(doing())).toMatchObject({ state: 'unreachable', because: expect.stringContaining('does not answer') })
    for (const trouble of [await troubleOf(dumped(gone)), await troubleOf(gone.load('beside', 'r1').take(streamOf(), doing()))]) {
      expect(trouble).toMatchObject({ exit: 8, message: expect.not.stringContaining('not-the-password') })
    }
  })

  it('names the commands that a user with too few rights lacks', async () => {
    server.command('ACL', 'SETUSER', 'weak', 'on', '>weak-password', '~*', '+ping')
    const weak = at(`redis://weak:weak-password@127.0.0.1:${server.port}`)
    const trouble = await troubleOf(dumped(weak))
    expect(trouble.exit).toBe(3)
    expect(trouble.next.join()).toContain('SWAPDB')
  })

  it('says that redis-cli is missing', async () => {
    const bare = at(server.url, { bin: await temporary() })
    expect(await bare.facts(doing())).toMatchObject({ state: 'unreachable', tools: [{ name: 'redis-cli', version: null, mend: expect.any(String) }] })
    expect((await troubleOf(dumped(bare))).exit).toBe(3)
  })

  it('hands the password over where no other process can read it', async () => {
    const seen: string[] = []
    const watching: Doing = {
      ...doing(),
      spawned: ({ pid }) => void seen.push(readFileSync(`/proc/${pid}/cmdline`, 'utf8'), readFileSync(`/proc/${pid}/environ`, 'utf8')),
    }
    const part = sourceOf(server)
    const bytes: Buffer[] = []
    for await (const chunk of part.dump().open(watching)) bytes.push(chunk)
    await part.load('beside', 'rsecret').take(streamOf(...bytes), watching)
    await part.unload('beside', 'rsecret').run(watching)
    expect(seen.length).toBeGreaterThan(6)
    expect(seen.filter(text => text.includes(server.password))).toEqual([])
  })

  it('refuses a dump that was cut or altered before a key of it counts', async () => {
    const part = sourceOf(server)
    const { bytes } = await dumped(part)
    const altered = Buffer.from(bytes)
    altered[bytes.length >> 1]! ^= 4
    for (const broken of [bytes.subarray(0, bytes.length - 9), altered]) {
      for (const place of ['beside', 'scratch'] as const) {
        expect([4, 7]).toContain((await troubleOf(part.load(place, 'rbroken').take(streamOf(broken), doing()))).exit)
        await troubleOf(Promise.resolve(part.swap('rbroken', []).run(doing())))
        await part.unload(place, 'rbroken').run(doing())
      }
    }
    expect(await part.remains(doing())).toEqual([])
  })

  it('dumps nothing of an empty server', async () => {
    const empty = await redis()
    try {
      expect(await troubleOf(dumped(sourceOf(empty)))).toMatchObject({ exit: 7, message: expect.stringContaining('nothing to dump') })
    } finally {
      await empty.stop()
    }
  })

  it('fails when the server dies in the middle of a dump', async () => {
    const dying = await redis()
    try {
      dying.command('EVAL', BULK, '0')
      let read = 0
      const work = (async () => {
        for await (const chunk of sourceOf(dying).dump().open(doing())) {
          if (read === 0) await dying.kill()
          read += chunk.length
        }
      })()
      expect([4, 7, 8]).toContain((await troubleOf(work)).exit)
      expect(read).toBeGreaterThan(0)
      expect(read).toBeLessThan(20_000_000)
    } finally {
      await dying.stop()
    }
  })

  it('tells a server that still loads its data from one that is gone', async () => {
    const slow = await redis({ settings: { save: '3600 1000000' } })
    try {
      slow.command('EVAL', "for i = 1, 3000 do redis.call('SET', i, i) end return 1", '0')
      slow.command('SAVE')
      const again = at(slow.url)
      await slow.kill()
      const loading = await redisAgain(slow)
      try {
        expect(await at(loading.url).facts(doing())).toMatchObject({ state: 'unreachable', because: expect.stringContaining('still loading') })
        expect((await troubleOf(dumped(at(loading.url)))).exit).toBe(8)
      } finally {
        loading.end()
      }
      expect((await again.facts(doing())).because).toContain('does not answer')
    } finally {
      await slow.stop()
    }
  })

  it('refuses a replica and a node of a cluster', async () => {
    const replica = await redis({ settings: { replicaof: `127.0.0.1 ${server.port}`, masterauth: server.password } })
    const node = await redis({ settings: { 'cluster-enabled': 'yes' } })
    try {
      expect(await sourceOf(replica).facts(doing())).toMatchObject({ state: 'denied', because: expect.stringContaining(`127.0.0.1:${server.port}`) })
      expect((await troubleOf(dumped(sourceOf(replica)))).exit).toBe(3)
      expect(await sourceOf(node).facts(doing())).toMatchObject({ state: 'denied', because: expect.stringContaining('cluster') })
    } finally {
      await Promise.all([replica.stop(), node.stop()])
    }
  })
})

/** The same server, which takes its time over every key that it loads. */
async function redisAgain(server: Redis): Promise<{ url: string; end(): void }> {
  const { spawn } = await import('node:child_process')
  const port = await freePort()
  const argv = ['--port', String(port), '--bind', '127.0.0.1', '--dir', server.folder, '--requirepass', server.password]
  const child = spawn('redis-server', [...argv, '--key-load-delay', '5000', '--loading-process-events-interval-bytes', '1024'], { stdio: 'ignore' })
  for (let tries = 0; tries < 100; tries++) {
    try {
      execFileSync('redis-cli', ['-p', String(port), 'PING'], { stdio: 'pipe' })
      break
    } catch {
      await new Promise(resolve => setTimeout(resolve, 50))
    }
  }
  const found = await waitFor(port, server.password)
  expect(found).toContain('LOADING')
  return { url: `redis://:${encodeURIComponent(server.password)}@127.0.0.1:${port}`, end: () => void child.kill('SIGKILL') }
}

async function waitFor(port: number, password: string): Promise<string> {
  for (let tries = 0; tries < 100; tries++) {
    try {
      return execFileSync('redis-cli', ['-p', String(port), 'DBSIZE'], {
        encoding: 'utf8',
        stdio: 'pipe',
        env: { ...process.env, REDISCLI_AUTH: password },
      })
    } catch {
      await new Promise(resolve => setTimeout(resolve, 50))
    }
  }
  return 'it never answered'
}
