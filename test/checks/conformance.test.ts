import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { backupAge } from '../../lib/checks/backup-age.ts'
import { disk } from '../../lib/checks/disk.ts'
import { http } from '../../lib/checks/http.ts'
import { memory } from '../../lib/checks/memory.ts'
import { mongodb } from '../../lib/checks/mongodb.ts'
import { postgres } from '../../lib/checks/postgres.ts'
import { prometheus } from '../../lib/checks/prometheus.ts'
import { redis } from '../../lib/checks/redis.ts'
import { tls } from '../../lib/checks/tls.ts'
import { Secret } from '../../lib/plan/secrets.ts'
import {
  describeWith,
  type Mongo,
  mongodb as mongoServer,
  type Postgres,
  postgres as postgresServer,
  type Redis,
  redis as redisServer,
} from '../testbed/index.ts'
import { certificates, type Issued } from './certificates.ts'
import { conformance } from './conformance.ts'
import { deadPort, lookAt, silentPort, type Web, web } from './kit.ts'
import { hasPrometheus, prometheusServer } from './prometheus-server.ts'

const folder = mkdtempSync(join(tmpdir(), 'runbooks-checks-'))
let dead: number
let silent: Awaited<ReturnType<typeof silentPort>>
beforeAll(async () => {
  ;[dead, silent] = await Promise.all([deadPort(), silentPort()])
})
afterAll(() => {
  silent.end()
  rmSync(folder, { recursive: true, force: true })
})

const HOUR_MS = 3_600_000
const ago = (ms: number) => new Date(Date.now() - ms).toISOString()

describe('http', () => {
  let server: Web
  const authorization = new Secret('TOKEN', 'Bearer t0k3n-0815')
  beforeAll(async () => {
    server = await web((request, response) => {
      response.statusCode = request.headers.authorization === authorization.reveal() && request.url === '/health' ? 200 : 503
      response.end(`who are you, ${request.headers.authorization}?`)
    })
  })
  afterAll(() => server.end())
  conformance('an address', () => ({
    kind: 'http',
    healthy: () => http({ url: `${server.url}/health`, authorization }),
    unhealthy: () => http({ url: `${server.url}/`, authorization }),
    cause: /answered 503/,
    blind: () => http({ url: `http://127.0.0.1:${silent.port}/`, authorization, limit: '200ms' }),
    secret: authorization,
  }))
})

describe('tls', () => {
  let root: Issued
  const ports: number[] = []
  const servers: ReturnType<typeof createServer>[] = []
  beforeAll(async () => {
    root = certificates(folder).selfSigned({ name: 'Root', authority: true })
    for (const to of [90, -1]) {
      const { cert, key } = root.issue({ name: 'shop.example', from: -2, to })
      const server = createServer({ cert, key }, socket => socket.end())
      await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
      ports.push((server.address() as { port: number }).port)
      servers.push(server)
    }
  })
  afterAll(() => servers.forEach(server => void server.close()))
  const at = (port: number | undefined) => tls({ host: '127.0.0.1', port: port ?? 0, names: ['shop.example'], ca: root.file })
  conformance('a certificate', () => ({
    kind: 'tls',
    healthy: () => at(ports[0]),
    unhealthy: () => at(ports[1]),
    cause: /expired on/,
    blind: () => tls({ host: '127.0.0.1', port: ports[0] ?? 0, ca: '/nowhere/ca.pem' }),
    reason: /nowhere/,
  }))
})

conformance('the room on a disk', () => ({
  kind: 'disk',
  healthy: () => disk({ path: folder, freePercent: 0 }),
  unhealthy: () => disk({ path: folder, freeBytes: Number.MAX_SAFE_INTEGER }),
  cause: /free of .* less than/,
  blind: () => disk({ path: '/nowhere/at/all' }),
}))

conformance('memory', () => ({
  kind: 'memory',
  healthy: () => memory({ availablePercent: 0 }),
  unhealthy: () => memory({ availablePercent: 100 }),
  cause: /available of .* less than 100 %/,
  blind: () => memory({ host: `ssh://127.0.0.1:${dead}` }),
}))

conformance('the age of the newest backup', () => ({
  kind: 'backup-age',
  healthy: () => backupAge({ newest: async () => ago(HOUR_MS), objectiveMs: 2 * HOUR_MS }),
  unhealthy: () => backupAge({ newest: async () => ago(3 * HOUR_MS), objectiveMs: 2 * HOUR_MS }),
  cause: /3 h 00 min old; the stack allows 2 h 00 min/,
  blind: () => backupAge({ newest: () => Promise.reject(new Error('the bucket denied the request')), objectiveMs: 1 }),
  reason: /bucket denied/,
}))

