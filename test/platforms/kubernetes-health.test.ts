import { expect, test } from 'vitest'
import {
  type Autoscaler,
  autoscalerFault,
  type Budget,
  budgetFault,
  claimFault,
  periodicFault,
  type Ran,
  workloadFault,
} from '../../lib/platforms/kubernetes/ailments.ts'
import type { Controller, Pod } from '../../lib/platforms/kubernetes/objects.ts'

const NOW = Date.parse('2026-11-21T12:00:00Z')
const ago = (minutes: number) => new Date(NOW - minutes * 60_000).toISOString()
const named = (name: string, more: object = {}) => ({ apiVersion: 'v1', kind: 'Any', metadata: { name, creationTimestamp: ago(60), ...more } })

test.each([
  [{ disruptionsAllowed: 1, expectedPods: 2, currentHealthy: 2, desiredHealthy: 1 }, undefined],
  [{ disruptionsAllowed: 0, expectedPods: 0, currentHealthy: 0, desiredHealthy: 1 }, undefined],
  [{ disruptionsAllowed: 0, expectedPods: 1, currentHealthy: 1, desiredHealthy: 1 }, 'it wants 1 healthy pods, and there are 1'],
  [{ disruptionsAllowed: 0, expectedPods: 3, currentHealthy: 1, desiredHealthy: 2 }, '1 of 3 pods are healthy, and 2 must be'],
])('a budget blocks when it lets no pod go, and there are any: %j', (status, says) => {
  const fault = budgetFault({ ...named('web'), status } as Budget)
  expect(fault).toEqual(says && `the budget web blocks every eviction, so no node can be drained: ${says}`)
})

test('an autoscaler is at its limit when it wants more than it may; one that cannot see is forgiven its first minutes', () => {
  const one = (type: string, status: string, reason: string, minutes: number): Autoscaler => {
    const conditions = [{ type, status, reason, message: 'no metrics returned', lastTransitionTime: ago(minutes) }]
    return { ...named('web'), spec: { maxReplicas: 10 }, status: { currentReplicas: 10, conditions } }
  }
  expect(autoscalerFault(one('ScalingLimited', 'True', 'TooManyReplicas', 0), NOW)).toContain('at its limit: 10 of at most 10 pods')
  expect(autoscalerFault(one('ScalingLimited', 'True', 'TooFewReplicas', 9), NOW)).toBeUndefined()
  expect(autoscalerFault(one('ScalingActive', 'False', 'FailedGetResourceMetric', 1), NOW)).toBeUndefined()
  expect(autoscalerFault(one('ScalingActive', 'False', 'FailedGetResourceMetric', 5), NOW)).toContain('does nothing: no metrics returned')
  expect(autoscalerFault(one('ScalingActive', 'False', 'ScalingDisabled', 5), NOW)).toBeUndefined()
})

test('a claim is at fault when it waits for minutes, its volume is lost, or it is nearly full', () => {
  const claim = (phase: string, used?: number, minutes = 60) =>
    claimFault({ ...named('data', { creationTimestamp: ago(minutes) }), status: { phase } }, used, NOW)
  expect([claim('Bound', 0.5), claim('Bound'), claim('Pending', undefined, 1)]).toEqual([undefined, undefined, undefined])
  expect(claim('Bound', 0.93)).toBe('the volume of data is 93 % full')
  expect(claim('Lost')).toBe('the volume of data is lost')
  expect(claim('Pending')).toMatch(/^data has waited for a volume for /)
})

test('a CronJob is at fault when it missed its hour, or its last run failed', () => {
  const cron = (last: string | undefined, runs: readonly Ran[] = [], suspend = false) =>
    periodicFault(
      { ...named('nightly', { uid: 'u' }), spec: { schedule: '30 * * * *', suspend }, status: last ? { lastScheduleTime: last } : {} },
      runs,
      NOW - 30 * 60_000,
      NOW,
    )
  expect([cron(ago(30)), cron(ago(90), [], true)]).toEqual([undefined, undefined])
  expect([cron(ago(90)), cron(undefined)]).toEqual(['nightly did not run at 2026-11-21T11:30Z', 'nightly did not run at 2026-11-21T11:30Z'])
  const run = (minutes: number, failed: boolean): Ran => ({
    ...named(`run-${minutes}`, { ownerReferences: [{ uid: 'u', kind: 'CronJob', name: 'nightly' }] }),
    status: { startTime: ago(minutes), conditions: failed ? [{ type: 'Failed', status: 'True', message: 'BackoffLimitExceeded' }] : [] },
  })
  expect(cron(ago(30), [run(90, true), run(30, false)])).toBeUndefined()
  expect(cron(ago(30), [run(30, true), run(90, false)])).toBe('the last run of nightly failed: BackoffLimitExceeded')
})

test('a database that is not there is told with its cause', () => {
  const object = {
    kind: 'StatefulSet',
    metadata: { name: 'mongodb', uid: 's' },
    spec: { replicas: 2, selector: { matchLabels: { app: 'mongodb' } }, template: { spec: { containers: [{ name: 'db', image: 'db:1' }] } } },
  } as unknown as Controller
  const pod = (name: string, ready: boolean): Pod => ({
    metadata: { name, labels: { app: 'mongodb' }, creationTimestamp: ago(9) },
    spec: { containers: [{ name: 'db', image: 'db:1' }] },
    status: {
      conditions: [
        { type: 'Ready', status: ready ? 'True' : 'False' },
        { type: 'PodScheduled', status: ready ? 'True' : 'False', message: '0/1 nodes are available: 1 Insufficient memory' },
      ],
    },
  })
  expect(workloadFault(object, [pod('mongodb-0', true), pod('mongodb-1', true)], NOW)).toBeUndefined()
  expect(workloadFault(object, [pod('mongodb-0', true), pod('mongodb-1', false)], NOW)).toMatch(
    /^StatefulSet mongodb: 1 of 2 pods are ready, .*Insufficient memory/,
  )
})
