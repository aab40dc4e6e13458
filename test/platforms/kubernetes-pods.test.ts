import { describe, expect, test } from 'vitest'
import { exitsOf, faultOf } from '../../lib/platforms/kubernetes/faults.ts'
import type { Workload } from '../../lib/platforms/kubernetes/look.ts'
import type { ContainerStatus, Pod } from '../../lib/platforms/kubernetes/objects.ts'
import { repositoryOf, tagOf } from '../../lib/platforms/kubernetes/objects.ts'
import { pullFault, pullWords } from '../../lib/platforms/kubernetes/pull.ts'
import { isNew } from '../../lib/platforms/kubernetes/steady.ts'
import { mayMiss } from '../../lib/platforms/kubernetes/verdict.ts'

const NOW = Date.parse('2026-11-21T12:00:00Z')
const at = (secondsAgo: number) => new Date(NOW - secondsAgo * 1_000).toISOString()

const spec = {
  containers: [
    { name: 'app', image: 'shop/web:1' },
    { name: 'proxy', image: 'proxy:2' },
  ],
}
const workload = {
  service: { name: 'web', image: 'shop/web', traffic: 'split', twice: 'allowed' },
  object: { kind: 'Deployment', metadata: { name: 'web' }, spec: { template: { spec } } },
  pods: [],
  old: [],
} satisfies Workload

const status = (more: Partial<ContainerStatus>): ContainerStatus => ({
  name: 'app',
  image: 'shop/web:1',
  imageID: '',
  ready: false,
  restartCount: 0,
  ...more,
})
const pod = (one: ContainerStatus, more: Partial<NonNullable<Pod['status']>> = {}): Pod => ({
  metadata: { name: 'web-1', creationTimestamp: at(30) },
  spec,
  status: { phase: 'Running', containerStatuses: [one], ...more },
})
const fault = (one: ContainerStatus, more?: Partial<NonNullable<Pod['status']>>) => faultOf(pod(one, more), workload, NOW - 60_000, NOW)
const died = (exitCode: number, more: object = {}) => ({ terminated: { exitCode, startedAt: at(3), finishedAt: at(2), ...more } })

describe('a failed pull', () => {
  test.each([
    ['failed to resolve reference "r/x:9": r/x:9: not found', 'missing'],
    ['manifest for r/x:9 not found: manifest unknown: manifest unknown', 'missing'],
    ['Container image "x:1" is not present with pull policy of Never', 'missing'],
    ['failed to authorize: failed to fetch oauth token: unexpected status: 401 Unauthorized', 'denied'],
    ['pull access denied, repository does not exist or may require authorization: server message: insufficient_scope', 'denied'],
    ['no match for platform in manifest: not found', 'wrong platform'],
    ['unexpected status from HEAD request: 429 Too Many Requests', 'unreachable'],
    ['dial tcp: lookup registry.example: no such host', 'unreachable'],
    ['received unexpected HTTP status: 503 Service Unavailable', 'unreachable'],
    ['context deadline exceeded', 'unreachable'],
    ['something that nobody has seen before', 'unreachable'],
  ])('%s is %s', (words, what) => {
    expect(pullFault(words)).toBe(what)
  })

  test('is told by the part that says something', () => {
    const words =
      'Back-off pulling image "r/x:9": ErrImagePull: failed to pull and unpack image "r/x:9": failed to resolve reference "r/x:9": r/x:9: not found'
    expect(pullWords(words)).toBe('r/x:9: not found')
  })
})

