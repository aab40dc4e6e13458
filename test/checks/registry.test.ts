import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { CHECKS, unbuilt } from '../../lib/checks/registry.ts'
import { check, env, secret } from '../../lib/index.ts'
import { Trouble } from '../../lib/plan/outcome.ts'
import { Secret } from '../../lib/plan/secrets.ts'
import { makeChecks } from '../../lib/stack/checks.ts'
import type { CheckDescription } from '../../lib/stack/describe.ts'
import { Settings } from '../../lib/stack/settings.ts'
import { lookAt } from './kit.ts'

const compose = { compose: { project: 'shop' }, service: 'postgres' }

/** Every kind, with every option that it has. */
const ALL: readonly CheckDescription[] = [
  check.http({
    name: 'api',
    url: 'https://api.shop.example/health',
    status: [200, 204],
    contains: 'ok',
    json: { status: 'ok', ready: true, queue: 0, error: null },
    version: { field: 'version', is: env('VERSION') },
    within: '500ms',
    limit: '5s',
    follow: true,
    headers: { host: 'shop.example', 'x-key': secret('KEY') },
    authorization: secret('KEY'),
    ca: 'ca.pem',
  }),
  check.tls({ name: 'cert', host: env('HOST'), port: 8443, names: ['shop.example'], remaining: 0.3, left: '7d', ca: 'ca.pem' }),
  check.disk({ name: 'room', path: '/var/lib', freePercent: 5, freeBytes: 1e9, in: compose }),
  check.memory({ name: 'ram', availablePercent: 5, host: env('HOST'), key: secret('KEY'), knownHosts: '/etc/ssh/known' }),
  check.containers({ name: 'all', project: 'shop', host: 'ssh://deploy@shop', services: ['api'], runningIsEnough: ['worker'], restarts: 2 }),
  check.images({ name: 'drift', project: 'shop', host: env('HOST'), images: { nginx: 'nginx:1.30-alpine' } }),
  check.postgres({ name: 'pg', url: secret('KEY'), database: 'shop', lag: '30s', standbys: 1, connectionsPercent: 80, bin: '/usr/bin', in: compose }),
  check.mongodb({ name: 'mongo', uri: secret('KEY'), lag: '30s', in: compose }),
  check.redis({ name: 'cache', host: 'redis', port: 6379, user: 'ops', password: secret('KEY'), aof: true, memoryPercent: 80, in: compose }),
  check.prometheus({
    name: 'prom',
    url: 'http://prometheus:9090',
    jobs: ['api'],
    labels: { stack: 'shop' },
    ignore: [],
    authorization: secret('KEY'),
  }),
]

test('every kind that can be built can be described, and the other way round', () => {
  expect(ALL.map(({ kind }) => kind).sort()).toEqual(Object.keys(CHECKS).sort())
})

test.each(ALL.map(one => [one.kind, one] as const))('%s: all that its type allows is valid', (kind, { options }) => {
  expect(CHECKS[kind as keyof typeof CHECKS].options(z).safeParse(options).error?.issues).toBe(undefined)
})

describe('what a check cannot be is refused by the name of its option', () => {
  test.each([
    ['http', {}, 'url'],
    ['http', { url: 'http://a', status: 20 }, 'status'],
    ['http', { url: 'http://a', within: '5 minutes' }, 'within'],
    ['http', { url: 'http://a', autorization: 'x' }, ''],
    ['http', { url: 'http://a', authorization: 'Bearer plain' }, 'authorization'],
    ['tls', { host: 'a', port: 70_000 }, 'port'],
    ['tls', { host: 'a', remaining: 25 }, 'remaining'],
    ['disk', { path: '' }, 'path'],
    ['disk', { path: '/', freePercent: 101 }, 'freePercent'],
    ['containers', {}, 'project'],
    ['postgres', {}, ''],
    ['postgres', { host: 'a', scratch: secret('X') }, ''],
    ['redis', { url: secret('X'), host: 'a' }, ''],
    ['prometheus', { url: 'http://a', jobs: [] }, 'jobs'],
  ] as const)('%s %j', (kind, options, path) => {
    const { success, error } = CHECKS[kind].options(z).safeParse(options)
    expect(success).toBe(false)
    expect(error?.issues.map(issue => issue.path.join('.'))).toContain(path)
  })
})

test('members are built from settings, secrets in headers too; their names are those of the stack file', async () => {
  const settings = new Settings({ KEY: 'mongodb://u:hidden-value@h/', VERSION: '1.4.2', HOST: 'shop.example' }, 'shop.env', {})
  const without = ALL.filter(({ kind }) => kind !== 'postgres')
  expect((await makeChecks(without, settings)).map(({ name, kind }) => `${kind} ${name}`)).toEqual(
    without.map(({ kind, options }) => `${kind} ${String(options.name)}`),
  )
  expect(settings.used.every(({ name, value }) => name !== 'KEY' || value instanceof Secret)).toBe(true)
})

test('a check whose secret is set nowhere is unknown, and says which; the others are built', async () => {
  const settings = new Settings({}, 'shop.env', {})
  const [lost, built] = await makeChecks([check.mongodb({ uri: secret('MONGODB_URI') }), check.memory({ availablePercent: 0 })], settings)
  expect(lost && (await lookAt(lost))).toMatchObject({ name: 'mongodb', is: 'unknown', says: 'could not look: MONGODB_URI is not set' })
  expect(built && (await lookAt(built))).toMatchObject({ is: 'healthy' })
  expect(await lookAt(unbuilt('http', {}, new Trouble(2, 'no address')))).toMatchObject({ name: 'http', is: 'unknown' })
})
