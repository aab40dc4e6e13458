import { describe, expect, test } from 'vitest'
import { Secret } from '../../lib/plan/secrets.ts'
import type { Look } from '../../lib/platforms/kubernetes/look.ts'
import type { Container, Manifest, Pod, PodSpec, PodTemplate } from '../../lib/platforms/kubernetes/objects.ts'
import type { Held } from '../../lib/platforms/kubernetes/references.ts'
import { byName, type Kept, type Setting, variablesOf } from '../../lib/platforms/kubernetes/rehearse/given.ts'
import { mayShare } from '../../lib/platforms/kubernetes/rehearse/mounts.ts'
import { asideOf } from '../../lib/platforms/kubernetes/rehearse/pods.ts'
import { whyUnjudged } from '../../lib/platforms/kubernetes/rehearse/seen.ts'
import type { Site } from '../../lib/platforms/kubernetes/site.ts'
import type { Bundle } from '../../lib/platforms/platform.ts'

const RUN = '20261121t100000zabc123'
const base64 = (text: string) => Buffer.from(text).toString('base64')
const held = (kind: 'Secret' | 'ConfigMap', name: string, data: Record<string, string>): [string, Held] => [
  `${kind}/${name}`,
  {
    apiVersion: 'v1',
    kind,
    metadata: { name },
    data: kind === 'Secret' ? Object.fromEntries(Object.entries(data).map(([k, v]) => [k, base64(v)])) : data,
  },
]
const HELD = new Map([
  held('Secret', 'db', { USER: 'bookkeeper', PASSWORD: 'p4ss' }),
  held('ConfigMap', 'app', { MODE: 'fast', URL: 'postgres://none' }),
  held('ConfigMap', 'files', { 'app.yaml': 'url: postgres://app@db/shop' }),
])
const container = (more: Partial<Container> = {}): Container => ({ name: 'web', image: 'shop/web:1.0.0', ...more })
const text = (value: string | Secret) => (value instanceof Secret ? value.reveal() : value)

describe('variables of a container are those that the cluster would set', () => {
  const secret = (name: string, key: string) => ({ name, valueFrom: { secretKeyRef: { name: 'db', key } } })
  test.each<[string, Partial<Container>, Record<string, string>]>([
    ['written down', { env: [{ name: 'A', value: 'x' }] as never }, { A: 'x' }],
    ['whole, with a prefix', { envFrom: [{ prefix: 'APP_', configMapRef: { name: 'app' } }] }, { APP_MODE: 'fast', APP_URL: 'postgres://none' }],
    [
      'overruled',
      { envFrom: [{ configMapRef: { name: 'app' } }], env: [{ name: 'MODE', value: 'slow' }] as never },
      { MODE: 'slow', URL: 'postgres://none' },
    ],
    [
      'made of those before',
      { env: [secret('USER', 'USER'), secret('PW', 'PASSWORD'), { name: 'URL', value: 'postgres://$(USER):$(PW)@db/shop' }] as never },
      { USER: 'bookkeeper', PW: 'p4ss', URL: 'postgres://bookkeeper:p4ss@db/shop' },
    ],
    [
      'not of those after, and not where it is doubled',
      {
        env: [
          { name: 'A', value: '$(B) $$(B)' },
          { name: 'B', value: 'b' },
        ] as never,
      },
      { A: '$(B) $(B)', B: 'b' },
    ],
    ['of the pod itself: none of a release', { env: [{ name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } }] }, {}],
    [
      'of what is not there',
      { envFrom: [{ secretRef: { name: 'gone' } }], env: [{ name: 'X', valueFrom: { secretKeyRef: { name: 'gone', key: 'X' } } }] },
      {},
    ],
  ])('%s', (_, more, expected) => {
    const found = variablesOf('web', container(more), HELD)
    expect(Object.fromEntries(found.map(({ name, value }) => [name, text(value)]))).toEqual(expected)
  })

  test('what holds a secret is one', () => {
    const env = [secret('PW', 'PASSWORD'), { name: 'URL', value: 'x://$(PW)' }, { name: 'MODE', value: 'fast' }]
    expect(variablesOf('web', container({ env }), HELD).map(({ value }) => value instanceof Secret)).toEqual([true, true, false])
  })
})

