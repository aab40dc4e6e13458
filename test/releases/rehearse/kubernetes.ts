import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { door } from '../../k8s/stand.ts'
import { container } from '../../platforms/kubernetes/overlay.ts'
import { type KubernetesWorld, kubernetesWorld } from '../../platforms/kubernetes/world.ts'
import { newWorld, type World } from '../../runbooks/kit.ts'
import { openGateway } from '../../stacks/releases/kubernetes.ts'
import { postgresImage } from '../../testbed/images.ts'
import { kubectlFile } from '../../testbed/kubernetes.ts'

/** A shop in a namespace of a real cluster, with its data in a PostgreSQL that runs there. */
export type PodShop = World & {
  readonly on: KubernetesWorld
  /** Where users come in: the gateway, which finds the pods by itself. On a node's port requests are refused whenever rules of any service change. */
  readonly port: number
  readonly headers: Readonly<Record<string, string>>
  /** kubectl in its namespace. */
  kubectl(...argv: readonly string[]): string
  sql(text: string): string
  end(): Promise<void>
}

/** The address of the application's user; whoever comes is trusted, because the application has no driver that could prove who it is. */
const SETTINGS = [
  { name: 'DB_USER', valueFrom: { secretKeyRef: { name: 'shop-secrets', key: 'DB_USER' } } },
  { name: 'DATABASE_URL', value: 'postgres://$(DB_USER)@postgres:5432/shop' },
  { name: 'CACHE_URL', value: 'http://cache/' },
]

const ANSWERS = `require('node:http').createServer((_, response) => response.end('stands in\\n')).listen(8000)`

/** A cache that nobody but a rehearsal has. */
function standIn(image: string) {
  const labels = { app: 'rehearsal-cache' }
  const metadata = { name: 'rehearsal-cache', labels: { 'runbooks.dev/layer': 'rehearsal' } }
  const readinessProbe = { tcpSocket: { port: 8000 }, periodSeconds: 1 }
  const server = container('cache', image, { command: [process.execPath, '-e', ANSWERS], readinessProbe })
  const spec = { securityContext: SAFE_POD, containers: [server] }
  return [
    { apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec } } },
    { apiVersion: 'v1', kind: 'Service', metadata, spec: { selector: labels, ports: [{ port: 80, targetPort: 8000 }] } },
  ]
}

const SAFE_POD = { runAsNonRoot: true, runAsUser: 1000, fsGroup: 1000, seccompProfile: { type: 'RuntimeDefault' } }

const SERVER = `initdb -D /tmp/data -U shop -A trust -E UTF8 --locale=C --no-sync >/dev/null && echo 'host all all all trust' >>/tmp/data/pg_hba.conf &&
exec postgres -D /tmp/data -k /tmp -c unix_socket_directories=/tmp,/var/run/postgresql -c listen_addresses='*' -c fsync=off 2>&1`

function postgres(image: string) {
  const folders = { socket: '/var/run/postgresql', tmp: '/tmp' }
  const volumeMounts = Object.entries(folders).map(([name, mountPath]) => ({ name, mountPath }))
  const server = container('postgres', image, { imagePullPolicy: 'Never', command: ['sh', '-c', SERVER], volumeMounts })
  const spec = {
    terminationGracePeriodSeconds: 1,
    securityContext: SAFE_POD,
    containers: [{ ...server, resources: {} }],
    volumes: Object.keys(folders).map(name => ({ name, emptyDir: {} })),
  }
  const labels = { app: 'postgres' }
  const template = { metadata: { labels }, spec }
  const metadata = { name: 'postgres' }
  return [
    { apiVersion: 'apps/v1', kind: 'StatefulSet', metadata, spec: { serviceName: 'postgres', selector: { matchLabels: labels }, template } },
    { apiVersion: 'v1', kind: 'Service', metadata, spec: { selector: labels, ports: [{ port: 5432 }] } },
  ]
}

