import { execFileSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { mustRun, stdoutOf } from '../../lib/exec/process.ts'
import { collect } from '../exec/doing.ts'
import { describeWith } from '../testbed/index.ts'
import { kubectlFile } from '../testbed/kubernetes.ts'
import { find } from '../testbed/tools.ts'
import { doing, judged, perform, until } from './conformance/kit.ts'
import { container } from './kubernetes/overlay.ts'
import { push } from './kubernetes/push.ts'
import { drafted, type KubernetesWorld, kubernetesWorld, put } from './kubernetes/world.ts'

const LONG = 180_000
const PODS = 300

describeWith(['kubernetes', 'registry'], 'Kubernetes at its edges', () => {
  let world: KubernetesWorld
  let work: string
  beforeAll(async () => {
    world = await kubernetesWorld()
    work = mkdtempSync(join(tmpdir(), 'kubernetes-edges-'))
  }, LONG)
  afterAll(async () => {
    await world?.close()
    rmSync(work, { recursive: true, force: true })
  }, LONG)

  test(
    'an image without shell and sleep serves like any other, and what needs them says so',
    async () => {
      const layers = [bareLayer(work)]
      for (const name of ['web', 'worker']) await push({ name: `${world.repository}/${name}:bare`, layers, entrypoint: SERVES, env: {} })
      const platform = world.platform()
      world.overlay({ container: { lifecycle: undefined } })
      const bundle = await drafted(world, platform, { web: 'bare', worker: 'bare' })
      await perform(platform.stage(bundle))
      const since = await platform.time(doing())
      await perform(platform.start(bundle, []))
      expect(await judged(platform, bundle, since)).toMatchObject({ is: 'settled' })
      const within = platform.inside('web', { file: 'true', argv: [] }, { input: false })
      await expect(mustRun(within, doing())).rejects.toMatchObject({
        exit: 3,
        message: 'The image of web has no sh, which a command inside a pod needs',
      })
      await expect(mustRun(platform.once(bundle, 'web', ['/busybox', 'true']), doing())).rejects.toMatchObject({
        exit: 3,
        message: 'The image of web has no sleep, which a throw-away pod needs',
        next: expect.arrayContaining([expect.stringContaining('BusyBox')]),
      })
      expect(world.on.kubectl(['-n', world.namespace, 'get', 'pods', '-l', 'runbooks.dev/once', '-o', 'name'])).toBe('')
    },
    LONG,
  )

  test(
    'a number of pods that is handed over to an autoscaler stays until that sets another, and this one stays too',
    async () => {
      const platform = world.platform()
      const replicas = () => world.on.kubectl(['-n', world.namespace, 'get', 'deployment', 'web', '-o', 'jsonpath={.spec.replicas}'])
      const applied = async () => perform(platform.start(await staged(), []))
      const staged = async () => {
        const bundle = await drafted(world, platform, { web: 'bare', worker: 'bare' })
        await perform(platform.stage(bundle))
        return bundle
      }
      expect(replicas()).toBe('2')
      world.overlay({ spec: { replicas: undefined }, container: { lifecycle: undefined } })
      await applied()
      expect(replicas()).toBe('2')
      const scaler = { apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler', metadata: { name: 'web', namespace: world.namespace } }
      const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }
      const metrics = [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 70 } } }]
      world.on.kubectl(['create', '-f', '-'], JSON.stringify({ ...scaler, spec: { scaleTargetRef, minReplicas: 3, maxReplicas: 4, metrics } }))
      // It looks every 15 s.
      await until(
        async () => replicas(),
        now => now === '3',
        60_000,
      )
      const bundle = await staged()
      const since = await platform.time(doing())
      await perform(platform.start(bundle, []))
      expect([replicas(), (await judged(platform, bundle, since)).is]).toEqual(['3', 'settled'])
      world.on.kubectl(['-n', world.namespace, 'delete', 'hpa', 'web'])
    },
    LONG,
  )

  test(
    'an output that kubectl cuts off and calls good is a failure',
    async () => {
      await world.versions('1.0.0')
      const platform = world.platform()
      world.overlay({ spec: { replicas: undefined }, container: { lifecycle: undefined } })
      const { bundle, since } = await put(world, platform, {})
      expect(await judged(platform, bundle, since)).toMatchObject({ is: 'settled' })
      const there = platform.inside('web', { file: 'head', argv: ['-c', '3000000', process.execPath] }, { input: false })
      expect((await collect(stdoutOf(there, doing()))).length).toBe(3_000_000)
      const cutting = { ...there, env: { PATH: `${lossy(work)}:${process.env.PATH}` } }
      await expect(collect(stdoutOf(cutting, doing()))).rejects.toThrow('kubectl exited 0, but the end of its output did not arrive')
    },
    LONG,
  )

  test(
    'a pod that only looked at images and was left by a run that was killed goes with the next look',
    async () => {
      const metadata = { name: 'runbooks-images-left', labels: { 'runbooks.dev/stack': 'shop', 'runbooks.dev/once': 'images' } }
      const [left] = idlePods(world.namespace)
      const spec = { ...left?.spec, schedulerName: 'default-scheduler', activeDeadlineSeconds: 1 }
      world.on.kubectl(['-n', world.namespace, 'create', '-f', '-'], JSON.stringify({ ...left, metadata, spec }))
      const names = (phase: string) =>
        world.on
          .kubectl(['-n', world.namespace, 'get', 'pods', `--field-selector=status.phase=${phase}`, '-o', 'name'])
          .split('\n')
          .filter(Boolean)
      await until(
        async () => names('Failed'),
        all => all.length > 0,
        30_000,
      )
      // Another than those that are known by now, so that a look is taken.
      await world.versions('1.0.1')
      await world.platform().images({ web: { image: `${world.repository}/web`, version: '1.0.1' } }, doing())
      // A node lets go of it in its own time.
      await until(
        async () => names('Failed'),
        all => all.length === 0,
        60_000,
      )
    },
    LONG,
  )

  test(
    `a namespace with ${PODS} pods is looked at with three calls of kubectl, and one request a kind`,
    async () => {
      world.on.kubectl(['create', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: idlePods(world.namespace) }))
      const logged = join(work, 'calls')
      const before = process.env.PATH
      process.env.PATH = `${wrapper(work, logged)}:${before}`
      try {
        const platform = world.platform()
        await Promise.all([platform.facts(doing()), platform.standing(doing())])
        await platform.close?.()
      } finally {
        process.env.PATH = before
        world.on.kubectl(['delete', '--raw', `/api/v1/namespaces/${world.namespace}/pods?labelSelector=app%3Didle`])
      }
      const calls = readFileSync(logged, 'utf8').trimEnd().split('\n')
      expect(calls.map(line => /(config view|proxy|version --client)/.exec(line)?.[1]).sort()).toEqual(['config view', 'proxy', 'version --client'])
      const requests = [...readFileSync(`${logged}.requests`, 'utf8').matchAll(/Filter accepting GET (\S+)/g)].map(([, path = '']) => path)
      const lists = requests.filter(path => path.includes(`/namespaces/${world.namespace}/`)).map(path => path.split('/').at(-1))
      expect(lists.sort()).toEqual(['deployments', 'pods', 'replicasets'])
    },
    LONG,
  )
})

