import { execFile } from 'node:child_process'
import { Agent } from 'node:http'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Cluster, cluster, describeWith, type Namespace } from '../testbed/index.ts'
import { kubectlFile } from '../testbed/kubernetes.ts'
import { asInput, type Manifest, renderInto, workloads } from './kit.ts'
import { door, loadStack, makeSecrets, openDoor, secretsOf, through, until } from './stand.ts'

const BAD = ['crash', 'never-ready', 'oom', 'slow-start'].map(how => `1.4.2-${how}`)

type Status = {
  readonly metadata: { readonly name: string }
  readonly status: {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[]
    readonly containerStatuses?: readonly {
      readonly ready: boolean
      readonly restartCount: number
      readonly lastState: { readonly terminated?: { readonly exitCode: number; readonly reason: string } }
    }[]
  }
}

describeWith(['kubernetes', 'mongodb', 'mongodb-tools', 'redis'], 'check-in on a cluster, with stand-ins (FerretDB for MongoDB)', () => {
  let on: Cluster
  let namespace: Namespace
  let objects: Manifest[]
  const kubectl = (...argv: readonly string[]) => on.kubectl(['--namespace', namespace.name, ...argv])
  const answer = (service: string, path: string) =>
    JSON.parse(on.kubectl(['get', '--raw', `/api/v1/namespaces/${namespace.name}/services/${service}:http/proxy${path}`]))

  beforeAll(async () => {
    on = cluster()
    await loadStack(on, 'check-in', ['1.4.1', '1.4.2', ...BAD])
    namespace = on.namespace('checkin', { 'pod-security.kubernetes.io/enforce': 'restricted' })
    objects = renderInto('test/k8s/overlays/check-in', namespace.name)
    makeSecrets(on, namespace.name, secretsOf('check-in'))
    on.kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], asInput(objects))
  }, 300_000)
  afterAll(() => namespace?.remove())

  test('everything starts, and services lead to the versions that were asked for', { timeout: 180_000 }, async () => {
    for (const name of ['statefulset/mongodb', 'deployment/redis', 'deployment/backend', 'deployment/frontend'])
      kubectl('rollout', 'status', name, '--timeout=150s')
    expect(answer('backend', '/api/v1/health/readiness')).toMatchObject({ service: 'check-in/backend', version: '1.4.1', status: 'ok' })
    expect(answer('frontend', '/')).toMatchObject({ service: 'check-in/frontend', version: '1.4.1' })
    expect(JSON.parse(kubectl('get', 'hpa', '-o', 'json')).items).toHaveLength(2)
    // The autoscaler brings the one pod of a first apply to its least number.
    await until(
      () => JSON.parse(kubectl('get', 'deployment', 'backend', '-o', 'json')).status.readyReplicas,
      ready => ready === 2,
    )
  })

  test('Redis asks for the password, which nobody sees in its arguments', () => {
    const inRedis = (command: string) => kubectl('exec', 'deployment/redis', '--', 'sh', '-c', command)
    expect(inRedis('redis-cli ping')).toContain('NOAUTH')
    expect(inRedis('REDISCLI_AUTH="$REDIS_PASSWORD" redis-cli ping')).toBe('PONG\n')
    expect(inRedis('REDISCLI_AUTH="$REDIS_PASSWORD" redis-cli config get maxmemory-policy')).toContain('allkeys-lru')
    expect(inRedis('grep -c "$REDIS_PASSWORD" /proc/1/cmdline || true')).toBe('0\n')
  })

  test('a stand-in misbehaves as the end of its version says', { timeout: 180_000 }, async () => {
    const backend = workloads(objects).find(({ name }) => name === 'Deployment/backend')!
    const pods = BAD.map(version => {
      const [container] = backend.pod.containers
      const name = version.replaceAll('.', '-')
      return {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, namespace: namespace.name },
        spec: { ...backend.pod, containers: [{ ...container, image: `testbed.local/check-in/backend:${version}` }] },
      }
    })
    on.kubectl(['create', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: pods }))
    const status = (how: string): Status => JSON.parse(kubectl('get', 'pod', `1-4-2-${how}`, '-o', 'json'))
    const container = ({ status }: Status) => status.containerStatuses?.[0]
    const crashed = await until(
      () => status('crash'),
      pod => (container(pod)?.restartCount ?? 0) > 0,
    )
    expect(container(crashed)?.lastState.terminated).toMatchObject({ exitCode: 1, reason: 'Error' })
    // kubectl says with exit 0 that it has none while the kubelet tidies up, so it is asked again.
    await until(
      () => on.tries(['-n', namespace.name, 'logs', '--previous', '1-4-2-crash']).stdout,
      log => log.includes('Error: cannot reach the database'),
    )
    const killed = await until(
      () => status('oom'),
      pod => container(pod)?.lastState.terminated?.reason === 'OOMKilled',
    )
    expect(container(killed)?.ready).toBe(false)
    await until(
      () => status('slow-start'),
      pod => container(pod)?.ready === true,
    )
    expect(container(status('never-ready'))).toMatchObject({ ready: false, restartCount: 0 })
    const events = await until(
      () => kubectl('get', 'events', '--field-selector', 'involvedObject.name=1-4-2-never-ready'),
      text => text.includes('Readiness probe failed'),
    )
    expect(events).toContain('statuscode: 503')
    // None of these is behind the service: pods of a test have no labels.
    expect(answer('backend', '/api/v1/sessions')).toMatchObject({ version: '1.4.1' })
  })

  test('a new version takes the place of the old one without a moment in which fewer are ready than wanted', { timeout: 180_000 }, async () => {
    kubectl('set', 'image', 'deployment/backend', 'backend=testbed.local/check-in/backend:1.4.2')
    let least = Number.POSITIVE_INFINITY
    await until(
      () => JSON.parse(kubectl('get', 'deployment', 'backend', '-o', 'json')),
      ({ metadata, spec, status }) => {
        least = Math.min(least, status.availableReplicas ?? 0)
        return (
          status.observedGeneration === metadata.generation &&
          status.updatedReplicas === spec.replicas &&
          status.replicas === spec.replicas &&
          status.availableReplicas === spec.replicas
        )
      },
    )
    expect(least).toBe(2)
    expect(answer('backend', '/api/v1/health')).toMatchObject({ version: '1.4.2' })
  })

  test.skipIf(door() === undefined)(
    `a rollout loses no request that comes through the gateway${door() ? '' : ' (skipped, needs TESTBED_CLUSTER_DOOR)'}`,
    { timeout: 180_000 },
    async () => {
      const host = openDoor(on, namespace.name, 'backend', 3001)
      await until(
        () => through(host, '/api/v1/health'),
        ({ status }) => status === 200,
      )
      const agent = new Agent({ keepAlive: true, maxSockets: 8 })
      const seen = new Map<string, number>()
      let going = true
      const load = Array.from({ length: 8 }, async () => {
        while (going) {
          const { status, text } = await through(host, '/api/v1/sessions', agent)
          const what = status === 200 ? `200 ${JSON.parse(text).version}` : `${status} ${text}`
          seen.set(what, (seen.get(what) ?? 0) + 1)
        }
      })
      // Beside the requests, not between them: the other calls of kubectl here stop everything else in this process.
      const beside = async (...argv: readonly string[]) =>
        (await promisify(execFile)(kubectlFile()!, ['--kubeconfig', on.kubeconfig, '-n', namespace.name, ...argv])).stdout
      await beside('set', 'image', 'deployment/backend', 'backend=testbed.local/check-in/backend:1.4.1')
      await beside('rollout', 'status', 'deployment/backend', '--timeout=120s')
      // Until the old pods have ended, too.
      await until(
        () => beside('get', 'pods', '-l', 'app=backend', '-o', 'name'),
        pods => pods.trim().split('\n').length === 2,
      )
      going = false
      await Promise.all(load)
      agent.destroy()
      expect([...seen.keys()].sort()).toEqual(['200 1.4.1', '200 1.4.2'])
      expect([...seen.values()].reduce((sum, count) => sum + count)).toBeGreaterThan(500)
    },
  )
})
