import { mkdtempSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer } from 'node:tls'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { backupAge } from '../../lib/checks/backup-age.ts'
import { type Check, LIMIT_MS } from '../../lib/checks/check.ts'
import { containers, containersVerdict } from '../../lib/checks/containers.ts'
import { disk } from '../../lib/checks/disk.ts'
import { exitOf } from '../../lib/checks/findings.ts'
import { http } from '../../lib/checks/http.ts'
import { mongodb } from '../../lib/checks/mongodb.ts'
import { postgres } from '../../lib/checks/postgres.ts'
import { prometheus } from '../../lib/checks/prometheus.ts'
import { redis } from '../../lib/checks/redis.ts'
import { tls } from '../../lib/checks/tls.ts'
import { check, secret } from '../../lib/index.ts'
import { Secret } from '../../lib/plan/secrets.ts'
import { makeChecks } from '../../lib/stack/checks.ts'
import { Settings } from '../../lib/stack/settings.ts'
import { read } from '../docs/documents.ts'
import { available, type Postgres, postgres as postgresServer } from '../testbed/index.ts'
import { certificates, type Issued } from './certificates.ts'
import { deadPort, lookAt, silentPort, type Web, web } from './kit.ts'

/** The rows of the page: what is wrong, kind, verdict, exit, words. */
const ROWS = [...read('docs/runbooks/health-check.md').matchAll(/^\| ([^|]+) \| ([a-z-]+) \| (healthy|unhealthy|unknown) \| (\d) \| (.+) \|$/gm)].map(
  row => row.slice(1),
) as [string, string, string, string, string][]

const folder = mkdtempSync(join(tmpdir(), 'runbooks-faults-'))
let server: Web
let dead: number
let silent: Awaited<ReturnType<typeof silentPort>>
let root: Issued
let database: Postgres | undefined
const listening: ReturnType<typeof createServer>[] = []
beforeAll(async () => {
  ;[dead, silent] = await Promise.all([deadPort(), silentPort()])
  root = certificates(folder).selfSigned({ name: 'Root', authority: true, from: -100 })
  if (available('postgres') === true) database = await postgresServer()
  server = await web((request, response) => {
    if (request.url === '/503') response.writeHead(503).end('database is gone')
    else if (request.url === '/302') response.writeHead(302, { location: '/login' }).end()
    else if (request.url === '/late') setTimeout(() => response.end('late'), 300)
  })
})
afterAll(async () => {
  silent.end()
  for (const one of listening) one.close()
  await Promise.all([server.end(), database?.stop()])
  rmSync(folder, { recursive: true, force: true })
})

async function served({ cert, key }: Issued): Promise<Check> {
  const tlsServer = createServer({ cert, key }, socket => socket.end())
  listening.push(tlsServer)
  await new Promise<void>(resolve => tlsServer.listen(0, '127.0.0.1', resolve))
  return tls({ host: '127.0.0.1', port: (tlsServer.address() as AddressInfo).port, names: ['shop.example'], ca: root.file })
}

const container = (State: object) => ({
  ...{ Name: '/api', RestartCount: 0, Image: 'sha256:1', Config: { Image: 'api', Labels: { 'com.docker.compose.service': 'api' } } },
  State: { Status: 'running', ExitCode: 0, OOMKilled: false, StartedAt: '2026-01-01T00:00:00Z', FinishedAt: '2026-01-01T00:00:00Z', ...State },
})
const toy = (look: Check['look'], kind = 'toy', limitMs = LIMIT_MS): Check => ({ name: 'toy', kind, limitMs, look })
const HOUR_MS = 3_600_000
const at = (path: string, more: object = {}) => http({ url: server.url + path, ...more })

const FAULTS: Readonly<Record<string, () => Check | Promise<Check>>> = {
  'nothing listens': () => http({ url: `http://127.0.0.1:${dead}/` }),
  'the answer is 503': () => at('/503'),
  'it takes connections and says nothing': () => at('/never', { limit: '300ms' }),
  'the answer is late': () => at('/late', { within: '50ms' }),
  'the answer is a redirect': () => at('/302'),
  'connecting is not answered': () => http({ url: `http://127.0.0.1:${silent.port}/`, limit: '300ms' }),
  'the certificate is self-signed': () => served(certificates(folder).selfSigned({ name: 'shop.example' })),
  'the certificate has expired': () => served(root.issue({ name: 'shop.example', from: -90, to: -3 })),
  'the renewal does not work': () => served(root.issue({ name: 'shop.example', from: -75, to: 15 })),
  'the disk is full': () => disk({ path: folder, freePercent: 100 }),
  'the path is not there': () => disk({ path: '/nowhere/at/all' }),
  'a container crashed': () =>
    toy(async () => containersVerdict([container({ Status: 'exited', ExitCode: 137, OOMKilled: true })], { project: 'shop' }), 'containers'),
  'a container has no health check': () => toy(async () => containersVerdict([container({})], { project: 'shop' }), 'containers'),
  'the host of the containers is not reached': () => containers({ project: 'shop', host: `ssh://nobody@127.0.0.1:${dead}` }),
  'the database is down': () => postgres({ host: '127.0.0.1', port: dead, user: 'shop' }),
  "the database's password is wrong": () => postgres({ url: new Secret('DB_URL', `postgres://root:wr0ng-password@127.0.0.1:${database?.port}/`) }),
  'psql is missing': () => postgres({ host: '127.0.0.1', bin: '/nowhere' }),
  'Redis is down': () => redis({ host: '127.0.0.1', port: dead }),
  'MongoDB is down': () => mongodb({ uri: new Secret('MONGODB_URI', `mongodb://127.0.0.1:${dead}/`) }),
  'Prometheus is down': () => prometheus({ url: `http://127.0.0.1:${dead}` }),
  'the newest backup is too old': () => backupAge({ newest: async () => new Date(Date.now() - 9 * HOUR_MS).toISOString(), objectiveMs: 6 * HOUR_MS }),
  'the backups cannot be listed': () => backupAge({ newest: () => Promise.reject(new Error('the bucket denied the request')), objectiveMs: 1 }),
  'a secret is not set': async () => (await makeChecks([check.http({ url: secret('HEALTH_URL') })], new Settings({}, 'shop.env', {})))[0] as Check,
  'a check hangs': () => toy(() => new Promise(() => undefined), 'toy', 50),
  'a check has a defect': () => toy(() => Promise.reject(new TypeError('x is not a function'))),
}

const NEEDS: Readonly<Record<string, 'postgres' | 'redis'>> = {
  'the database is down': 'postgres',
  "the database's password is wrong": 'postgres',
  'Redis is down': 'redis',
}

test('every fault of the page is made here, and every one that is made stands there', () => {
  expect(ROWS.map(([fault]) => fault).sort()).toEqual(Object.keys(FAULTS).sort())
})

/** Words with ‹so› as anything. */
const pattern = (words: string) =>
  new RegExp(
    words
      .split(/‹[^›]+›/)
      .map(part => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
      .join('.+'),
  )

test.for(ROWS)('%s', async ([fault, kind, is, exit, words], { skip }) => {
  const needs = NEEDS[fault]
  if (needs && available(needs) !== true) skip(`needs ${needs}`)
  const found = await lookAt((await FAULTS[fault]?.()) as Check)
  expect(found, found.says).toMatchObject({ kind, is })
  expect(found.says).toMatch(pattern(words))
  expect(exitOf([found])).toBe(Number(exit))
})
