import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { asInput, type Manifest, parsed } from '../../k8s/kit.ts'
import { door, loadStack, makeSecrets, type Stack, secretsOf } from '../../k8s/stand.ts'
import { type Ran, ROOT } from '../../runbooks/kit.ts'
import { isStopped, until } from '../../runbooks/waiting.ts'
import { type Cluster, cluster } from '../../testbed/index.ts'
import { kubectlFile } from '../../testbed/kubernetes.ts'
import { newSite, type PlayedSite, type Wanted } from '../site.ts'

/** A stack in a namespace of its own: what an administrator makes is there, nothing of a release is. */
export type KubernetesStack = {
  readonly site: PlayedSite
  /** What leads a request to it, for the gateway that all of them share. */
  readonly door: { readonly port: number; readonly headers: Readonly<Record<string, string>> }
  /** kubectl in its namespace. */
  kubectl(...argv: readonly string[]): string
  /** What a program that changes nothing prints in a pod, whole: it is asked again while kubectl loses the end of it. */
  look(pod: string, ...argv: readonly string[]): string
  /** Does work with a port of a pod, which is one of 127.0.0.1 for so long. */
  through<T>(pod: string, port: number, work: (port: number) => Promise<T>): Promise<T>
  end(): void
}

type Route = { readonly path: string; readonly service: string; readonly port: number }

type Secrets = Readonly<Record<string, Readonly<Record<string, string>>>>

type Asked = Pick<Wanted, 'environment' | 'replace'> & {
  readonly stack: Stack
  /** Besides the login; they may name the secrets of the namespace. */
  readonly settings: Wanted['settings'] | ((secrets: Secrets) => Wanted['settings'])
  /** Of the stand-ins. */
  readonly versions: readonly string[]
  readonly routes: readonly Route[]
  /** Layers of the overlay that are there before the first deploy. */
  readonly layers: readonly ('setup' | 'data')[]
}

/** Gives the cluster the images, makes the namespace, and points the stack file at it; runbooks log in as the account runbooks-operator. */
export async function kubernetesStack({ stack, environment, versions, routes, layers, replace, settings }: Asked): Promise<KubernetesStack> {
  const on = cluster()
  await loadStack(on, stack, versions)
  const work = mkdtempSync(join(tmpdir(), `${stack}-overlay-`))
  const space = on.namespace(stack, { 'pod-security.kubernetes.io/enforce': 'restricted' })
  const end = () => {
    space.remove()
    rmSync(work, { recursive: true, force: true })
  }
  try {
    const overlay = overlayIn(work, stack, space.name)
    const secrets = secretsOf(stack)
    makeSecrets(on, space.name, secrets)
    const objects = parsed(on.kubectl(['kustomize', overlay]))
    on.kubectl(['apply', '--server-side', '-f', '-'], asInput(objects.filter(one => (layers as readonly unknown[]).includes(layerOf(one)))))
    const host = `${space.name}.test`
    openGateway(on, space.name, host, routes)
    const site = newSite({
      stack,
      environment,
      replace: {
        [`image: 'ghcr.io/${stack}/`]: `image: 'testbed.local/${stack}/`,
        '    cluster,': `    cluster: '${on.server}',`,
        [`namespace: \`${stack.replace('-', '')}-\${environment}\``]: `namespace: '${space.name}'`,
        [`\`k8s/${stack}/\${environment}\``]: `'${overlay}'`,
        '    door,': `    door: '${door()}', doorHost: '${host}',`,
        ...replace,
      },
      settings: { KUBE_CONFIG: loginOf(on, space.name), ...(typeof settings === 'function' ? settings(secrets) : settings) },
      env: { PATH: [dirname(kubectlFile() ?? ''), dirname(process.execPath), '/usr/bin', '/bin'].join(':') },
    })
    const kubectl: KubernetesStack['kubectl'] = (...argv) => on.kubectl(['-n', space.name, ...argv])
    return {
      site,
      door: { port: Number(new URL(door() ?? '').port), headers: { host } },
      kubectl,
      look: (pod, ...argv) => wholeOf(() => kubectl('exec', pod, '--', 'sh', '-c', `"$@" && echo ${WHOLE}`, 'sh', ...argv)),
      through: (pod, port, work) => forwarded(['--kubeconfig', on.kubeconfig, '-n', space.name, 'port-forward', `pod/${pod}`, `:${port}`], work),
      end() {
        site.end()
        end()
      },
    }
  } catch (error) {
    end()
    throw error
  }
}