const SERVES = ['/busybox', 'httpd', '-f', '-p', '3000', '-h', '/www']

/** BusyBox alone, under its own name: no program of it can be called by another. */
function bareLayer(work: string): string {
  const root = join(work, 'bare')
  mkdirSync(join(root, 'www'), { recursive: true })
  writeFileSync(join(root, 'www/health'), 'ok\n')
  copyFileSync(find('busybox') ?? 'busybox', join(root, 'busybox'))
  chmodSync(join(root, 'busybox'), 0o755)
  execFileSync('tar', ['--owner=0', '--group=0', '-C', root, '-cf', join(work, 'bare.tar'), '.'])
  return join(work, 'bare.tar')
}

/** Pods that stay as they are: no scheduler has this name. */
function idlePods(namespace: string) {
  return Array.from({ length: PODS }, (_, n) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `idle-${n}`, namespace, labels: { app: 'idle' } },
    spec: {
      schedulerName: 'nobody',
      securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [container('idle', 'nowhere.invalid/idle:1')],
    },
  }))
}

/** A kubectl that loses the end of what comes out of a pod, and exits 0, as kubernetes/kubernetes#124571 tells. */
function lossy(work: string): string {
  const bin = join(work, 'lossy')
  mkdirSync(bin)
  writeFileSync(join(bin, 'kubectl'), `#!/bin/sh\n'${kubectlFile()}' "$@" | head -c 1000000\nexit 0\n`, { mode: 0o755 })
  return bin
}

/** A kubectl that writes down how it is called, and what it is asked for as a proxy. */
function wrapper(work: string, logged: string): string {
  const bin = join(work, 'bin')
  mkdirSync(bin)
  const script = `#!/bin/sh
printf '%s\\n' "$*" >> '${logged}'
case " $* " in *' proxy '*) exec '${kubectlFile()}' -v=6 "$@" 2>>'${logged}.requests';; esac
exec '${kubectlFile()}' "$@"
`
  writeFileSync(join(bin, 'kubectl'), script, { mode: 0o755 })
  return bin
}
