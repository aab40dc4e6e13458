import { expect, test } from 'vitest'
import { containersVerdict } from '../../lib/checks/containers.ts'
import type { Container } from '../../lib/checks/docker.ts'
import { driftVerdict } from '../../lib/checks/image-drift.ts'

const now = Date.parse('2026-11-21T12:00:00Z')
const before = (seconds: number) => new Date(now - seconds * 1000).toISOString()

type More = { State?: Partial<Container['State']>; RestartCount?: number; policy?: string }
const container = (service: string, { State, RestartCount = 0, policy = 'unless-stopped' }: More = {}): Container => ({
  Name: `/shop-${service}-1`,
  RestartCount,
  Image: 'sha256:1',
  State: { Status: 'running', ExitCode: 0, OOMKilled: false, StartedAt: before(3600), FinishedAt: '0001-01-01T00:00:00Z', ...State },
  Config: { Image: 'shop/api:1', Labels: { 'com.docker.compose.service': service } },
  HostConfig: { RestartPolicy: { Name: policy } },
})
const healthy = { Health: { Status: 'healthy' } }
const verdict = (all: readonly Container[], more: object = {}) => containersVerdict(all, { project: 'shop', ...more }, now)

test('healthy by their own checks is healthy', () => {
  expect(verdict([container('api', { State: healthy }), container('web', { State: healthy })])).toMatchObject({
    is: 'healthy',
    says: '2 healthy',
    measured: { containers: 2, running: 2, restarts: 0, outOfMemory: 0 },
  })
})

test('one without a health check runs, and is not called healthy unless the stack file says that running is enough', () => {
  const all = [container('api', { State: healthy }), container('worker')]
  expect(verdict(all)).toMatchObject({ is: 'unknown', says: 'worker: running, no health check' })
  expect(verdict(all, { runningIsEnough: ['worker'] })).toMatchObject({ is: 'healthy', says: '1 healthy; worker: running, no health check' })
})

test('one that ran once and ended with 0 is well; the same of one that is to run always is not', () => {
  const ended = { Status: 'exited', FinishedAt: before(30) }
  const once = container('migrate', { State: ended, policy: 'no' })
  expect(verdict([container('api', { State: healthy }), once])).toMatchObject({
    is: 'healthy',
    says: '1 healthy; migrate: ran once and ended with 0 30 s ago',
  })
  expect(verdict([container('api', { State: ended })])).toMatchObject({ is: 'unhealthy', says: 'api: stopped 30 s ago, though it is to run always' })
  expect(verdict([once], { services: ['migrate'] })).toMatchObject({ is: 'unhealthy', says: 'migrate: no container of it runs' })
})

test.each([
  ['a crash', { State: { Status: 'exited', ExitCode: 3, FinishedAt: before(180) } }, 'api: exited 3 3 min 00 s ago, not out of memory'],
  [
    'no memory',
    { State: { Status: 'exited', ExitCode: 137, OOMKilled: true, FinishedAt: before(5) } },
    'api: exited 137 5.0 s ago, out of memory (OOM killed)',
  ],
  ['a loop', { State: { Status: 'restarting', ExitCode: 1 } }, 'api: restarts again and again, exited 1, not out of memory'],
  [
    'a restart just now',
    { State: { ...healthy, StartedAt: before(40) }, RestartCount: 2 },
    'api: restarted 2 times, the last time 40 s ago, not out of memory',
  ],
  ['paused', { State: { Status: 'paused' } }, 'api: paused, not running'],
  ['never begun', { State: { Status: 'created', Error: 'port is already allocated' } }, 'api: created, not running: port is already allocated'],
  [
    'unhealthy',
    { State: { Health: { Status: 'unhealthy', Log: [{ ExitCode: 1, Output: 'curl: (7) Failed to connect\n' }] } } },
    'api: its health check fails (exit 1): curl: (7) Failed to connect',
  ],
])('%s is unhealthy, and its cause is said', (_, more, says) => {
  expect(verdict([container('api', more), container('web', { State: healthy })])).toMatchObject({ is: 'unhealthy', says })
})

test('restarts of long ago are history, and some may be allowed', () => {
  expect(verdict([container('api', { State: healthy, RestartCount: 7 })])).toMatchObject({ is: 'healthy', measured: { restarts: 7 } })
  const lately = container('api', { State: { ...healthy, StartedAt: before(40) }, RestartCount: 1 })
  expect(verdict([lately], { restarts: 1 })).toMatchObject({ is: 'healthy' })
})

test('one that has just begun is neither; a project without containers, or without a service, is unhealthy', () => {
  const begun = container('api', { State: { Health: { Status: 'starting' }, StartedAt: before(4) } })
  expect(verdict([begun])).toMatchObject({ is: 'unknown', says: 'api: started 4.0 s ago, and its health check has not passed yet' })
  expect(verdict([])).toMatchObject({ is: 'unhealthy', says: 'there is no container of the project shop' })
  expect(verdict([container('api', { State: healthy })], { services: ['api', 'chat'] })).toMatchObject({
    is: 'unhealthy',
    says: 'chat: no container of it runs',
  })
})

test('an image is the recorded one by its digest, whichever of its names that is', () => {
  const [config, manifest, other] = ['1', '2', '3'].map(digit => `sha256:${digit.repeat(64)}`) as [string, string, string]
  const running = [{ service: 'api', container: '/a', image: 'shop/api:1.4.2', digests: [config, `shop/api@${manifest}`] }]
  expect(driftVerdict({ api: config }, running)).toMatchObject({ is: 'healthy', says: '1 of 1 services run what is recorded' })
  expect(driftVerdict({ api: `registry:5000/shop/api@${manifest}` }, running)).toMatchObject({ is: 'healthy' })
  expect(driftVerdict({ api: 'shop/api:1.4.2' }, running)).toMatchObject({ is: 'healthy' })
  expect(driftVerdict({ api: `shop/api:1.4.2@${other}` }, running)).toMatchObject({
    is: 'unhealthy',
    says: 'api runs sha256:111111111111…, not shop/api:1.4.2@sha256:333333333333…',
  })
  expect(driftVerdict({ api: 'shop/api:1.4.3' }, running)).toMatchObject({ is: 'unhealthy' })
  expect(driftVerdict({ chat: config }, running)).toMatchObject({ is: 'unhealthy', says: 'chat does not run; sha256:111111111111… is recorded' })
})
