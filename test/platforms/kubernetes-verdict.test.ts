import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Platform } from '../../lib/platforms/platform.ts'
import { describeWith } from '../testbed/index.ts'
import { doing, judged, perform, started, until } from './conformance/kit.ts'
import { container } from './kubernetes/overlay.ts'
import { drafted, type KubernetesWorld, kubernetesWorld, put } from './kubernetes/world.ts'

/** Longest time for what must be seen within 2 s on a quiet machine. */
const LONG = 90_000

describeWith(['kubernetes', 'registry'], 'the verdict on Kubernetes', () => {
  let world: KubernetesWorld
  let platform: Platform
  beforeAll(async () => {
    world = await kubernetesWorld('privileged')
    platform = world.platform()
    await world.versions('1.0.0', '1.1.0', '1.2.0-crash', '1.2.0-late', '1.2.0-oom', '1.2.0-slow')
  }, 120_000)
  afterAll(() => world.close(), 60_000)
  beforeEach(async () => {
    world.on.tries(['-n', world.namespace, 'delete', 'resourcequota', '--all'])
    world.on.kubectl(['label', '--overwrite', 'namespace', world.namespace, 'pod-security.kubernetes.io/enforce=privileged'])
    world.overlay({ spec: { replicas: 1 } })
    await perform(platform.remove('live'))
  }, 60_000)

  const look = (release: string, since: string) => platform.verdict('live', release, [], since, doing())

  test(
    'an image that is not in its registry is doomed at once, by its name',
    async () => {
      const { bundle, since } = await put(world, platform, { web: '9.9.9' })
      const seen = await judged(platform, bundle, since)
      expect(seen).toMatchObject({ is: 'doomed', because: expect.stringMatching(/^web: the image .*shop\/web:9\.9\.9 is missing: .*not found/) })
      expect(seen.look).toContain('Failed to pull image')
    },
    LONG,
  )

  test(
    'a registry that is away is a hiccup: it is said, and nothing is doomed',
    async () => {
      world.overlay({ spec: { replicas: 1 }, beside: [container('helper', '127.0.0.1:9/helper:1')] })
      const { bundle, since } = await put(world, platform, {})
      const seen = await until(
        () => look(bundle.release, since),
        ({ because }) => /has not come yet/.test(because ?? ''),
      )
      expect(seen).toMatchObject({ is: 'moving', because: expect.stringMatching(/127\.0\.0\.1:9\/helper:1 has not come yet: .*connection refused/) })
    },
    LONG,
  )

  test(
    'what is killed for want of memory is doomed with its second end, and OOM is said',
    async () => {
      world.overlay({ spec: { replicas: 1 }, container: { resources: { requests: { cpu: '10m', memory: '32Mi' }, limits: { memory: '96Mi' } } } })
      const { bundle, since } = await put(world, platform, { web: '1.2.0-oom' })
      const seen = await judged(platform, bundle, since)
      expect(seen).toMatchObject({ is: 'doomed', because: expect.stringMatching(/^web: it crashed 2 times, .*OOM.*exit 137/) })
    },
    LONG,
  )

  test(
    'a config map that is gone by then is doomed by its name; the draft refuses it when it was never there',
    async () => {
      world.overlay({ spec: { replicas: 1 }, container: { envFrom: [{ configMapRef: { name: 'by-hand' } }] } })
      await expect(platform.draft(doing())).rejects.toMatchObject({ exit: 3, message: expect.stringContaining('ConfigMap by-hand') })
      world.on.kubectl(['-n', world.namespace, 'create', 'configmap', 'by-hand', '--from-literal=a=b'])
      const bundle = await drafted(world, platform, {})
      await perform(platform.stage(bundle))
      world.on.kubectl(['-n', world.namespace, 'delete', 'configmap', 'by-hand'])
      const since = await platform.time(doing())
      await perform(platform.start(bundle, []))
      const seen = await judged(platform, bundle, since)
      expect(seen).toMatchObject({ is: 'doomed', because: 'web: its settings are not there: configmap "by-hand" not found' })
    },
    LONG,
  )

  test(
    'what no node has a place for is said, and nothing is doomed',
    async () => {
      world.overlay({ spec: { replicas: 1 }, pod: { nodeSelector: { 'example.com/there': 'is-none' } } })
      const { bundle, since } = await put(world, platform, {})
      const seen = await until(
        () => look(bundle.release, since),
        ({ because }) => /no node has a place/.test(because ?? ''),
      )
      expect(seen).toMatchObject({ is: 'moving', because: expect.stringMatching(/^web: no node has a place for it: .*node affinity\/selector/) })
    },
    LONG,
  )

  test(
    'a quota that is full is doomed in its own words; the draft refuses it when it was full before',
    async () => {
      const bundle = await drafted(world, platform, {})
      world.on.kubectl(['-n', world.namespace, 'create', 'quota', 'few', '--hard=pods=0'])
      const since = await started(platform, bundle)
      const seen = await judged(platform, bundle, since)
      expect(seen).toMatchObject({ is: 'doomed', because: expect.stringMatching(/^(web|worker): the cluster refuses its pods: exceeded quota: few/) })
      world.overlay({ spec: { replicas: 1 }, config: { GREETING: 'another' } })
      await expect(platform.draft(doing())).rejects.toMatchObject({ exit: 3, message: expect.stringContaining('exceeded quota: few') })
    },
    LONG,
  )

  test(
    'pods that are not safe enough for the namespace are doomed; the draft refuses them when it was so before',
    async () => {
      const unsafe = { spec: { replicas: 1 }, pod: { hostNetwork: true } }
      world.overlay(unsafe)
      const bundle = await drafted(world, platform, {})
      world.on.kubectl(['label', '--overwrite', 'namespace', world.namespace, 'pod-security.kubernetes.io/enforce=restricted'])
      const since = await started(platform, bundle)
      const seen = await judged(platform, bundle, since)
      expect(seen).toMatchObject({
        is: 'doomed',
        because: expect.stringMatching(/^web: the cluster refuses its pods: violates PodSecurity "restricted/),
      })
      world.overlay({ ...unsafe, config: { GREETING: 'another' } })
      await expect(platform.draft(doing())).rejects.toMatchObject({ exit: 3, message: expect.stringContaining('violates PodSecurity') })
    },
    LONG,
  )

  test(
    'a release that is slow to get ready, three times in a row, is never doomed',
    async () => {
      for (let n = 0; n < 3; n += 1) {
        const { bundle, since } = await put(world, platform, { web: n % 2 === 0 ? '1.2.0-slow' : '1.0.0' })
        expect(await judged(platform, bundle, since)).toMatchObject({ is: 'settled' })
      }
    },
    3 * LONG,
  )

  test(
    'a good release over a crashing one is judged by its own pods',
    async () => {
      const bad = await put(world, platform, { web: '1.2.0-crash' })
      expect(await judged(platform, bad.bundle, bad.since)).toMatchObject({ is: 'doomed' })
      const good = await put(world, platform, { web: '1.1.0' })
      expect(await judged(platform, good.bundle, good.since)).toMatchObject({ is: 'settled' })
      expect(await look(bad.bundle.release, bad.since)).toMatchObject({ is: 'doomed', because: expect.stringContaining(good.bundle.release) })
    },
    LONG,
  )

  test(
    'a sidecar that needs three tries is no fault of the release',
    async () => {
      const tries = 'cd /state; [ -e two ] && exec sleep 3600; if [ -e one ]; then touch two; else touch one; fi; exit 1'
      const sidecar = container('sidecar', `${world.repository}/worker:1.0.0`, {
        command: ['sh', '-c', tries],
        volumeMounts: [{ name: 'state', mountPath: '/state' }],
      })
      world.overlay({
        spec: { replicas: 1 },
        beside: [sidecar],
        pod: { volumes: [{ name: 'state', emptyDir: {} }], securityContext: { fsGroup: 1000, runAsUser: 1000 } },
      })
      const { bundle, since } = await put(world, platform, {})
      expect(await judged(platform, bundle, since)).toMatchObject({ is: 'settled' })
      expect((await platform.slot('live', doing())).services.web?.restarts).toBe(2)
    },
    LONG,
  )

  test(
    'a release that crashes after 20 s is healthy first, and then is not',
    async () => {
      const { bundle, since } = await put(world, platform, { web: '1.2.0-late' })
      expect(await judged(platform, bundle, since)).toMatchObject({ is: 'settled' })
      const seen = await until(
        () => look(bundle.release, since),
        ({ is }) => is !== 'settled',
      )
      expect(seen.because).toMatch(/^web: (it ended once with exit 1|its readiness probe|0 of 1 ready)/)
      const ended = await until(
        () => look(bundle.release, since),
        ({ look: log }) => /the cache went away/.test(log ?? ''),
      )
      expect(ended.look).toContain('boom: the cache went away')
    },
    LONG,
  )

  test(
    'StatefulSets and DaemonSets are judged by the pods of their newest revision',
    async () => {
      const own = (name: string, kind: string, image: string, more: object) => ({
        apiVersion: 'apps/v1',
        kind,
        metadata: { name, labels: { 'runbooks.dev/layer': 'release' } },
        spec: {
          selector: { matchLabels: { app: name } },
          template: { metadata: { labels: { app: name } }, spec: { containers: [container(name, image)], terminationGracePeriodSeconds: 1 } },
          ...more,
        },
      })
      const [jobs, agents] = [`${world.repository}/web:1.0.0`, `${world.repository}/worker:1.0.0`]
      world.overlay({ more: [own('jobs', 'StatefulSet', jobs, { serviceName: 'jobs' }), own('agents', 'DaemonSet', agents, {})] })
      const sets = world.platform({ workloads: { web: 'statefulset/jobs', worker: 'daemonset/agents' } })
      const first = await put(world, sets, {})
      expect(await judged(sets, first.bundle, first.since)).toMatchObject({ is: 'settled', because: expect.stringContaining('no readiness probe') })
      expect((await sets.slot('live', doing())).services).toMatchObject({ web: { wanted: 1, running: 1 }, worker: { wanted: 1, running: 1 } })
      const second = await put(world, sets, { worker: '1.1.0' })
      expect(await judged(sets, second.bundle, second.since)).toMatchObject({ is: 'settled' })
      expect((await sets.slot('live', doing())).services.worker).toMatchObject({ version: '1.1.0', running: 1 })
      const bad = await put(world, sets, { web: '1.2.0-crash' })
      expect(await judged(sets, bad.bundle, bad.since)).toMatchObject({ is: 'doomed', because: expect.stringContaining('web: it crashed 2 times') })
    },
    LONG,
  )
})
