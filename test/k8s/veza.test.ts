import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Cluster, cluster, describeWith, type Namespace } from '../testbed/index.ts'
import { kubectlFile } from '../testbed/kubernetes.ts'
import { asInput, freePort, renderInto } from './kit.ts'
import { loadStack, makeSecrets, secretsOf, until } from './stand.ts'

const SERVICES = ['veza-backend-api', 'veza-chat-server', 'veza-stream-server']

describeWith(['kubernetes', 'postgres', 'redis'], 'veza on a cluster, with stand-ins and real PostgreSQL and Redis', () => {
  let on: Cluster
  let namespace: Namespace
  const kubectl = (...argv: readonly string[]) => on.kubectl(['--namespace', namespace.name, ...argv])
  const raw = (service: string, port: string, path: string) =>
    on.kubectl(['get', '--raw', `/api/v1/namespaces/${namespace.name}/services/${service}-service:${port}/proxy${path}`])

  function answersAsDocumented(service: string): void {
    for (const path of ['/health', '/ready'])
      expect(JSON.parse(raw(service, 'http', path)), `${service} ${path}`).toMatchObject({ version: 'v1.2.3', status: 'ok' })
    expect(raw(service, 'metrics', '/metrics')).toContain('http_requests_total')
  }

  beforeAll(async () => {
    on = cluster()
    await loadStack(on, 'veza', ['v1.2.3'])
    namespace = on.namespace('veza', { 'pod-security.kubernetes.io/enforce': 'restricted' })
    makeSecrets(on, namespace.name, secretsOf('veza'))
    on.kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], asInput(renderInto('test/k8s/overlays/veza', namespace.name)))
  }, 300_000)
  afterAll(() => namespace?.remove())

  test('everything starts, and answers on the ports and paths of the document', { timeout: 240_000 }, () => {
    for (const name of ['statefulset/postgres', 'statefulset/redis', ...SERVICES.map(name => `deployment/${name}`)])
      kubectl('rollout', 'status', name, '--timeout=200s')
    // The chat is asked later: the API server keeps its connection to a pod, and a pod of the chat ends after the last connection.
    for (const service of SERVICES.filter(name => name !== 'veza-chat-server')) answersAsDocumented(service)
  })

  test('PostgreSQL runs with the settings of the document, and lets nobody in from elsewhere without encryption and password', () => {
    const psql = (address: string, query: string) =>
      on.tries(['-n', namespace.name, 'exec', 'postgres-0', '--', 'sh', '-c', `PGPASSWORD="$POSTGRES_PASSWORD" psql -At "${address}" -c "${query}"`])
    const from = (sslmode: string) => `host=postgres-service user=veza_user dbname=veza_staging sslmode=${sslmode}`
    expect(psql(from('require'), 'show max_connections; show shared_buffers; show ssl').stdout.split('\n').slice(0, 3)).toEqual([
      '200',
      '256MB',
      'on',
    ])
    expect(psql(from('disable'), 'select 1')).toMatchObject({ exit: 2, stderr: expect.stringContaining('no pg_hba.conf entry') })
    expect(psql(`${from('require')} password=wrong`, 'select 1')).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining('password authentication failed'),
    })
  })

  test('Redis writes what it is given to its volume, and asks for the password', () => {
    const inRedis = (command: string) => kubectl('exec', 'redis-0', '--', 'sh', '-c', command)
    expect(inRedis('redis-cli ping')).toContain('NOAUTH')
    expect(inRedis('REDISCLI_AUTH="$REDIS_PASSWORD" redis-cli set session:1 x')).toBe('OK\n')
    expect(inRedis('ls /data')).toContain('appendonlydir')
  })

  test('a conversation goes on in its old pod while new ones serve, and the pod ends when it is over', { timeout: 240_000 }, async () => {
    const [pod = ''] = kubectl('get', 'pods', '-l', 'app=veza-chat-server', '-o', 'jsonpath={.items[*].metadata.name}').split(' ')
    const talk = await conversation(on, namespace.name, pod)
    try {
      expect(await talk.says('before')).toBe('before')
      kubectl('rollout', 'restart', 'deployment/veza-chat-server')
      kubectl('rollout', 'status', 'deployment/veza-chat-server', '--timeout=120s')
      const deleted = () => on.tries(['-n', namespace.name, 'get', 'pod', pod, '-o', 'jsonpath={.metadata.deletionTimestamp}'])
      await until(deleted, ({ stdout }) => stdout !== '')
      // Longer than the time that every pod goes on answering.
      await sleep(12_000)
      expect(deleted().exit).toBe(0)
      expect(await talk.says('after')).toBe('after')
    } finally {
      talk.end()
    }
    await until(
      () => on.tries(['-n', namespace.name, 'get', 'pod', pod]).exit,
      exit => exit === 1,
      30_000,
    )
  })
})

type Conversation = { says(text: string): Promise<string>; end(): void }

/** A WebSocket to a pod's port 8081, by kubectl port-forward; the stand-in sends back what it gets. */
async function conversation(on: Cluster, namespace: string, pod: string): Promise<Conversation> {
  const port = await freePort()
  const forward: ChildProcess = spawn(
    kubectlFile()!,
    ['--kubeconfig', on.kubeconfig, '-n', namespace, 'port-forward', `pod/${pod}`, `${port}:8081`],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  await once(forward.stdout!, 'data')
  const socket: Socket = connect(port, '127.0.0.1')
  socket.write(
    'GET /ws HTTP/1.1\r\nHost: chat\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  )
  const [hello] = (await once(socket, 'data')) as [Buffer]
  // The example of RFC 6455.
  expect(hello.toString()).toContain('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
  return {
    async says(text) {
      socket.write(text)
      const [said] = (await once(socket, 'data')) as [Buffer]
      return said.toString()
    },
    end() {
      socket.destroy()
      forward.kill()
    },
  }
}