describe('a container', () => {
  test('that ended once may have met a database that was not ready; twice is a strike, with the exit code', () => {
    expect(fault(status({ state: died(1) }))).toMatchObject({ is: 'moving', because: 'app ended once with exit 1' })
    expect(fault(status({ restartCount: 1, state: died(1) }))).toMatchObject({
      is: 'struck',
      because: 'app crashed 2 times, the last time with exit 1',
    })
    expect(
      fault(status({ restartCount: 1, state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: died(137, { reason: 'OOMKilled' }) })),
    ).toMatchObject({
      is: 'struck',
      because: 'app crashed 2 times, the last time killed for want of memory (OOM), exit 137',
    })
  })

  test('that is ready and has run for a while has got over its ends', () => {
    const ran = { restartCount: 2, ready: true, lastState: died(1) }
    expect(fault(status({ ...ran, state: { running: { startedAt: at(20) } } }))).toBeUndefined()
    expect(fault(status({ ...ran, state: { running: { startedAt: at(3) } } }))).toMatchObject({ is: 'struck' })
  })

  test('beside the service gets five strikes, and what it does in between is its own business', () => {
    const beside = { name: 'proxy', restartCount: 1, lastState: died(1) }
    expect(fault(status({ ...beside, ready: true, state: { running: { startedAt: at(1) } } }))).toBeUndefined()
    expect(fault(status({ ...beside, state: { waiting: { reason: 'CrashLoopBackOff' } } }))).toMatchObject({ is: 'moving' })
    expect(fault(status({ ...beside, restartCount: 4, state: { waiting: { reason: 'CrashLoopBackOff' } } }))).toMatchObject({ is: 'struck' })
  })

  test('without its settings is doomed, unless the node has only not heard of them yet', () => {
    const waiting = (message: string) => status({ state: { waiting: { reason: 'CreateContainerConfigError', message } } })
    expect(fault(waiting('configmap "x" not found'))).toMatchObject({ is: 'doomed' })
    expect(fault(waiting('failed to sync configmap cache: timed out waiting for the condition'))).toMatchObject({ is: 'moving' })
  })

  test('that cannot be started is doomed at its first try; one whose image has no valid name as well', () => {
    const words = 'failed to create containerd task: runc create failed: unable to start container process: exec /app: exec format error'
    expect(fault(status({ state: died(128, { reason: 'StartError', message: words }) }))).toMatchObject({
      is: 'doomed',
      because: expect.stringContaining('exec format error'),
    })
    expect(fault(status({ state: { waiting: { reason: 'InvalidImageName', message: 'x' } } }))).toMatchObject({ is: 'doomed' })
  })

  test.each(['Evicted', 'Preempting', 'NodeShutdown'])('of a pod that was taken away (%s) is no failure', reason => {
    expect(fault(status({ state: died(137) }), { phase: 'Failed', reason })).toBeUndefined()
  })

  test('of a pod that is older than the release counts only what has happened since', () => {
    const old: Pod = { ...pod(status({})), metadata: { name: 'web-1', creationTimestamp: at(9_000) } }
    const of = (more: Partial<ContainerStatus>) => exitsOf(status(more), old, NOW - 60_000)
    expect(of({ restartCount: 7, state: { running: {} }, lastState: { terminated: { exitCode: 1, finishedAt: at(600) } } })).toBe(0)
    expect(of({ restartCount: 7, state: { running: {} }, lastState: died(1) })).toBe(1)
    expect(of({ restartCount: 7, state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: died(1) })).toBe(2)
  })
})

describe('a pod that is not ready while a release is watched', () => {
  const unready = (readySecondsAgo: number, startedSecondsAgo: number, restartCount = 0): Pod => {
    const one = pod(status({ restartCount }), {
      startTime: at(startedSecondsAgo),
      conditions: [{ type: 'Ready', status: 'False', lastTransitionTime: at(readySecondsAgo) }],
    })
    return { ...one, metadata: { ...one.metadata, uid: 'u', creationTimestamp: at(startedSecondsAgo) } }
  }
  test('has only just come when it has never been ready: an autoscaler wants it, or another was evicted', () => {
    expect(isNew(unready(5, 5), NOW, new Map())).toBe(true)
  })
  test('has fallen when it was ready before, was seen so, has ended once, or takes more than a minute', () => {
    const seen = new Map([['u', { as: '', firstMs: 0, again: false }]])
    const fallen = [
      isNew(unready(2, 30), NOW, new Map()),
      isNew(unready(5, 5), NOW, seen),
      isNew(unready(5, 5, 1), NOW, new Map()),
      isNew(unready(90, 90), NOW, new Map()),
    ]
    expect(fallen).toEqual([false, false, false, false])
  })
})

test('pods that may be missing are counted as the cluster counts them', () => {
  expect([mayMiss(0, 3), mayMiss('25%', 3), mayMiss('50%', 3), mayMiss(undefined, 8)]).toEqual([0, 0, 1, 2])
})

test.each([
  ['ghcr.io/shop/web:1.4.2', 'ghcr.io/shop/web', '1.4.2'],
  ['127.0.0.1:5000/web', '127.0.0.1:5000/web', ''],
  ['127.0.0.1:5000/web:v1@sha256:ab', '127.0.0.1:5000/web', 'v1'],
  ['web@sha256:ab', 'web', 'sha256:ab'],
])('%s is %s in version %s', (image, repository, tag) => {
  expect([repositoryOf(image), tagOf(image)]).toEqual([repository, tag])
})
