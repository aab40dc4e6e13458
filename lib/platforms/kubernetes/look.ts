import type { Doing } from '../../plan/plan.ts'
import type { Service } from '../platform.ts'
import type { Controller, Manifest, Pod } from './objects.ts'
import { type Site, workloadOf } from './site.ts'

/** What runs a service, with its pods: those of its newest revision, and those that are about to go. */
export type Workload = {
  readonly service: Service
  readonly object: Controller
  /** Of a Deployment: the ReplicaSet of its newest revision; undefined until its controller has made it. */
  readonly set?: Controller | undefined
  readonly pods: readonly Pod[]
  readonly old: readonly Pod[]
}

/** Everything that runs the services of a stack at one moment; `nowMs` is by the server's clock. */
export type Look = { readonly workloads: readonly Workload[]; readonly nowMs: number }

const REVISION = 'deployment.kubernetes.io/revision'

type List<T> = { readonly items: readonly T[] }

/** One look: a list a kind, at once. */
export async function lookAt(site: Site, doing: Doing): Promise<Look> {
  const { api, namespace } = site.kube
  const wanted = site.setting.services.map(service => ({ service, ...workloadOf(site, service.name) }))
  const kinds = new Set(wanted.map(({ kind }) => kind))
  const list = async <T>(plural: string, root = '/apis/apps/v1'): Promise<List<T>> => api.get(`${root}/namespaces/${namespace}/${plural}`, { doing })
  const when = <T>(kind: string, plural: string): Promise<List<T>> => (kinds.has(kind) ? list(plural) : Promise.resolve({ items: [] }))
  const [deployments, statefulSets, daemonSets, replicaSets, { text, nowMs }] = await Promise.all([
    when<Controller>('Deployment', 'deployments'),
    when<Controller>('StatefulSet', 'statefulsets'),
    when<Controller>('DaemonSet', 'daemonsets'),
    when<Controller>('Deployment', 'replicasets'),
    api.text('GET', `/api/v1/namespaces/${namespace}/pods`, { doing }),
  ])
  const pods = (JSON.parse(text) as List<Pod>).items.filter(({ metadata }) => metadata.deletionTimestamp === undefined)
  // Lists do not say the kind of their items.
  const objects = [
    ...deployments.items.map(one => ({ ...one, kind: 'Deployment' })),
    ...statefulSets.items.map(one => ({ ...one, kind: 'StatefulSet' })),
    ...daemonSets.items.map(one => ({ ...one, kind: 'DaemonSet' })),
  ].filter(({ metadata }) => metadata.deletionTimestamp === undefined)
  const workloads = wanted.flatMap(({ service, kind, name }) => {
    const object = objects.find(one => one.kind === kind && one.metadata.name === name)
    return object ? [{ service, object, ...split(object, replicaSets.items, pods) }] : []
  })
  return { workloads, nowMs }
}

const ownedBy = (metadata: Manifest['metadata'], uid: string | undefined) => (metadata.ownerReferences ?? []).some(owner => owner.uid === uid)

/** The pods of the newest revision, by owner; and the others. */
function split(object: Controller, sets: readonly Controller[], pods: readonly Pod[]): Pick<Workload, 'set' | 'pods' | 'old'> {
  const { uid, annotations } = object.metadata
  if (object.kind === 'Deployment') {
    const own = sets.filter(({ metadata }) => ownedBy(metadata, uid))
    const set = own.find(({ metadata }) => metadata.annotations?.[REVISION] === annotations?.[REVISION])
    const of = (one: Controller | undefined) => pods.filter(({ metadata }) => one !== undefined && ownedBy(metadata, one.metadata.uid))
    return { set, pods: of(set), old: own.filter(one => one !== set).flatMap(of) }
  }
  const mine = pods.filter(({ metadata }) => ownedBy(metadata, uid))
  const isNew = ({ metadata: { labels } }: Pod) =>
    object.kind === 'StatefulSet'
      ? labels?.['controller-revision-hash'] === object.status?.updateRevision
      : labels?.['pod-template-generation'] === annotations?.['deprecated.daemonset.template.generation']
  return { pods: mine.filter(isNew), old: mine.filter(pod => !isNew(pod)) }
}

/** How many pods are wanted. */
export const wantedOf = ({ object }: Workload): number =>
  object.kind === 'DaemonSet' ? (object.status?.desiredNumberScheduled ?? 0) : (object.spec.replicas ?? 1)

/** Whether a condition of a pod holds. */
export const holds = ({ status }: Pod, type: string): boolean => (status?.conditions ?? []).some(one => one.type === type && one.status === 'True')
