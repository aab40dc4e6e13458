import { Trouble } from '../../../plan/outcome.ts'
import type { Doing } from '../../../plan/plan.ts'
import type { Bundle, Judged } from '../../platform.ts'
import { faultOf } from '../faults.ts'
import type { Look, Workload } from '../look.ts'
import type { Pod } from '../objects.ts'
import { MARK, type Site } from '../site.ts'
import { judged } from '../verdict.ts'
import { asideName, HOSTNAME } from './pods.ts'
import { podsOf } from './things.ts'

/** How long the cluster may take to bring a pod to its start, in milliseconds: that it cannot says nothing of the release. */
const START_MS = 60_000

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

/** The verdict on a release there; Trouble(8) where the cluster did not let it run, because then nothing was tried. */
export async function verdictAside(
  site: Site,
  run: string,
  bundle: Bundle,
  without: readonly string[],
  since: string,
  doing: Doing,
): Promise<Judged> {
  const look = await lookAside(site, run, doing)
  const unjudged = whyUnjudged(
    look,
    Object.keys(bundle.services).filter(name => !without.includes(name)),
  )
  if (unjudged) {
    const { name, because, pod } = unjudged
    throw new Trouble(8, `The cluster did not let ${name} run beside what serves, so nothing was judged: ${because}`, {
      look: [site.kube.typed('describe', 'pod', pod ?? asideName(name, run, HOSTNAME))],
    })
  }
  return judged(site, look, bundle.release, without, since, doing)
}

/** What kept a service from running that is no fault of its release. */
export function whyUnjudged(
  { workloads, nowMs }: Look,
  wanted: readonly string[],
): { readonly name: string; readonly because: string; readonly pod?: string } | undefined {
  const gone = wanted.find(name => !workloads.some(({ service }) => service.name === name))
  if (gone) return { name: gone, because: 'somebody removed its pod' }
  for (const workload of workloads)
    for (const pod of workload.pods) {
      const { phase, reason, message } = pod.status ?? {}
      const of = { name: workload.service.name, pod: pod.metadata.name }
      const fault = faultOf(pod, workload, 0, nowMs)
      if (phase === 'Failed' && !fault) return { ...of, because: `its pod was taken away (${reason}): ${message ?? ''}` }
      const late = nowMs - Date.parse(pod.metadata.creationTimestamp ?? '') > START_MS
      if (fault?.unstarted && (late || fault.is === 'doomed')) return { ...of, because: fault.because }
      if (fault?.unplaced && late) return { ...of, because: fault.because }
    }
  return undefined
}
