import { Trouble } from '../../../plan/outcome.ts'
import type { Doing } from '../../../plan/plan.ts'
import type { Bundle, Judged } from '../../platform.ts'
import { faultOf } from '../faults.ts'
import type { Look, Workload } from '../look.ts'
import type { Pod } from '../objects.ts'
import { MARK, type Site } from '../site.ts'
import { judged } from '../verdict.ts'
import { podsOf } from './things.ts'

/** How long the cluster may take to find a place for a pod, in milliseconds: that there is none says nothing of the release. */
const PLACE_MS = 30_000

/** A look at a rehearsal: each of its pods as a workload of one. */
export async function lookAside(site: Site, run: string, doing: Doing): Promise<Look> {
  const { items, nowMs } = await podsOf(site, run, doing)
  const running = items.filter(({ metadata: { labels, deletionTimestamp } }) => labels?.[MARK.once] === 'rehearsal' && !deletionTimestamp)
  return { workloads: running.flatMap(pod => workloadOf(site, pod) ?? []), nowMs }
}

function workloadOf({ setting }: Site, pod: Pod): Workload | undefined {
  const service = setting.services.find(({ name }) => name === pod.metadata.labels?.[MARK.service])
  if (!service) return undefined
  const object = {
    kind: 'Pod',
    metadata: pod.metadata,
    spec: { replicas: 1, template: { spec: pod.spec } },
    status: { observedGeneration: pod.metadata.generation ?? 0, updatedReplicas: 1, availableReplicas: 1 },
  }
  return { service, object, pods: [readyBySelf(pod)], old: [] }
}

/** Its gate keeps it from being ready for users; whether it would be is said by its containers. */
function readyBySelf(pod: Pod): Pod {
  const conditions = (pod.status?.conditions ?? []).filter(({ type }) => type !== 'Ready')
  const own = conditions.filter(({ type }) => type === 'ContainersReady').map(condition => ({ ...condition, type: 'Ready' }))
  return { ...pod, status: { ...pod.status, conditions: [...conditions, ...own] } }
}

/** The verdict on a release there; Trouble(8) where the cluster has no place for it, because then nothing was tried. */
export async function verdictAside(
  site: Site,
  run: string,
  { release }: Bundle,
  without: readonly string[],
  since: string,
  doing: Doing,
): Promise<Judged> {
  const look = await lookAside(site, run, doing)
  for (const workload of look.workloads)
    for (const pod of workload.pods) {
      const fault = faultOf(pod, workload, 0, look.nowMs)
      if (fault?.unplaced && look.nowMs - Date.parse(pod.metadata.creationTimestamp ?? '') > PLACE_MS)
        throw new Trouble(8, `The cluster has no place for one more ${workload.service.name}: ${fault.because}`, {
          look: [site.kube.typed('describe', 'pod', pod.metadata.name)],
        })
    }
  return judged(site, look, release, without, since, doing)
}
