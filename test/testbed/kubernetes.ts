import { execFileSync, spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { alive, type Identity, identity } from './identity.ts'
import { archive, type Image, sha256 } from './images.ts'
import { cache, find } from './tools.ts'

/** The cluster that kind makes for tests, where nobody names another. */
const KIND = 'runbooks-testbed'
const TOLD =
  'set TESTBED_KUBECONFIG to the kubeconfig of a cluster that tests may fill and empty, or install kind and run: npm run testbed -- install kubernetes'

/** A Kubernetes cluster that tests may fill and empty. */
export type Cluster = {
  readonly kubeconfig: string
  /** Address of its API server. */
  readonly server: string
  /** Runs kubectl and returns what it prints; throws with what it said. `input` is given on standard input. */
  kubectl(argv: readonly string[], input?: string): string
  /** Runs kubectl and returns everything, whatever its exit code. */
  tries(argv: readonly string[], input?: string): { readonly exit: number | null; readonly stdout: string; readonly stderr: string }
  /** Makes these images known to every node; what it was given before is not sent again. */
  load(images: readonly Image[]): Promise<void>
  /** Makes a namespace whose name ends in a random mark. */
  namespace(prefix: string, labels?: Readonly<Record<string, string>>): Namespace
}

/** A namespace of a test. */
export type Namespace = { readonly name: string; remove(): void }

const kindKubeconfig = (): string => join(cache(), 'kind.kubeconfig')

function kindClusters(): readonly string[] {
  if (find('kind') === undefined) return []
  return spawnSync('kind', ['get', 'clusters', '--quiet'], { encoding: 'utf8', timeout: 10_000 }).stdout?.split('\n') ?? []
}

/** Path of the kubeconfig: TESTBED_KUBECONFIG, else that of the kind cluster that was made for tests. */
function kubeconfig(): string | undefined {
  const named = process.env.TESTBED_KUBECONFIG
  if (named) return named
  return existsSync(kindKubeconfig()) && kindClusters().includes(KIND) ? kindKubeconfig() : undefined
}

/** Where kubectl is: on PATH, or in the folder bin beside the kubeconfig. */
export function kubectlFile(): string | undefined {
  const beside = join(dirname(process.env.TESTBED_KUBECONFIG ?? ''), 'bin', 'kubectl')
  return find('kubectl') ?? (process.env.TESTBED_KUBECONFIG && existsSync(beside) ? beside : undefined)
}

/** Makes a cluster with kind when there is none yet; says why not. */
export function makeKindCluster(say: (line: string) => void): void {
  if (kubeconfig() !== undefined || find('kind') === undefined) return
  mkdirSync(cache(), { recursive: true })
  const made = spawnSync('kind', ['create', 'cluster', '--name', KIND, '--kubeconfig', kindKubeconfig(), '--wait', '180s'], {
    encoding: 'utf8',
    timeout: 600_000,
  })
  if (made.status !== 0) say(`kind create cluster: ${made.stderr.trim().split('\n').at(-1)}`)
}

/** Whether a cluster answers here: how, or why not and what to do. */
export function lookForCluster(): { readonly ok: true; readonly how: string } | { readonly ok: false; readonly why: string } {
  const file = kubeconfig()
  const kubectl = kubectlFile()
  if (file === undefined) return { ok: false, why: `no cluster is known; ${TOLD}` }
  if (!existsSync(file)) return { ok: false, why: `TESTBED_KUBECONFIG is ${file}, which is not there` }
  if (kubectl === undefined) return { ok: false, why: `kubectl is neither on PATH nor in ${join(dirname(file), 'bin')}` }
  const asked = spawnSync(kubectl, ['--kubeconfig', file, '--request-timeout=10s', 'get', '--raw', '/readyz'], { encoding: 'utf8', timeout: 15_000 })
  if (asked.status !== 0) return { ok: false, why: `the cluster of ${file} does not answer: ${asked.stderr.trim().split('\n').at(-1)}` }
  return { ok: true, how: file }
}

/** The cluster that was found. */
export function cluster(): Cluster {
  const found = lookForCluster()
  if (!found.ok) throw new Error(found.why)
  const file = found.how
  const command = kubectlFile()!
  const tries: Cluster['tries'] = (argv, input) => {
    const { status, stdout, stderr } = spawnSync(command, ['--kubeconfig', file, ...argv], {
      encoding: 'utf8',
      input: input ?? '',
      maxBuffer: 256 * 1024 * 1024,
    })
    return { exit: status, stdout, stderr }
  }
  const kubectl: Cluster['kubectl'] = (argv, input) => {
    const { exit, stdout, stderr } = tries(argv, input)
    if (exit !== 0) throw new Error(`kubectl ${argv.join(' ')}: exit ${exit}: ${stderr}`)
    return stdout
  }
  return {
    kubeconfig: file,
    server: kubectl(['config', 'view', '--minify', '-o', 'jsonpath={.clusters[0].cluster.server}']),
    kubectl,
    tries,
    load: images => load(images, kubectl(['get', 'namespace', 'kube-system', '-o', 'jsonpath={.metadata.uid}'])),
    namespace: (prefix, labels = {}) => makeNamespace(kubectl, prefix, labels),
  }
}

function makeNamespace(kubectl: Cluster['kubectl'], prefix: string, labels: Readonly<Record<string, string>>): Namespace {
  const name = `${prefix}-${randomBytes(4).toString('hex')}`
  const metadata = { name, labels: { [MADE]: 'yes', ...labels }, annotations: { [OWNER]: ownerMark(identity(process.pid)) } }
  kubectl(['create', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'Namespace', metadata }))
  return {
    name,
    remove: () => removeNamespace(kubectl, name),
  }
}

