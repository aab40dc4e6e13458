import type { Doing, Seen } from '../../plan/plan.ts'
import { redact } from '../../plan/secrets.ts'
import { type Judged, plain } from '../platform.ts'
import { type Event, eventsOf, probeWords, pullEvent, story } from './events.ts'
import { type Fault, faultOf } from './faults.ts'
import { holds, type Look, lookAt, type Workload, wantedOf } from './look.ts'
import { mainOf, nameOf, type Pod } from './objects.ts'
import { pullFault, pullWords } from './pull.ts'
import { MARK, type Site } from './site.ts'
import { slotState } from './standing.ts'
import { isNew, type Sightings, unsteady } from './steady.ts'

/** What is said of one workload; absent when it is well. */
type Finding = {
  readonly is: 'doomed' | 'moving' | 'noted'
  readonly because: string
  readonly workload: Workload
  readonly pod?: Pod
  readonly container?: string | undefined
  /** Only pods that have just come are not ready: nothing that was healthy has fallen. */
  readonly coming?: boolean
}

/** The verdict on the release that stands. */
export const verdictOn = async (site: Site, release: string, without: readonly string[], since: string, doing: Doing): Promise<Judged> =>
  judged(site, await lookAt(site, doing), release, without, since, doing)

/** The verdict on a release: what dooms it first, then what it waits for. Only pods of the newest revision are looked at. */
export async function judged(site: Site, look: Look, release: string, without: readonly string[], since: string, doing: Doing): Promise<Judged> {
  const state = plain(slotState(look))
  const sinceMs = Date.parse(since)
  const wanted = site.setting.services.filter(({ name }) => !without.includes(name))
  const absent = wanted.find(({ name }) => !look.workloads.some(({ service }) => service.name === name))
  if (absent) return { state, is: 'doomed', because: `${absent.name} of ${release} does not stand: nothing runs it in ${site.kube.namespace}` }
  const asked = look.workloads.filter(({ service }) => !without.includes(service.name))
  const stranger = asked.find(({ object }) => object.metadata.labels?.[MARK.release] !== release)
  if (stranger) {
    const other = stranger.object.metadata.labels?.[MARK.release]
    return { state, is: 'doomed', because: `${stranger.service.name} is ${other ? `of release ${other}` : 'not of any release'}, not of ${release}` }
  }
  const found = asked.flatMap(one => findingOf(one, sinceMs, look.nowMs, site.sightings) ?? [])
  const first = (['doomed', 'moving'] as const).flatMap(is => found.filter(one => one.is === is))[0]
  if (first) {
    const said = await told(site, first, sinceMs, doing)
    const coming = said.is === 'moving' && found.every(one => one.is === 'noted' || one.coming === true)
    return { state, ...said, ...(coming ? { coming } : {}) }
  }
  const notes = found.map(({ because }) => because)
  return { state, is: 'settled', ...(notes.length > 0 ? { because: notes.join('; ') } : {}) }
}

function findingOf(workload: Workload, sinceMs: number, nowMs: number, sightings: Sightings): Finding | undefined {
  const { service, object, pods, old } = workload
  const said = (is: Finding['is'], because: string, more: Partial<Finding> = {}): Finding => ({
    is,
    because: `${service.name}: ${because}`,
    workload,
    ...more,
  })
  if ((object.status?.observedGeneration ?? 0) < (object.metadata.generation ?? 0))
    return said('moving', 'the cluster has not taken the change up yet', { coming: true })
  const wanted = wantedOf(workload)
  const refused = refusedBy(workload, sinceMs)
  if (refused) return said(refused.is, refused.because)
  const faults = pods.flatMap(pod => {
    const fault = faultOf(pod, workload, sinceMs, nowMs)
    return fault ? [{ pod, fault }] : []
  })
  const bad = doomed(workload, wanted, faults)
  if (bad) return said('doomed', bad.fault.because, { pod: bad.pod, container: bad.fault.container })
  const [faulty] = faults
  // That a pod has no place is the cluster's matter: those that had to come have come when it is asked for.
  if (faulty)
    return said('moving', faulty.fault.because, {
      pod: faulty.pod,
      container: faulty.fault.container,
      coming: faults.every(({ fault }) => fault.unplaced === true),
    })
  const ready = pods.filter(pod => holds(pod, 'Ready'))
  const unready = pods.find(pod => !holds(pod, 'Ready'))
  if (ready.length < wanted || !isAvailable(workload)) {
    const coming = pods.every(pod => holds(pod, 'Ready') || isNew(pod, nowMs, sightings))
    return said('moving', `${ready.length} of ${wanted} ready`, { ...(unready ? { pod: unready } : {}), coming })
  }
  if (old.length > 0) return said('moving', `${old.length} of the former release ${old.length === 1 ? 'is' : 'are'} still there`)
  const waits = unsteady(workload, nowMs, sightings)
  if (waits) return said('moving', waits.because, { coming: waits.waiting.every(pod => isNew(pod, nowMs, sightings)) })
  const probed = mainOf(object.spec.template.spec, service.image)?.readinessProbe !== undefined
  return probed ? undefined : said('noted', 'it has no readiness probe; that it runs is all that is known')
}