test('settings have plain names while these mean one thing, else the service or the container in front', () => {
  const one = (service: string, container: string, name: string, value: string): Setting => ({ service, container, name, value })
  const names = byName([
    one('web', 'web', 'URL', 'a'),
    one('worker', 'worker', 'URL', 'a'),
    one('web', 'web', 'QUEUE', 'a'),
    one('worker', 'worker', 'QUEUE', 'b'),
    one('web', 'web', 'LEVEL', 'a'),
    one('web', 'proxy', 'LEVEL', 'b'),
  ])
  expect([...names.keys()]).toEqual(['URL', 'web.QUEUE', 'worker.QUEUE', 'web.web.LEVEL', 'web.proxy.LEVEL'])
  expect(names.get('URL')).toHaveLength(2)
})

describe('a pod may reach what is not its own', () => {
  const spec = (volume: object | undefined, mount: object = {}, more: object = {}): PodSpec => ({
    containers: [container({ volumeMounts: [{ name: 'v', mountPath: '/v', ...mount }] })],
    ...(volume ? { volumes: [{ name: 'v', ...volume }] } : {}),
    ...more,
  })
  test.each<[string, PodSpec, readonly string[]]>([
    ['an empty folder', spec({ emptyDir: {} }), []],
    ['a Secret', spec({ secret: { secretName: 'db' } }), []],
    ['a claim', spec({ persistentVolumeClaim: { claimName: 'media' } }), ['can write to persistentVolumeClaim v at /v']],
    ['a claim to read', spec({ persistentVolumeClaim: { claimName: 'media' } }, { readOnly: true }), []],
    ['a folder of the node', spec({ hostPath: { path: '/srv' } }), ['can write to hostPath v at /v']],
    ['a claim of its StatefulSet', spec(undefined), ['can write to the claim v at /v']],
    ['a token', spec({ projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } }), ['speaks to the cluster with the token of v']],
    ['the network of its node', spec({ emptyDir: {} }, {}, { hostNetwork: true }), ['has hostNetwork']],
  ])('%s', (_, pod, expected) => {
    expect(mayShare(pod)).toEqual(expected)
  })
})

describe('nothing is judged', () => {
  const service = { name: 'web', image: 'shop/web', traffic: 'none', twice: 'allowed' } as const
  const NOW = Date.parse('2026-11-21T10:02:00Z')
  const look = (status: Pod['status'], created = '2026-11-21T10:00:00Z'): Look => {
    const pod: Pod = { metadata: { name: 'web-x', creationTimestamp: created }, spec: { containers: [container()] }, ...(status ? { status } : {}) }
    return { nowMs: NOW, workloads: [{ service, object: { kind: 'Pod', metadata: pod.metadata, spec: { template: pod } }, pods: [pod], old: [] }] }
  }
  const waiting = (reason: string, message: string) => ({
    containerStatuses: [{ name: 'web', image: 'shop/web:1', imageID: '', ready: false, restartCount: 0, state: { waiting: { reason, message } } }],
  })
  const unscheduled = { conditions: [{ type: 'PodScheduled', status: 'False', message: '0/3 nodes are available' }] }
  const crashed = {
    containerStatuses: [{ name: 'web', image: '', imageID: '', ready: false, restartCount: 1, state: { terminated: { exitCode: 1 } } }],
  }
  const YOUNG = '2026-11-21T10:01:50Z'
  test.each<[string, Look, string | undefined]>([
    ['where the pod is gone', { nowMs: NOW, workloads: [] }, 'somebody removed its pod'],
    [
      'where its node gave it up',
      look({ phase: 'Failed', reason: 'Evicted', message: 'low on memory' }),
      'its pod was taken away (Evicted): low on memory',
    ],
    ['where no node takes it', look(unscheduled), 'no node has a place for it: 0/3 nodes are available'],
    [
      'where its image is not there any more',
      look(waiting('ErrImagePull', 'x: not found'), YOUNG),
      'the image shop/web:1.0.0 is missing: x: not found',
    ],
    [
      'where its registry stays away',
      look(waiting('ErrImagePull', 'dial tcp: refused')),
      'the image shop/web:1.0.0 has not come yet: dial tcp: refused',
    ],
    [
      'where its Secret is gone',
      look(waiting('CreateContainerConfigError', 'secret "db" not found'), YOUNG),
      'its settings are not there: secret "db" not found',
    ],
    ['before the cluster had its time', look(unscheduled, YOUNG), undefined],
    ['while a registry hiccups', look(waiting('ErrImagePull', 'dial tcp: refused'), YOUNG), undefined],
  ])('%s', (_, seen, why) => {
    expect(whyUnjudged(seen, ['web'])?.because).toBe(why)
  })

  test('but a release that crashes is', () => {
    expect(whyUnjudged(look(crashed), ['web'])).toBeUndefined()
  })
})

