import { describe, expect, test } from 'vitest'
import { checkStack } from '../../lib/stack/schema.ts'

type Json = { [key: string]: unknown }
const WEB = { image: 'shop/web', port: 3000, health: '/health', traffic: 'split', twice: 'allowed' }
const WORKER = { image: 'shop/worker', traffic: 'none', twice: 'never' }

const stack = (services: Json, deploy: Json = {}, environment: Json = {}) => ({
  name: 'shop',
  timezone: 'Europe/Paris',
  services,
  deploy,
  data: {},
  environments: { local: { stores: [{ family: 'store', kind: 'directory', options: { path: 'backups' } }], ...environment } },
})

/** What is said of a stack file; empty when it is valid. */
async function refusal(found: Json): Promise<string> {
  return checkStack(found, 'config/shop.ts').then(
    () => '',
    (error: { exit: number; message: string }) => `${error.exit} ${error.message}`,
  )
}

test('what the documents show is valid', async () => {
  const deploy = {
    smoke: [
      { kind: 'http', path: '/health', status: 200, within: '2s', contains: 'ok' },
      { kind: 'run', service: 'web', argv: ['true'] },
    ],
    metrics: [{ kind: 'http', path: '/metrics' }],
    bake: '5min',
    budget: '2min',
    backup: true,
    migrate: { service: 'web', up: ['up'], at: ['at'], down: ['down', '{to}'] },
    rehearse: { MAIL: { value: 'off' } },
    tests: ['npm', 'test'],
    scan: ['trivy', 'image'],
    imageSize: '200MB',
    probe: { path: '/', perSecond: 60 },
    keep: 5,
  }
  const freeze = [
    { kind: 'frozen', from: '2026-05-14 06:00', to: '2026-05-16', why: 'event' },
    { kind: 'frozen', from: '2026-05-14T06:00', to: '2026-05-14 20:00', why: 'written in two ways' },
    { kind: 'frozen', whenSet: 'EVENT_DAY_FREEZE', why: 'event' },
  ]
  expect(await refusal(stack({ web: WEB, worker: WORKER }, deploy, { approvals: 1, freeze }))).toBe('')
})

