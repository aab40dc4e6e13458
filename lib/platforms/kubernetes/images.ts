import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { Doing } from '../../plan/plan.ts'
import type { ImageFacts, Wanted } from '../platform.ts'
import { ApiError } from './api.ts'
import { rendered, serviceOf } from './manifests.ts'
import { type ContainerStatus, type Pod, type PodSpec, templateOf } from './objects.ts'
import { pullFault, pullWords } from './pull.ts'
import { removeAll } from './resources.ts'
import { MARK, type Site } from './site.ts'

/** How long a node is waited for that fetches images, and how long it may try a registry that is away, in milliseconds. */
const FETCH_MS = 90_000
const AWAY_MS = 6_000
const AGAIN_MS = 100

type Asked = Readonly<Record<string, Pick<Wanted, 'image' | 'version'>>>
type Found = Pick<ImageFacts, 'state' | 'digest' | 'sizeBytes' | 'because'>

/** What is known of images that are there, so that nothing is asked twice. */
const known = new Map<string, Found>()

/**
 * Whether images can be run here. Only a node can tell, with the accounts and registries that it has: a pod is made that names them all and starts
 * nothing, because the command that it names is in no image. What it says is the digest that a release then pins.
 */
export async function imagesOf(site: Site, wanted: Asked, doing: Doing): Promise<readonly ImageFacts[]> {
  const asked = Object.entries(wanted).map(([service, one]) => ({ service, ...one, name: `${one.image}:${one.version}` }))
  const open = [...new Set(asked.map(({ name }) => name))].filter(name => !known.has(`${site.where} ${name}`))
  const found = open.length === 0 ? new Map<string, Found>() : await looked(site, open, doing)
  for (const [name, one] of found) if (one.state === 'present') known.set(`${site.where} ${name}`, one)
  return asked.map(({ service, image, version, name }) => {
    const facts = known.get(`${site.where} ${name}`) ?? found.get(name) ?? unknown('nobody has looked')
    return { service, image, version, ...facts, ...mended(facts.state, name) }
  })
}

const unknown = (because: string): Found => ({ state: 'unknown', digest: null, sizeBytes: null, because })

function mended(state: ImageFacts['state'], name: string): { readonly mend?: string } {
  if (state === 'missing') return { mend: `push ${name}, or choose a version that is there` }
  if (state === 'denied') return { mend: `give the account of the pods an imagePullSecret that may read ${name}` }
  return {}
}

async function looked(site: Site, names: readonly string[], doing: Doing): Promise<Map<string, Found>> {
  const folder = `/api/v1/namespaces/${site.kube.namespace}/pods`
  await sweep(site, folder, doing).catch(error => {
    // It is only tidy to do so.
    if (!(error instanceof ApiError)) throw error
  })
  const name = `runbooks-images-${randomBytes(4).toString('hex')}`
  try {
    await site.kube.api.send('POST', folder, { body: await podOf(site, name, names, doing), doing })
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    return new Map(names.map(one => [one, unknown(`no pod can be made that looks: ${error.message}`)]))
  }
  try {
    return await told(site, `${folder}/${name}`, names, doing)
  } finally {
    await site.kube.api.send('DELETE', `${folder}/${name}?gracePeriodSeconds=0`, { patient: true }).catch(() => undefined)
  }
}

/** Removes those that were left by runs that were killed; they have ended by themselves. */
async function sweep(site: Site, folder: string, doing: Doing): Promise<void> {
  const chosen = encodeURIComponent(`${MARK.stack}=${site.setting.stack},${MARK.once}=images`)
  const { items } = await site.kube.api.get<{ readonly items: readonly Pod[] }>(`${folder}?labelSelector=${chosen}`, { doing })
  const ended = items.filter(({ status }) => status?.phase === 'Failed')
  await removeAll(
    site,
    ended.map(({ metadata: { name } }) => ({ path: `${folder}/${name}` })),
    doing,
  )
}

/** It meets the level "restricted", takes nearly nothing of a quota, and uses the account and the nodes of the pods that are to come. */
async function podOf(site: Site, name: string, images: readonly string[], doing: Doing) {
  const objects = await rendered(site, doing)
  const spec: Partial<PodSpec> = objects.flatMap(object => (serviceOf(site, object) ? (templateOf(object)?.spec ?? []) : []))[0] ?? {}
  const { serviceAccountName, imagePullSecrets, nodeSelector, tolerations, runtimeClassName } = spec
  const containers = images.map((image, n) => ({
    name: `image-${n}`,
    image,
    imagePullPolicy: 'IfNotPresent',
    command: ['/runbooks/looks-at-the-image-only'],
    resources: { requests: { cpu: '1m', memory: '4Mi' }, limits: { cpu: '10m', memory: '16Mi' } },
    securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
  }))
  const metadata = { name, labels: { [MARK.stack]: site.setting.stack, [MARK.once]: 'images' } }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata,
    spec: {
      ...{ serviceAccountName, imagePullSecrets, nodeSelector, tolerations, runtimeClassName },
      restartPolicy: 'Never',
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      terminationGracePeriodSeconds: 0,
      activeDeadlineSeconds: 120,
      securityContext: { runAsNonRoot: true, runAsUser: 65_534, seccompProfile: { type: 'RuntimeDefault' } },
      containers,
    },
  }
}

async function told(site: Site, path: string, names: readonly string[], doing: Doing): Promise<Map<string, Found>> {
  const began = performance.now()
  for (;;) {
    const pod = await site.kube.api.get<Pod>(path, { doing })
    const tookMs = performance.now() - began
    const found = new Map(names.map((name, n) => [name, foundOf(pod, `image-${n}`, tookMs)]))
    if ([...found.values()].every(one => one !== undefined)) return found as Map<string, Found>
    await pause(AGAIN_MS, undefined, { signal: doing.signal })
  }
}

function foundOf(pod: Pod, container: string, tookMs: number): Found | undefined {
  const status = (pod.status?.containerStatuses ?? []).find(({ name }) => name === container)
  const { waiting } = status?.state ?? {}
  const words = waiting?.message ?? ''
  if (status?.imageID) return { state: 'present', digest: digestOf(status), sizeBytes: null }
  if (waiting?.reason === 'InvalidImageName') return { state: 'missing', digest: null, sizeBytes: null, because: words }
  if (waiting?.reason === 'ErrImagePull' || waiting?.reason === 'ImagePullBackOff') {
    const state = pullFault(words)
    if (state !== 'unreachable' || tookMs > AWAY_MS) return { state, digest: null, sizeBytes: null, because: `${status?.image}: ${pullWords(words)}` }
  }
  if (tookMs < FETCH_MS) {
    const unplaced = (pod.status?.conditions ?? []).find(({ type, status: is }) => type === 'PodScheduled' && is === 'False')
    return unplaced && tookMs > AWAY_MS ? unknown(`no node has a place for a pod that looks: ${unplaced.message}`) : undefined
  }
  return unknown(`no node has it after ${FETCH_MS / 1_000} s`)
}

/** A registry's digest as it is; the id that a node gives to an image without one is told apart, because nothing can be pulled by it. */
function digestOf({ imageID }: ContainerStatus): string {
  const [, digest] = imageID.split('@')
  return digest ?? `id:${imageID.replace(/^.*sha256:/, '').slice(0, 64)}`
}