describe('what is put aside', () => {
  const site = { setting: { stack: 'shop' } } as Site
  const bundle = { release: 'r1', slot: 'rehearsal', services: { web: { image: 'shop/web', version: '1.0.0', digest: null } } } as never as Bundle
  const env = [
    { name: 'USER', valueFrom: { secretKeyRef: { name: 'db', key: 'USER' } } },
    { name: 'URL', value: 'postgres://$(USER)@db/shop' },
    { name: 'LATER', value: '$(URL)?x' },
  ]
  const spec: PodSpec = {
    containers: [
      container({
        env,
        envFrom: [{ configMapRef: { name: 'app' } }],
        volumeMounts: [{ name: 'files', mountPath: '/etc/app' }],
        lifecycle: { preStop: { sleep: { seconds: 5 } } },
      }),
    ],
    volumes: [{ name: 'files', configMap: { name: 'files' } }],
    priorityClassName: 'high',
    affinity: { podAntiAffinity: {}, nodeAffinity: { x: 1 } },
    terminationGracePeriodSeconds: 330,
  }
  const template: PodTemplate = { metadata: { labels: { app: 'web' } }, spec }
  const settings = [
    ...variablesOf('web', spec.containers[0] as Container, HELD),
    {
      service: 'web',
      container: 'web',
      name: 'app.yaml',
      value: 'url: postgres://app@db/shop',
      file: { kind: 'ConfigMap', name: 'files' },
    } as Setting,
  ]
  // The release brings `app` itself; `files` and `db` stand in the namespace.
  const kept: Kept = {
    objects: [{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'app' } }],
    templates: new Map([['web', template]]),
    held: HELD,
    settings,
  }
  const aside = asideOf(site, RUN, bundle, kept, { URL: new Secret('URL', 'postgres://copy'), 'app.yaml': 'url: none' })
  const pod = aside.pods.web as Manifest & { spec: PodSpec }
  const [main] = pod.spec.containers
  const named = (part: string) => aside.settings.find(({ metadata }) => metadata.name.includes(part)) as (Manifest & Held) | undefined

  test('reads what is replaced out of a Secret of its own, and all else as it was', () => {
    const values = named('instead')
    expect([values?.kind, values?.stringData]).toEqual(['Secret', { 'web.URL': 'postgres://copy' }])
    expect(main?.env).toEqual([env[0], { name: 'URL', valueFrom: { secretKeyRef: { name: values?.metadata.name, key: 'web.URL' } } }, env[2]])
    expect(JSON.stringify(pod)).not.toContain('postgres://copy')
  })

  test('brings under names of its own what the release brings, and the file that is replaced', () => {
    const [app, files] = [named('web-app'), named('web-files')]
    expect([main?.envFrom, pod.spec.volumes]).toEqual([
      [{ configMapRef: { name: app?.metadata.name } }],
      [{ name: 'files', configMap: { name: files?.metadata.name } }],
    ])
    expect([app?.data, files?.data]).toEqual([{ MODE: 'fast', URL: 'postgres://none' }, { 'app.yaml': 'url: none' }])
    expect(named('web-db')).toBeUndefined()
  })

  test('is found by its run, and asks for nothing that others need', () => {
    expect(aside.settings.every(({ metadata }) => metadata.labels?.['runbooks.dev/rehearsal'] === RUN)).toBe(true)
    expect(pod.metadata.labels).toMatchObject({ app: 'web', 'runbooks.dev/rehearsal': RUN, 'runbooks.dev/stack': 'shop' })
    expect(pod.spec).toMatchObject({
      readinessGates: [{ conditionType: 'runbooks.dev/once' }],
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      terminationGracePeriodSeconds: 5,
      affinity: { nodeAffinity: { x: 1 } },
    })
    expect([
      pod.spec.priorityClassName,
      main?.lifecycle,
      (pod.spec.affinity as object) && 'podAntiAffinity' in (pod.spec.affinity as object),
    ]).toEqual([undefined, undefined, false])
  })

  test('leaves a pod out that could write to live data', () => {
    const shared = new Map([['web', { spec: { ...spec, hostNetwork: true } }]])
    expect(asideOf(site, RUN, bundle, { ...kept, templates: shared }, {})).toEqual({ settings: [], pods: {} })
  })
})
