import { spent } from '../../plan/durations.ts'
import { faultOf } from './faults.ts'
import { holds } from './look.ts'
import type { Condition, Controller, Manifest, Pod } from './objects.ts'

/** A budget for disruptions, an autoscaler, a claim of a volume, a CronJob or a Job, with the fields that are looked at. */
export type Budget = Manifest & {
  readonly status?: {
    readonly disruptionsAllowed?: number
    readonly expectedPods?: number
    readonly currentHealthy?: number
    readonly desiredHealthy?: number
  }
}
export type Autoscaler = Manifest & {
  readonly spec: { readonly maxReplicas: number }
  readonly status?: { readonly currentReplicas?: number; readonly conditions?: readonly Condition[] }
}
export type Claim = Manifest & { readonly status?: { readonly phase?: string } }
export type Periodic = Manifest & {
  readonly spec: { readonly schedule: string; readonly timeZone?: string; readonly suspend?: boolean }
  readonly status?: { readonly lastScheduleTime?: string }
}
export type Ran = Manifest & { readonly status?: { readonly startTime?: string; readonly conditions?: readonly Condition[] } }

/** How long what comes by itself may take, in milliseconds: figures of a young pod, a volume, a run that is due. */
const PATIENCE_MS = 2 * 60_000

/** Share of a volume in use from which on it is nearly full. */
const FULL = 0.9

/** A budget that lets no pod go: whoever drains a node, or makes it new, waits for ever. */
export function budgetFault({ metadata, status }: Budget): string | undefined {
  const { disruptionsAllowed = 0, expectedPods = 0, currentHealthy = 0, desiredHealthy = 0 } = status ?? {}
  if (expectedPods === 0 || disruptionsAllowed > 0) return undefined
  const which = `the budget ${metadata.name} blocks every eviction, so no node can be drained`
  if (currentHealthy < desiredHealthy) return `${which}: ${currentHealthy} of ${expectedPods} pods are healthy, and ${desiredHealthy} must be`
  return `${which}: it wants ${desiredHealthy} healthy pods, and there are ${currentHealthy}`
}

/** An autoscaler that cannot see, or that would make more pods than it may. */
export function autoscalerFault({ metadata, spec, status }: Autoscaler, nowMs: number): string | undefined {
  const found = (type: string, is: string) => (status?.conditions ?? []).find(one => one.type === type && one.status === is)
  const limited = found('ScalingLimited', 'True')
  if (limited?.reason === 'TooManyReplicas')
    return `the autoscaler ${metadata.name} is at its limit: ${status?.currentReplicas ?? 0} of at most ${spec.maxReplicas} pods, and it wants more`
  const blind = found('ScalingActive', 'False') ?? found('AbleToScale', 'False')
  if (!blind || blind.reason === 'ScalingDisabled' || nowMs - Date.parse(blind.lastTransitionTime ?? '') < PATIENCE_MS) return undefined
  return `the autoscaler ${metadata.name} does nothing: ${blind.message ?? blind.reason}`
}

/** A claim whose volume has not come, is gone, or is nearly full; `used` is the share in use, where a node tells. */
export function claimFault({ metadata, status }: Claim, used: number | undefined, nowMs: number): string | undefined {
  if (status?.phase === 'Lost') return `the volume of ${metadata.name} is lost`
  const waitsMs = nowMs - Date.parse(metadata.creationTimestamp ?? '')
  if (status?.phase === 'Pending' && waitsMs > PATIENCE_MS) return `${metadata.name} has waited for a volume for ${spent(waitsMs)}`
  return used !== undefined && used >= FULL ? `the volume of ${metadata.name} is ${Math.round(used * 100)} % full` : undefined
}

/** A CronJob that did not run when it should have (`dueMs`: the last time before now), or whose last run failed. */
export function periodicFault({ metadata, spec, status }: Periodic, runs: readonly Ran[], dueMs: number, nowMs: number): string | undefined {
  const own = runs.filter(one => (one.metadata.ownerReferences ?? []).some(({ uid }) => uid === metadata.uid))
  const last = own.sort((a, b) => Date.parse(b.status?.startTime ?? '') - Date.parse(a.status?.startTime ?? ''))[0]
  const failed = (last?.status?.conditions ?? []).find(({ type, status: is }) => type === 'Failed' && is === 'True')
  if (failed) return `the last run of ${metadata.name} failed: ${failed.message ?? failed.reason}`
  const since = Date.parse(status?.lastScheduleTime ?? metadata.creationTimestamp ?? '')
  if (spec.suspend === true || since >= dueMs || nowMs - dueMs < PATIENCE_MS) return undefined
  return `${metadata.name} did not run at ${new Date(dueMs).toISOString().slice(0, 16)}Z`
}

/** What runs beside the stack's services, such as a database, and has fewer ready pods than it wants. */
export function workloadFault(object: Controller, pods: readonly Pod[], nowMs: number): string | undefined {
  const { metadata, spec, status, kind } = object
  const wanted = kind === 'DaemonSet' ? (status?.desiredNumberScheduled ?? 0) : (spec.replicas ?? 1)
  const own = pods.filter(pod => isOf(pod, object))
  const ready = own.filter(pod => holds(pod, 'Ready')).length
  if (ready >= wanted) return undefined
  const service = { name: metadata.name, image: '', traffic: 'none', twice: 'allowed' } as const
  const because = own.map(pod => faultOf(pod, { service, object, pods: own, old: [] }, 0, nowMs)?.because).find(Boolean)
  return `${kind} ${metadata.name}: ${ready} of ${wanted} pods are ready${because ? `, ${because}` : ''}`
}

/** By the labels that its selector asks for: a Deployment owns its pods through a ReplicaSet. */
function isOf({ metadata }: Pod, { spec }: Controller): boolean {
  const wanted = Object.entries((spec.selector as { matchLabels?: Record<string, string> } | undefined)?.matchLabels ?? {})
  return wanted.length > 0 && wanted.every(([name, value]) => metadata.labels?.[name] === value)
}