describeWith('postgres', 'postgres', () => {
  let server: Postgres
  beforeAll(async () => {
    server = await postgresServer({ settings: { max_connections: '12', superuser_reserved_connections: '3' } })
  })
  afterAll(() => server.stop())
  const at = (more: object = {}) => postgres({ url: new Secret('DB_URL', server.url), bin: server.bin, ...more })
  conformance('a server', () => ({
    kind: 'postgres',
    healthy: () => at(),
    unhealthy: () => at({ standbys: 1 }),
    cause: /0 of 1 standby attached/,
    blind: () => postgres({ url: new Secret('DB_URL', server.url.replace(encodeURIComponent(server.password), 'wr0ng-password')), bin: server.bin }),
    reason: /refuses the user or password of DB_URL/,
    secret: new Secret('password', server.password),
  }))

  test('refused is unhealthy', async () => {
    const found = await lookAt(postgres({ host: '127.0.0.1', port: dead, user: 'x', bin: server.bin }))
    expect(found).toMatchObject({ is: 'unhealthy', says: expect.stringMatching(/Connection refused/) })
  })

  test('connections are counted against their limit', async () => {
    const found = await lookAt(at({ connectionsPercent: 5 }))
    expect(found).toMatchObject({ is: 'unhealthy', says: '1 of 12 connections in use (8 %)', measured: { connections: 1, maxConnections: 12 } })
  })
})

describeWith('redis', 'redis', () => {
  let server: Redis
  beforeAll(async () => {
    server = await redisServer()
  })
  afterAll(() => server.stop())
  const at = (more: object = {}) => redis({ url: new Secret('REDIS_URL', server.url), ...more })
  conformance('a server', () => ({
    kind: 'redis',
    healthy: () => at(),
    unhealthy: () => at({ aof: true }),
    cause: /its append-only file is off/,
    blind: () => redis({ host: '127.0.0.1', port: server.port, password: new Secret('REDIS_PASSWORD', 'wr0ng-password') }),
    reason: /refuses the user or password/,
    secret: new Secret('password', server.password),
  }))

  test('refused is unhealthy', async () => {
    expect(await lookAt(redis({ host: '127.0.0.1', port: dead }))).toMatchObject({
      is: 'unhealthy',
      says: expect.stringMatching(/Connection refused/),
    })
  })

  test('its memory limit counts where nothing is evicted, and a snapshot that fails is noticed', async () => {
    const used = Number(/used_memory:(\d+)/.exec(server.command('INFO', 'memory'))?.[1])
    server.command('CONFIG', 'SET', 'maxmemory', String(Math.round(used * 1.05)))
    expect(await lookAt(at())).toMatchObject({ is: 'unhealthy', says: expect.stringContaining('of its memory limit in use') })
    server.command('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru')
    expect(await lookAt(at())).toMatchObject({ is: 'healthy' })
    server.command('CONFIG', 'SET', 'maxmemory', '0')
    // A snapshot cannot take the name of a folder.
    mkdirSync(join(server.folder, 'dump.rdb'))
    server.command('BGSAVE')
    await expect.poll(() => /rdb_last_bgsave_status:(\w+)/.exec(server.command('INFO', 'persistence'))?.[1]).toBe('err')
    expect(await lookAt(at())).toMatchObject({ is: 'unhealthy', says: expect.stringContaining('its last snapshot failed') })
  })
})

describeWith('mongodb', 'mongodb', () => {
  let server: Mongo
  beforeAll(async () => {
    server = await mongoServer()
  })
  afterAll(() => server.stop())
  const at = (port: number) => mongodb({ uri: new Secret('MONGODB_URI', `mongodb://127.0.0.1:${port}/?directConnection=true`) })
  conformance('a server', () => ({
    kind: 'mongodb',
    healthy: () => at(server.port),
    unhealthy: () => at(dead),
    cause: /ECONNREFUSED/,
    blind: () => at(silent.port),
  }))
})

describe.skipIf(!hasPrometheus)('prometheus', () => {
  let server: Awaited<ReturnType<typeof prometheusServer>>
  beforeAll(async () => {
    server = await prometheusServer(dead)
  })
  afterAll(() => server.stop())
  conformance('a server', () => ({
    kind: 'prometheus',
    healthy: () => prometheus({ url: server.url, jobs: ['self'], ignore: ['Firing'] }),
    unhealthy: () => prometheus({ url: server.url }),
    cause: /^1 alert fires: Firing \(it fires always\); 1 target is down: gone 127\.0\.0\.1:\d+ \(.*connection refused\)$/,
    blind: () => prometheus({ url: `http://127.0.0.1:${dead}` }),
    reason: /could not look: .*connection refused/,
  }))

  test('an address that is no Prometheus is unknown, and what it said is told', async () => {
    const other = await web((_, response) => response.end('<html>'))
    expect(await lookAt(prometheus({ url: other.url }))).toMatchObject({
      is: 'unknown',
      says: expect.stringContaining('answered 200: its answer is no JSON'),
    })
    await other.end()
  })
})
