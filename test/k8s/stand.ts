import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { type Agent, get } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { appImages, type Image, mongodbImage, postgresImage, redisImage } from '../testbed/images.ts'
import type { Cluster } from '../testbed/kubernetes.ts'

/** The stacks that the overlays of tests run. */
export type Stack = 'check-in' | 'veza'

const APPS: Readonly<Record<Stack, readonly string[]>> = {
  'check-in': ['check-in/backend', 'check-in/frontend'],
  veza: ['veza/backend-api', 'veza/chat-server', 'veza/stream-server'],
}

/** Gives the cluster the images of an overlay: its databases, and its applications in these versions. */
export async function loadStack(on: Cluster, stack: Stack, versions: readonly string[]): Promise<void> {
  const scratch = mkdtempSync(join(tmpdir(), 'stand-ins-'))
  try {
    const databases: Image[] = stack === 'veza' ? [postgresImage(scratch), redisImage(scratch)] : [mongodbImage(scratch), redisImage(scratch)]
    await on.load([...databases, ...APPS[stack].flatMap(service => appImages(service, versions, scratch))])
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

/** The secrets of a stack with random values, by name; a certificate of its own for PostgreSQL. */
export function secretsOf(stack: Stack): Record<string, Record<string, string>> {
  const random = () => randomBytes(24).toString('hex')
  if (stack === 'veza') {
    const keys = ['DB_PASSWORD', 'REDIS_PASSWORD', 'JWT_SECRET_KEY', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']
    return { 'veza-secrets': Object.fromEntries(keys.map(key => [key, random()])), 'postgres-tls': certificate('postgres-service') }
  }
  return {
    'checkin-secrets': { MONGODB_URI: 'mongodb://mongodb-0.mongodb:27017/checkin', JWT_SECRET: random(), REDIS_PASSWORD: random() },
    'mongodb-secrets': {
      MONGO_ROOT_USERNAME: 'root',
      MONGO_ROOT_PASSWORD: random(),
      MONGO_APP_PASSWORD: random(),
      MONGO_RUNBOOKS_PASSWORD: random(),
      keyfile: random(),
    },
  }
}

function certificate(name: string): Record<string, string> {
  const folder = mkdtempSync(join(tmpdir(), 'certificate-'))
  try {
    const [key, crt] = [join(folder, 'tls.key'), join(folder, 'tls.crt')]
    const argv = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', `/CN=${name}`]
    execFileSync('openssl', [...argv, '-keyout', key, '-out', crt], { stdio: 'ignore' })
    return { 'tls.key': readFileSync(key, 'utf8'), 'tls.crt': readFileSync(crt, 'utf8') }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Makes secrets in a namespace. */
export function makeSecrets(on: Cluster, namespace: string, secrets: Readonly<Record<string, Readonly<Record<string, string>>>>): void {
  const items = Object.entries(secrets).map(([name, stringData]) => ({ apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace }, stringData }))
  on.kubectl(['create', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }))
}

/** Where the cluster's gateway (class `traefik`, listening on that port) is reached from here, by TESTBED_CLUSTER_DOOR; undefined where there is none. */
export const door = (): string | undefined => process.env.TESTBED_CLUSTER_DOOR || undefined

/** Leads a host name at the gateway to a service of a namespace; returns the name. */
export function openDoor(on: Cluster, namespace: string, service: string, port: number): string {
  const host = `${service}.${namespace}.test`
  const metadata = { name: `door-${service}`, namespace }
  const listener = { name: 'http', protocol: 'HTTP', port: Number(new URL(door()!).port) }
  const gateway = { kind: 'Gateway', metadata, spec: { gatewayClassName: 'traefik', listeners: [listener] } }
  const rules = [{ backendRefs: [{ name: service, port }] }]
  const route = { kind: 'HTTPRoute', metadata, spec: { parentRefs: [{ name: metadata.name }], hostnames: [host], rules } }
  const items = [gateway, route].map(object => ({ apiVersion: 'gateway.networking.k8s.io/v1', ...object }))
  on.kubectl(['create', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }))
  return host
}

/** One request through the gateway: its status and text; status 0 with the reason when there was no answer. */
export function through(host: string, path: string, agent?: Agent): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise(resolve => {
    const lost = (error: Error) => resolve({ status: 0, text: error.message })
    const asked = get(`${door()}${path}`, { headers: { host }, ...(agent ? { agent } : {}), timeout: 10_000 }, response => {
      let text = ''
      response.setEncoding('utf8').on('data', chunk => {
        text += chunk
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text })).on('error', lost)
    })
    asked.on('error', lost).on('timeout', () => asked.destroy(new Error('no answer in 10 s')))
  })
}

/** Asks again until it is so; fails with the last answer when time is over. */
export async function until<T>(look: () => T | Promise<T>, is: (seen: T) => boolean, withinMs = 90_000): Promise<T> {
  const end = Date.now() + withinMs
  for (;;) {
    const seen = await look()
    if (is(seen)) return seen
    if (Date.now() > end) throw new Error(`not so after ${withinMs / 1_000} s: ${JSON.stringify(seen).slice(0, 2_000)}`)
    await sleep(300)
  }
}