const command = (...words: string[]) => JSON.stringify([process.execPath, '/app.mjs', ...words])

/** The database stands; nothing is deployed yet. */
export async function newPodShop(): Promise<PodShop> {
  const on = await kubernetesWorld('restricted', join(import.meta.dirname, 'app.mjs'))
  const work = mkdtempSync(join(tmpdir(), 'pod-shop-'))
  const kubectl = (...argv: readonly string[]) => on.on.kubectl(['-n', on.namespace, ...argv])
  const image = postgresImage(work)
  await on.on.load([image])
  on.on.kubectl(['-n', on.namespace, 'apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: postgres(image.name) }))
  kubectl('patch', 'secret', 'shop-secrets', '-p', JSON.stringify({ stringData: { DB_USER: 'bookkeeper' } }))
  kubectl('rollout', 'status', 'statefulset/postgres', '--timeout=120s')
  on.overlay({ spec: { replicas: 1 }, container: { env: SETTINGS }, more: standIn(`${on.repository}/worker:1.0.0`) })
  await on.versions('1.0.0', '1.1.0', '2.0.0')
  const world = { ...newWorld({ data: '' }), env: { PATH: `${dirname(kubectlFile() ?? '')}:${process.env.PATH}` } }
  describePodShop(world, on)
  const sql = (text: string, database = 'shop') =>
    kubectl('exec', 'postgres-0', '--', 'psql', '-XqAt', '-h', '/tmp', '-U', 'shop', '-d', database, '-c', text)
  await ready(() => sql('CREATE ROLE bookkeeper LOGIN SUPERUSER', 'postgres'))
  sql('CREATE DATABASE shop', 'postgres')
  const end = async () => {
    await on.close()
    rmSync(work, { recursive: true, force: true })
  }
  const host = `${on.namespace}.test`
  openGateway(on.on, on.namespace, host, [{ path: '/', service: 'web', port: 80 }])
  return { ...world, on, port: Number(new URL(door() ?? on.door).port), headers: { host }, kubectl, sql: text => sql(text), end }
}

/** A server answers some time after its pod runs. */
async function ready(work: () => unknown): Promise<void> {
  for (let tries = 0; ; tries += 1)
    try {
      work()
      return
    } catch (error) {
      if (tries >= 50) throw error
      await new Promise(resolve => setTimeout(resolve, 200))
    }
}

/** Writes the stack file. */
export function describePodShop(
  world: World,
  on: KubernetesWorld,
  rehearse = `{ DATABASE_URL: 'database', CACHE_URL: { value: 'http://rehearsal-cache/' } }`,
): void {
  writeFileSync(
    join(world.config, 'shop.ts'),
    `import { defineStack, directory, http, kubernetes, postgres } from 'runbooks'
export default defineStack({
  name: 'shop',
  timezone: 'Europe/Paris',
  services: {
    web: { image: '${on.repository}/web', port: 3000, health: '/health', traffic: 'split', twice: 'allowed' },
    worker: { image: '${on.repository}/worker', traffic: 'none', twice: 'allowed' },
  },
  deploy: {
    smoke: [http('/', { contains: 'web', within: '10s' })], bake: '1s', budget: '1min', probe: { path: '/', perSecond: 3 },
    migrate: { service: 'web', at: ${command('at')}, up: ${command('up')}, down: ${command('down', '{to}')} },
    rehearse: ${rehearse},
  },
  data: { database: postgres({ in: 'postgres', user: 'shop', database: 'shop' }) },
  environments: {
    local: {
      platform: kubernetes({
        cluster: '${on.on.server}',
        namespace: '${on.namespace}',
        overlay: ${JSON.stringify(on.folder)},
        kubeconfig: ${JSON.stringify(on.on.kubeconfig)},
        door: '${on.door}',
        workloads: { postgres: 'statefulset/postgres' },
      }),
      stores: [directory({ path: ${JSON.stringify(world.store)} })],
    },
  },
})
`,
  )
}