function removeNamespace(kubectl: Cluster['kubectl'], name: string): void {
  // First the namespace, so that nothing is started again; then pods that would take the time their grace period gives them.
  kubectl(['delete', 'namespace', name, '--ignore-not-found', '--wait=false'])
  kubectl(['delete', 'pods', '--all', '--namespace', name, '--ignore-not-found', '--grace-period=1', '--wait=false'])
}

const MADE = 'runbooks.dev/testbed'
const OWNER = 'runbooks.dev/testbed-owner'

/** A process of this very machine, as an annotation. */
const ownerMark = (owner: Identity | undefined) => JSON.stringify([hostname(), owner?.pid, owner?.started])

/** Removes the namespaces that tests of this machine left which were killed; returns their names. */
export function sweepNamespaces(on: Pick<Cluster, 'kubectl'>): string[] {
  const { items } = JSON.parse(on.kubectl(['get', 'namespaces', '--selector', `${MADE}=yes`, '-o', 'json'])) as { items: Left[] }
  const left = items
    .filter(({ metadata, status }) => status.phase === 'Active' && isOrphan(metadata.annotations?.[OWNER]))
    .map(({ metadata }) => metadata.name)
  for (const name of left) removeNamespace(on.kubectl, name)
  return left
}

type Left = {
  readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> }
  readonly status: { readonly phase: string }
}

function isOrphan(owner: string | undefined): boolean {
  const [machine, pid, started] = JSON.parse(owner ?? '[]') as [string?, number?, string?]
  return machine === hostname() && pid !== undefined && started !== undefined && !alive({ pid, started })
}

/** How images get into the cluster: the program that TESTBED_CLUSTER_LOAD names (it is given a docker-archive), or kind. */
function loader(): readonly [string, ...string[]] {
  const named = process.env.TESTBED_CLUSTER_LOAD
  if (named) return [named]
  if (kubeconfig() === kindKubeconfig()) return ['kind', 'load', 'image-archive', '--name', KIND]
  throw new Error('TESTBED_CLUSTER_LOAD must name the program that gives the cluster a docker-archive: it is called with the path of one')
}

async function load(images: readonly Image[], uid: string): Promise<void> {
  const layers = [...new Set(images.flatMap(image => image.layers))]
  const digests = new Map(await Promise.all(layers.map(async layer => [layer, await sha256(layer)] as const)))
  const markOf = ({ name, layers, entrypoint, env, stopSignal }: Image): string =>
    mark(JSON.stringify([uid, name, layers.map(layer => digests.get(layer)), entrypoint, env, stopSignal ?? '']))
  const wanted = images.filter(image => !existsSync(markOf(image)))
  if (wanted.length === 0) return
  const [file, ...argv] = loader()
  const scratch = mkdtempSync(join(tmpdir(), 'testbed-load-'))
  try {
    const out = join(scratch, 'images.tar')
    await archive(wanted, out)
    execFileSync(file, [...argv, out], { stdio: ['ignore', 'ignore', 'pipe'] })
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
  for (const image of wanted) writeFileSync(markOf(image), '')
}

/** A file whose being there says that this cluster has exactly this image. */
function mark(identity: string): string {
  const folder = join(cache(), 'loaded')
  mkdirSync(folder, { recursive: true })
  return join(folder, createHash('sha256').update(identity).digest('hex').slice(0, 32))
}
