import { Trouble } from '../../../plan/outcome.ts'
import type { Doing } from '../../../plan/plan.ts'
import type { Bundle } from '../../platform.ts'
import type { Instead } from '../../rehearsal.ts'
import { ApiError } from '../api.ts'
import { layerOf, rendered } from '../manifests.ts'
import { type Manifest, nameOf, type Tree, templateOf } from '../objects.ts'
import { MARK, type Site } from '../site.ts'
import { type Kept, keptWhole } from './given.ts'
import { mayShare } from './mounts.ts'
import { asideName, asideOf, HOSTNAME, marksOf, standIn } from './pods.ts'
import { record } from './record.ts'

type Service = Manifest & {
  readonly spec: {
    readonly selector?: Readonly<Record<string, string>>
    readonly ports?: readonly Tree[]
    readonly publishNotReadyAddresses?: boolean
    readonly clusterIP?: string
  }
}

/** Puts a kept release beside everything, with its settings replaced; nothing of it runs yet. */
export async function put(site: Site, run: string, bundle: Bundle, instead: Instead, doing: Doing): Promise<void> {
  const kept = await keptWhole(site, bundle, doing)
  const { settings, pods } = asideOf(site, run, bundle, kept, await instead.read(doing))
  const standIns = await standInsOf(site, doing)
  const hostAliases = await ownServices(site, run, kept, standIns, doing)
  for (const object of settings) await made(site, object.kind === 'Secret' ? 'secrets' : 'configmaps', object, doing)
  const led = Object.entries(pods).map(([service, pod]) => {
    const spec = pod.spec as { hostAliases?: readonly Tree[] }
    return [service, { ...pod, spec: { ...spec, hostAliases: [...(spec.hostAliases ?? []), ...hostAliases] } }] as const
  })
  const beside = standIns.flatMap(object => {
    const template = templateOf(object)
    return template ? [standIn(site, run, object, template)] : []
  })
  await record(site, run, bundle.release, { pods: Object.fromEntries(led), beside }, doing)
}

/** What today's overlay has for rehearsals alone; Trouble(3) for what cannot be put there. */
async function standInsOf(site: Site, doing: Doing): Promise<readonly Manifest[]> {
  const objects = (await rendered(site, doing)).filter(object => layerOf(site, object) === 'rehearsal')
  const odd = objects.find(object => object.kind !== 'Service' && (!templateOf(object) || mayShare(templateOf(object)?.spec ?? NONE).length > 0))
  if (odd) throw new Trouble(3, `${nameOf(odd)} cannot stand in: what does is a Service, or a workload that keeps nothing beyond its pods`)
  return objects
}

const NONE = { containers: [] }

type Set = Manifest & { readonly spec: { readonly serviceName?: string; readonly replicas?: number } }

/** Members of a StatefulSet have names of their own, by which they find each other. */
const memberNames = ({ metadata, spec }: Set): string[] => Array.from({ length: spec.replicas ?? 1 }, (_, n) => `${metadata.name}-${n}`)

async function made<T>(site: Site, plural: string, body: Manifest, doing: Doing): Promise<T> {
  const folder = `/api/v1/namespaces/${site.kube.namespace}/${plural}`
  try {
    return await site.kube.api.send<T>('POST', folder, { body, doing })
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 409)) throw error
    // Another release of the same rehearsal has put it there.
    return site.kube.api.get<T>(`${folder}/${body.metadata.name}`, { doing })
  }
}

/** Addresses by which the pods of a rehearsal find each other under the names of the live services, which they must not reach. */
async function ownServices(
  site: Site,
  run: string,
  { objects, templates }: Kept,
  standIns: readonly Manifest[],
  doing: Doing,
): Promise<readonly Tree[]> {
  const { namespace } = site.kube
  const { items } = await site.kube.api.get<{ readonly items: readonly Service[] }>(`/api/v1/namespaces/${namespace}/services`, { doing })
  const brought = [...objects, ...standIns].filter((object): object is Service => object.kind === 'Service')
  const labels = [...templates.values(), ...standIns.flatMap(object => templateOf(object) ?? [])].map(({ metadata }) => metadata?.labels ?? {})
  const all = new Map([...brought, ...items].map(service => [service.metadata.name, service]))
  const theirs = [...all.values()].filter(({ spec: { selector = {} }, metadata }) => {
    const wanted = Object.entries(selector)
    return wanted.length > 0 && !metadata.labels?.[MARK.rehearsal] && labels.some(one => wanted.every(([name, value]) => one[name] === value))
  })
  const rash = theirs.find(({ spec }) => spec.publishNotReadyAddresses === true)
  if (rash)
    throw new Trouble(3, `The service ${rash.metadata.name} sends users to pods that are not ready, and would send them to a rehearsal`, {
      next: ['take publishNotReadyAddresses from it, or give it a selector of its own'],
    })
  const members = objects.filter((object): object is Set => object.kind === 'StatefulSet')
  return Promise.all(
    theirs.map(async service => {
      const ip = (await made<Service>(site, 'services', besides(site, run, service), doing)).spec.clusterIP ?? ''
      const { name } = service.metadata
      const names = [name, ...members.flatMap(set => (set.spec.serviceName === name ? memberNames(set).map(member => `${member}.${name}`) : []))]
      return {
        ip,
        hostnames: names.flatMap(one => ['', `.${namespace}`, `.${namespace}.svc`, `.${namespace}.svc.cluster.local`].map(end => one + end)),
      }
    }),
  )
}

/** A service that leads to the rehearsal's pods alone, as soon as they run: for those that it starts with, nobody else waits. */
function besides(site: Site, run: string, { metadata, spec }: Service): Manifest {
  const ports = (spec.ports ?? []).map(({ nodePort: _, ...port }) => port)
  const selector = { ...spec.selector, ...marksOf(site, run), [MARK.once]: 'rehearsal' }
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: asideName(metadata.name, run, HOSTNAME), labels: marksOf(site, run) },
    spec: { selector, ports, publishNotReadyAddresses: true },
  }
}
