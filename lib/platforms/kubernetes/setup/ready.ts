import type { Doing, Seen } from '../../../plan/plan.ts'
import { lastLines } from '../events.ts'
import { faultOf } from '../faults.ts'
import { holds } from '../look.ts'
import { type Controller, type Manifest, nameOf, type Pod } from '../objects.ts'
import { liveOf } from '../resources.ts'
import type { Site } from '../site.ts'

const WORKLOADS = ['Deployment', 'StatefulSet', 'DaemonSet']

type Job = Manifest & { readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string; message?: string }[] } }

/** Whether everything of the data layer is ready: its pods, and its jobs done. Doomed when it never will be, with the cause and the last lines of its log. */
export async function readyOf(site: Site, objects: readonly Manifest[], doing: Doing): Promise<Seen> {
  const live = await liveOf(site, objects, doing)
  const { items } = await site.kube.api.get<{ readonly items: readonly Pod[] }>(`/api/v1/namespaces/${site.kube.namespace}/pods`, { doing })
  const waits: string[] = []
  for (const wanted of objects) {
    const object = live.get(nameOf(wanted))
    if (wanted.kind === 'Job') {
      const failed = conditionOf(object as Job | undefined, 'Failed')
      if (failed) return { state: { ready: false }, is: 'doomed', because: `${nameOf(wanted)} failed: ${failed.message ?? ''}` }
      // A job that is done may be gone already.
      if (object && !conditionOf(object as Job, 'Complete')) waits.push(`${nameOf(wanted)} is not done`)
    } else if (WORKLOADS.includes(wanted.kind)) {
      if (!object) return { state: { ready: false }, is: 'doomed', because: `${nameOf(wanted)} is not there` }
      const why = waitOf(object as unknown as Controller)
      if (why === undefined) continue
      const found = await faultIn(site, object, items, doing)
      if (found?.is === 'doomed') return { ...found, state: { ready: false } }
      waits.push(`${nameOf(wanted)} ${why}${found ? `: ${found.because}` : ''}`)
    }
  }
  if (waits.length === 0) return { state: { ready: true }, is: 'settled' }
  return { state: { ready: false, waits }, is: 'moving', because: waits.join('; ') }
}

const conditionOf = (job: Job | undefined, type: string) => job?.status?.conditions?.find(one => one.type === type && one.status === 'True')

/** What a controller still waits for; undefined when all of its pods are there, new and ready. */
function waitOf({ kind, metadata, spec, status }: Controller): string | undefined {
  const wanted = kind === 'DaemonSet' ? (status?.desiredNumberScheduled ?? 0) : (spec.replicas ?? 1)
  const ready = (kind === 'DaemonSet' ? status?.numberAvailable : status?.readyReplicas) ?? 0
  const updated = (kind === 'DaemonSet' ? status?.updatedNumberScheduled : status?.updatedReplicas) ?? 0
  if ((status?.observedGeneration ?? 0) < (metadata.generation ?? 0)) return 'has not been looked at by its controller'
  return ready >= wanted && updated >= wanted ? undefined : `has ${ready} of ${wanted} ready`
}

type Found = { readonly is: 'doomed' | 'moving'; readonly because: string; readonly look?: string }

/** What keeps the pods of a controller from being ready. */
async function faultIn(site: Site, object: Manifest, pods: readonly Pod[], doing: Doing): Promise<Found | undefined> {
  const { template, selector } = object.spec as Controller['spec'] & { selector: { matchLabels?: Readonly<Record<string, string>> } }
  const labels = Object.entries(selector.matchLabels ?? {})
  const own = pods.filter(
    ({ metadata }) => metadata.deletionTimestamp === undefined && labels.every(([key, value]) => metadata.labels?.[key] === value),
  )
  const controller = { kind: object.kind, metadata: object.metadata, spec: { template } }
  const service = { name: object.metadata.name, image: '', traffic: 'none', twice: 'never' } as const
  for (const pod of own.filter(one => !holds(one, 'Ready'))) {
    const fault = faultOf(pod, { service, object: controller, pods: [], old: [] })
    if (!fault) continue
    const because = `${pod.metadata.name}: ${fault.because}`
    if (fault.is === 'moving') return { is: 'moving', because }
    const look = fault.container === undefined ? '' : await lastLines(site, pod, fault.container, 20, doing).catch(() => '')
    return { is: 'doomed', because, ...(look ? { look } : {}) }
  }
  return undefined
}
