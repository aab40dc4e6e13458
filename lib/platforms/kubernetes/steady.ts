import type { Workload } from './look.ts'
import { mainOf, type Pod } from './objects.ts'

/** How long pods must have been ready, in milliseconds: with a probe, without one, and after an end of one of them. */
const HOLD_MS = 1_000
const STEADY_MS = 2_000
const RECOVERED_MS = 5_000

/** The cluster dates in whole seconds: what is so long ago by its clock may be a second less. */
const WHOLE_MS = 1_000

/** How long a pod may take to become ready before it is spoken of, in milliseconds, while what it comes beside is well. */
const YOUNG_MS = 60_000

/** When each pod was first seen as ready as it is now, in milliseconds of this process, by its uid; `again`: it had been ready before. */
export type Sightings = Map<string, { readonly as: string; readonly firstMs: number; readonly again: boolean }>

const readyOf = (pod: Pod) => (pod.status?.conditions ?? []).find(({ type }) => type === 'Ready')

const hasEnded = ({ status }: Pod) =>
  (status?.containerStatuses ?? []).some(({ lastState, restartCount }) => lastState?.terminated !== undefined || restartCount > 0)

/** How long a pod has been ready at the least: by the cluster's clock, or since it was first seen so from here, which is finer. */
function readyFor(pod: Pod, nowMs: number, sightings: Sightings): number {
  const [uid = '', since = ''] = [pod.metadata.uid, readyOf(pod)?.lastTransitionTime]
  const as = [since, ...(pod.status?.containerStatuses ?? []).map(({ restartCount }) => restartCount)].join()
  const before = sightings.get(uid)
  const seen = before?.as === as ? before : { as, firstMs: performance.now(), again: before !== undefined }
  sightings.set(uid, seen)
  return Math.max(nowMs - Date.parse(since) - WHOLE_MS, performance.now() - seen.firstMs)
}

/** Why pods that are all ready are not trusted yet, and which; undefined once they have been ready for long enough. */
export function unsteady({ object, pods, service }: Workload, nowMs: number, sightings: Sightings): { because: string; waiting: Pod[] } | undefined {
  const probed = mainOf(object.spec.template.spec, service.image)?.readinessProbe !== undefined
  // All of them are looked at, so that all of them are seen.
  const found = pods.map(pod => ({ pod, forMs: readyFor(pod, nowMs, sightings) }))
  const waiting = found.filter(({ pod, forMs }) => forMs < (hasEnded(pod) ? RECOVERED_MS : probed ? HOLD_MS : STEADY_MS))
  if (waiting.length === 0) return undefined
  const least = Math.max(0, Math.min(...waiting.map(({ forMs }) => forMs)))
  return { because: `it has been ready for ${(least / 1_000).toFixed(1)} s`, waiting: waiting.map(({ pod }) => pod) }
}

/**
 * Whether a pod has only just come, and nothing of it has failed: one more because an autoscaler wants it, or one in the place of another that was
 * evicted. It is no sign that what was healthy is so no longer.
 */
export function isNew(pod: Pod, nowMs: number, sightings: Sightings): boolean {
  const seen = sightings.get(pod.metadata.uid ?? '')
  const ready = readyOf(pod)
  if (hasEnded(pod) || nowMs - Date.parse(pod.metadata.creationTimestamp ?? '') > YOUNG_MS) return false
  if (ready?.status === 'True') return seen?.again !== true
  // Until a pod is ready for the first time, its condition dates from its start.
  const fell = Date.parse(ready?.lastTransitionTime ?? '') - Date.parse(pod.status?.startTime ?? '') > WHOLE_MS
  return seen === undefined && !fell
}