/** Whether the controller itself counts every new pod as available: this knows of minReadySeconds. */
function isAvailable(workload: Workload): boolean {
  const { kind, status } = workload.object
  const [updated, available] =
    kind === 'DaemonSet' ? [status?.updatedNumberScheduled, status?.numberAvailable] : [status?.updatedReplicas, status?.availableReplicas]
  return Math.min(updated ?? 0, available ?? 0) >= wantedOf(workload)
}

/** What dooms a workload: what no pod of it can get over, or as many pods that crashed twice as must be there at the least. */
function doomed({ object }: Workload, wanted: number, faults: readonly { pod: Pod; fault: Fault }[]) {
  const certain = faults.find(({ fault }) => fault.is === 'doomed')
  const struck = faults.filter(({ fault }) => fault.is === 'struck')
  const enough = object.kind === 'Deployment' ? Math.max(1, mayMiss(object.spec.strategy?.rollingUpdate?.maxUnavailable, wanted)) : 1
  return certain ?? (struck.length >= enough ? struck[0] : undefined)
}

/** `maxUnavailable` in pods; a percentage is rounded down, as the cluster does. */
export function mayMiss(said: number | string | undefined, wanted: number): number {
  if (typeof said === 'number') return said
  return Math.floor((wanted * Number.parseInt(said ?? '25%', 10)) / 100)
}

/** What the cluster refuses to make; quotas free themselves when old pods may go first. */
function refusedBy({ object, set, old }: Workload, sinceMs: number): { is: 'doomed' | 'moving'; because: string } | undefined {
  const failed = [...(set?.status?.conditions ?? [])].find(({ type, status }) => type === 'ReplicaFailure' && status === 'True')
  if (failed && Date.parse(failed.lastTransitionTime ?? '') >= Math.floor(sinceMs / 1_000) * 1_000) {
    const words = (failed.message ?? '').replace(/^pods? "[^"]*" is forbidden: /, '')
    const goes =
      /exceeded quota/.test(words) && old.length > 0 && mayMiss(object.spec.strategy?.rollingUpdate?.maxUnavailable, object.spec.replicas ?? 1) > 0
    const certain = /exceeded quota|violates PodSecurity|admission webhook|denied the request|forbidden|is invalid/.test(failed.message ?? '')
    return { is: certain && !goes ? 'doomed' : 'moving', because: `the cluster refuses its pods: ${words}` }
  }
  const late = (object.status?.conditions ?? []).find(({ type, reason }) => type === 'Progressing' && reason === 'ProgressDeadlineExceeded')
  // A condition of before the apply speaks of the release before.
  if (late && Date.parse(late.lastUpdateTime ?? '') >= sinceMs)
    return { is: 'doomed', because: `the cluster gave up waiting: ${late.message ?? 'ProgressDeadlineExceeded'}` }
  return undefined
}

/** A finding with what only events and logs know. */
async function told(site: Site, found: Finding, sinceMs: number, doing: Doing): Promise<Omit<Seen, 'state'>> {
  const { workload, pod } = found
  const about = [
    ...(pod ? [{ kind: 'Pod', name: pod.metadata.name }] : []),
    ...(workload.set ? [{ kind: 'ReplicaSet', name: workload.set.metadata.name }] : []),
    { kind: workload.object.kind, name: workload.object.metadata.name },
  ]
  const events = await eventsOf(site, about, sinceMs, doing)
  const { is, because } = sharpened(found, events)
  const look =
    is === 'doomed' || found.container ? await story(site, { ...found, title: nameOf(workload.object as never) }, events, doing) : undefined
  return { is, because: redact(because), ...(look ? { look: redact(look) } : {}) }
}

/** Older clusters tell the cause of a failed pull, a missing volume or a failing probe in events alone. */
function sharpened({ is, because, workload, pod, container }: Finding, events: readonly Event[]): { is: 'doomed' | 'moving'; because: string } {
  const name = workload.service.name
  if (is === 'doomed') return { is, because }
  const pull = pullEvent(events)
  if (/has not come yet/.test(because) && pull && pullFault(pull) !== 'unreachable')
    return { is: 'doomed', because: `${name}: the image is ${pullFault(pull)}: ${pullWords(pull)}` }
  const mount = events.find(
    ({ reason, message, count = 1 }) =>
      reason === 'FailedMount' && count >= 2 && /(configmap|secret) ".*" not found|references non-existent/.test(message),
  )
  if (mount) return { is: 'doomed', because: `${name}: ${mount.message}` }
  const refused = events.find(
    ({ reason, message }) => reason === 'FailedCreate' && /exceeded quota|violates PodSecurity|admission webhook|denied the request/.test(message),
  )
  if (refused && pod === undefined && workload.object.kind !== 'Deployment')
    return { is: 'doomed', because: `${name}: the cluster refuses its pods: ${refused.message}` }
  const probe = pod && container === undefined && probeWords(events, pod, workload)
  return { is: 'moving', because: probe ? `${name}: ${probe}` : because }
}
