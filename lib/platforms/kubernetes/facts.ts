import { run } from '../../exec/process.ts'
import { Trouble } from '../../plan/outcome.ts'
import type { Doing } from '../../plan/plan.ts'
import type { PlatformFacts } from '../platform.ts'
import { ApiError } from './api.ts'
import { summaries } from './nodes.ts'
import type { Site } from './site.ts'

/** The oldest kubectl that has what is used: server-side apply with fields of its own, `--subresource`. */
const KUBECTL = [1, 27] as const

/** What a deploy needs, as `kubectl auth can-i` takes it. */
const NEEDS = [
  ['get', '', 'secrets'],
  ['create', '', 'secrets'],
  ['delete', '', 'secrets'],
  ['create', '', 'configmaps'],
  ['update', '', 'configmaps'],
  ['patch', '', 'services'],
  ['list', '', 'pods'],
  ['create', '', 'pods'],
  ['get', '', 'pods', 'log'],
  ['list', '', 'events'],
  ['list', 'apps', 'replicasets'],
  ['patch', 'apps', 'deployments'],
] as const

/** Longest wait for a cluster that may not be there, in milliseconds. */
const PATIENCE_MS = 10_000

/** What a look at the cluster found; never throws for what an operator can meet. */
export async function factsOf(site: Site, doing: Doing): Promise<PlatformFacts> {
  const bare = { where: site.where, tools: [], freeBytes: null }
  const limited = { ...doing, signal: AbortSignal.any([doing.signal, AbortSignal.timeout(PATIENCE_MS)]) }
  try {
    const [tool, refused, free] = await Promise.all([kubectlOf(site, limited), missingRights(site, limited), freeBytes(site, limited)])
    if (refused) return { ...bare, tools: [tool], state: 'denied', ...refused }
    return { ...bare, tools: [tool], state: 'answers', freeBytes: free }
  } catch (error) {
    doing.signal.throwIfAborted()
    if (error instanceof Trouble)
      return { ...bare, state: error.exit === 3 ? 'denied' : 'unreachable', because: error.message, ...mended(error.next[0] ?? error.look[0]) }
    if (error instanceof ApiError) return { ...bare, state: 'denied', because: error.message }
    if (error instanceof DOMException)
      return { ...bare, state: 'unreachable', because: `The API server did not answer within ${PATIENCE_MS / 1_000} s` }
    throw error
  }
}

const mended = (mend: string | undefined) => (mend === undefined ? {} : { mend })

type Tool = PlatformFacts['tools'][number]

const asked = new WeakMap<Site, Promise<Tool>>()

/** The version of kubectl: asked once, because it stays the same while we run. */
function kubectlOf(site: Site, doing: Doing): Promise<Tool> {
  const known = asked.get(site)
  if (known) return known
  const found = kubectl(doing).catch(error => {
    asked.delete(site)
    throw error
  })
  asked.set(site, found)
  return found
}

async function kubectl(doing: Doing): Promise<Tool> {
  const { stdout } = await run({ file: 'kubectl', argv: ['version', '--client', '-o', 'json'] }, doing)
  const version = (JSON.parse(stdout) as { clientVersion?: { gitVersion?: string } }).clientVersion?.gitVersion ?? null
  const [major = 0, minor = 0] = (/(\d+)\.(\d+)/.exec(version ?? '') ?? []).slice(1).map(Number)
  const old = major < KUBECTL[0] || (major === KUBECTL[0] && minor < KUBECTL[1])
  return { name: 'kubectl', version, ...(old ? { mend: `install kubectl ${KUBECTL.join('.')} or newer` } : {}) }
}

type Review = { readonly status?: { readonly allowed?: boolean } }

/** What `kubectl auth can-i` would say no to. */
async function missingRights(site: Site, doing: Doing): Promise<{ because: string; mend: string } | undefined> {
  const { api, namespace } = site.kube
  const asked = NEEDS.map(async ([verb, group, resource, subresource]) => {
    const resourceAttributes = { namespace, verb, group, resource, ...(subresource ? { subresource } : {}) }
    const body = { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview', spec: { resourceAttributes } }
    // It changes nothing, so it may be asked again: a server that shuts a connection down loses what is on it.
    const { status } = await api.send<Review>('POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', { body, patient: true, doing })
    return status?.allowed === true ? [] : [`${verb} ${resource}${subresource ? `/${subresource}` : ''}`]
  })
  const refused = (await Promise.all(asked)).flat()
  if (refused.length === 0) return undefined
  return {
    because: `We may not ${refused.join(', ')} in ${namespace}`,
    mend: `the role runbooks-operator has what is needed; to look: ${site.kube.typed('auth', 'can-i', '--list')}`,
  }
}

/** The least room that a node has for images; null where nobody can tell. */
async function freeBytes(site: Site, doing: Doing): Promise<number | null> {
  const nodes = await summaries(site, doing)
  const free = (nodes ?? []).map(({ node }) => node?.runtime?.imageFs?.availableBytes ?? node?.fs?.availableBytes ?? Number.NaN)
  const least = Math.min(...free)
  return Number.isFinite(least) ? least : null
}

/** The clock of the API server, to the second. */
export async function timeOf({ kube }: Site, doing: Doing): Promise<string> {
  const { nowMs } = await kube.api.text('GET', '/version', { doing })
  return new Date(nowMs).toISOString()
}