async function forwarded<T>(argv: readonly string[], work: (port: number) => Promise<T>): Promise<T> {
  const child = spawn(kubectlFile() ?? 'kubectl', argv, { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    const [said] = await once(child.stdout, 'data')
    return await work(Number(/127\.0\.0\.1:(\d+) ->/.exec(String(said))?.[1]))
  } finally {
    child.kill()
  }
}

const WHOLE = 'that was all'

/** What comes before the last line; throws when that is missing time and again. */
function wholeOf(ask: () => string): string {
  for (let left = 3; left > 0; left--) {
    const said = ask()
    if (said.endsWith(`${WHOLE}\n`)) return said.slice(0, -WHOLE.length - 1)
  }
  throw new Error('kubectl lost the end of an output three times')
}

const layerOf = ({ metadata }: Manifest) => metadata.labels?.['runbooks.dev/layer']

/** The overlay for tests, moved into a namespace. */
function overlayIn(work: string, stack: Stack, namespace: string): string {
  const folder = join(work, 'overlay')
  mkdirSync(folder)
  const moved = { apiVersion: 'builtin', kind: 'NamespaceTransformer', metadata: { name: 'namespace', namespace } }
  const kustomization = {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    // The field `namespace` would leave the subjects of role bindings where they were.
    transformers: [JSON.stringify({ ...moved, setRoleBindingSubjects: 'allServiceAccounts' })],
    resources: [relative(folder, join(ROOT, 'test/k8s/overlays', stack))],
  }
  writeFileSync(join(folder, 'kustomization.yaml'), JSON.stringify(kustomization))
  return folder
}

/** Leads a host name of the gateway to services, by the beginning of the path; what an ingress controller does on another cluster. */
export function openGateway(on: Cluster, namespace: string, host: string, routes: readonly Route[]): void {
  const metadata = { name: 'door', namespace }
  const listeners = [{ name: 'http', protocol: 'HTTP', port: Number(new URL(door() ?? '').port) }]
  const rules = routes.map(({ path, service, port }) => ({
    matches: [{ path: { type: 'PathPrefix', value: path } }],
    backendRefs: [{ name: service, port }],
  }))
  const items = [
    { kind: 'Gateway', metadata, spec: { gatewayClassName: 'traefik', listeners } },
    { kind: 'HTTPRoute', metadata, spec: { parentRefs: [{ name: 'door' }], hostnames: [host], rules } },
  ].map(object => ({ apiVersion: 'gateway.networking.k8s.io/v1', ...object }))
  on.kubectl(['create', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }))
}

/** Text of a kubeconfig for the account that deploys, in one line. */
function loginOf(on: Cluster, namespace: string): string {
  const config = JSON.parse(on.kubectl(['config', 'view', '--raw', '--minify', '--flatten', '-o', 'json']))
  const token = on.kubectl(['-n', namespace, 'create', 'token', 'runbooks-operator', '--duration=1h']).trim()
  config.users[0].user = { token }
  return JSON.stringify(config)
}

/** Starts a runbook that stands still once a line of its journal is written; `kill` ends it there. */
export async function stoppedAt(site: PlayedSite, line: number, runbook: string, ...flags: string[]): Promise<{ kill(): Promise<Ran> }> {
  let pid = 0
  const started = (child: { readonly pid?: number | undefined }) => {
    pid = child.pid ?? 0
  }
  const ran = site.play({ die: `entry:${line}:after`, by: 'SIGSTOP', started }, runbook, ...flags)
  await until(() => (pid > 0 && isStopped(pid) ? true : undefined), 120_000)
  return {
    kill() {
      process.kill(pid, 'SIGKILL')
      return ran
    },
  }
}