describe('each refusal names the field', () => {
  const services: readonly [string, Json, RegExp][] = [
    ['a tag in the image', { web: { ...WEB, image: 'shop/web:1.0.0' } }, /services\.web: an image is written without a tag/],
    ['a digest in the image', { web: { ...WEB, image: `shop/web@sha256:${'0'.repeat(64)}` } }, /services\.web\.image: /],
    ['capitals in the image', { web: { ...WEB, image: 'Shop' } }, /services\.web\.image: an image is written registry\/name/],
    ['traffic without a port', { web: { ...WEB, port: undefined } }, /services\.web: a service with traffic needs a port/],
    ['a port that is none', { web: { ...WEB, port: 70_000 } }, /services\.web\.port: /],
    ['a split service that never runs twice', { web: { ...WEB, twice: 'never' } }, /services\.web: .*cannot share its traffic with itself/],
    ['a health path without a slash', { web: { ...WEB, health: 'health' } }, /services\.web\.health: a path begins with \//],
    ['a name with capitals', { Web: WEB }, /services\.Web: /],
    ['a word with a typo', { web: { ...WEB, traffic: 'spilt' } }, /services\.web\.traffic: .*found "spilt"/],
    ['a field that is unknown', { web: { ...WEB, replicas: 2 } }, /services\.web: .*replicas/],
  ]
  test.each(services)('services: %s', async (_, given, says) => {
    expect(await refusal(stack(given))).toMatch(says)
    expect(await refusal(stack(given))).toMatch(/^2 config\/shop\.ts is not a valid stack file/)
  })

  const deploys: readonly [string, Json, RegExp][] = [
    ['a bake without a unit', { bake: '30' }, /deploy\.bake: a duration is written .*found "30"/],
    ['a budget in words', { budget: 'long' }, /deploy\.budget: a duration/],
    ['a size without a unit', { imageSize: '200' }, /deploy\.imageSize: a size is written/],
    ['a smoke test of another kind', { smoke: [{ kind: 'tcp' }] }, /deploy\.smoke\.0\.kind: /],
    ['a smoke test without a path', { smoke: [{ kind: 'http' }] }, /deploy\.smoke\.0\.path: /],
    ['a status that is none', { smoke: [{ kind: 'http', path: '/', status: 99 }] }, /deploy\.smoke\.0\.status: /],
    ['an empty command', { tests: [] }, /deploy\.tests: /],
    ['a migration without a way to look', { migrate: { service: 'web', up: ['up'] } }, /deploy\.migrate\.at: /],
    ['a probe of a path without a slash', { probe: { path: 'x' } }, /deploy\.probe\.path: /],
    ['a probe that never asks', { probe: { path: '/', perSecond: 0 } }, /deploy\.probe\.perSecond: /],
    ['keeping nothing to go back to', { keep: 1 }, /deploy\.keep: at least 2/],
    [
      'a migration of a service that there is none of',
      { migrate: { service: 'wbe', up: ['up'], at: ['at'] } },
      /deploy\.migrate\.service: there is no service "wbe"; there are web/,
    ],
    [
      'a smoke test in a service that there is none of',
      { smoke: [{ kind: 'run', service: 'wbe', argv: ['true'] }] },
      /deploy\.smoke\.0\.service: there is no service "wbe"/,
    ],
    [
      'a smoke test that a service answers that there is none of',
      { smoke: [{ kind: 'http', path: '/', service: 'wbe' }] },
      /deploy\.smoke\.0\.service: there is no service "wbe"/,
    ],
    ['a rehearsal with a copy of a part that there is none of', { rehearse: { URL: 'cache' } }, /deploy\.rehearse\.URL: there is no part "cache"/],
    ['a rehearsal without such a part', { rehearse: { URL: { value: '', insteadOf: 'cache' } } }, /deploy\.rehearse\.URL: there is no part "cache"/],
    ['a rehearsal with a value that is none', { rehearse: { URL: { to: 'x' } } }, /deploy\.rehearse\.URL: .*the name of a part, or/],
    ['a rehearsal with a setting that no platform has', { rehearse: { 'A B': { value: 'x' } } }, /deploy\.rehearse\.A B: Invalid key/],
    [
      'a metrics check in a service that there is none of',
      { metrics: [{ kind: 'run', service: 'wbe', argv: ['true'] }] },
      /deploy\.metrics\.0\.service: there is no service "wbe"/,
    ],
  ]
  test.each(deploys)('deploy: %s', async (_, given, says) => {
    expect(await refusal(stack({ web: WEB }, given))).toMatch(says)
  })

  const frozen = (from: string, to: string) => ({ freeze: [{ kind: 'frozen', from, to, why: 'event' }] })
  const environments: readonly [string, Json, RegExp][] = [
    ['a freeze that ends before it begins', frozen('2026-05-16', '2026-05-14'), /environments\.local\.freeze\.0: a freeze must end after it begins/],
    [
      'a freeze that ends as it begins, written in two ways',
      frozen('2026-05-14', '2026-05-14 00:00'),
      /freeze\.0: a freeze must end after it begins/,
    ],
    ['a freeze whose day is none', frozen('2026-02-30', '2026-03-01'), /environments\.local\.freeze\.0/],
    ['a freeze that says not why', { freeze: [{ kind: 'frozen', whenSet: 'X', why: '' }] }, /environments\.local\.freeze\.0/],
    ['six approvals', { approvals: 6 }, /environments\.local\.approvals: /],
    ['a platform that there is none of', { platform: { family: 'platform', kind: 'swarm', options: {} } }, /environments\.local\.platform\.kind: /],
  ]
  test.each(environments)('environments: %s', async (_, given, says) => {
    expect(await refusal(stack({ web: WEB }, {}, given))).toMatch(says)
  })
})
