import type { Workload } from './look.ts'
import { type Container, type ContainerStatus, mainOf, type Pod } from './objects.ts'
import { pullFault, pullWords } from './pull.ts'

/**
 * What is wrong with a pod: doomed will not pass by itself, moving may; `container` is the one that its log is wanted of; `unplaced`: no node takes it;
 * `unstarted`: it lacks its image or its settings, so nothing of the release has run yet.
 */
export type Fault = {
  readonly is: 'doomed' | 'struck' | 'moving'
  readonly because: string
  readonly container?: string
  readonly unplaced?: true
  readonly unstarted?: true
}

/** Exits of one container that are enough: once may be a database that was not ready yet. Sidecars and preparations serve nobody, and get more. */
const STRIKES = 2
const SIDECAR_STRIKES = 5
const PREPARING_STRIKES = 3

/** A container that is ready and has run for so long, in milliseconds, has got over what ended it before. */
const RECOVERED_MS = 10_000

/** How long a pod that has no place is not spoken of, in milliseconds. */
const UNPLACED_MS = 5_000

/** Reasons for which the cluster itself takes a pod away; another one comes. */
const TAKEN_AWAY = /^(Evicted|Preempt|NodeLost|NodeShutdown|NodeAffinity|Shutdown|Terminated|UnexpectedAdmissionError|OutOf)/

/** What is wrong with a pod, the worst first; `since` and `now` in milliseconds of the server's clock. */
export function faultOf(pod: Pod, { service, object }: Workload, sinceMs = 0, nowMs = Date.now()): Fault | undefined {
  const { status, spec } = pod
  if (status?.phase === 'Failed' && TAKEN_AWAY.test(status.reason ?? '')) return undefined
  const main = mainOf(spec, service.image)?.name ?? mainOf(object.spec.template.spec, service.image)?.name
  const preparing = (status?.initContainerStatuses ?? []).map(one =>
    ofContainer(one, pod, isSidecar(spec.initContainers, one.name) ? SIDECAR_STRIKES : PREPARING_STRIKES, sinceMs, nowMs),
  )
  const containers = (status?.containerStatuses ?? []).map(one =>
    ofContainer(one, pod, one.name === main ? STRIKES : SIDECAR_STRIKES, sinceMs, nowMs),
  )
  const found = [...preparing, ...containers].filter(fault => fault !== undefined)
  return found.find(({ is }) => is === 'doomed') ?? found.find(({ is }) => is === 'struck') ?? unplaced(pod, nowMs) ?? found[0]
}

const isSidecar = (all: readonly Container[] | undefined, name: string) =>
  all?.some(one => one.name === name && one.restartPolicy === 'Always') ?? false

function unplaced({ status, metadata }: Pod, nowMs: number): Fault | undefined {
  const placed = (status?.conditions ?? []).find(({ type }) => type === 'PodScheduled')
  if (placed?.status !== 'False' || nowMs - Date.parse(metadata.creationTimestamp ?? '') < UNPLACED_MS) return undefined
  return { is: 'moving', unplaced: true, because: `no node has a place for it: ${placed.message ?? placed.reason}` }
}

function ofContainer(one: ContainerStatus, pod: Pod, strikes: number, sinceMs: number, nowMs: number): Fault | undefined {
  const { waiting, running, terminated } = one.state ?? {}
  const container = one.name
  const words = waiting?.message ?? ''
  const fault = (is: Fault['is'], because: string): Fault => ({ is, because, container })
  switch (waiting?.reason) {
    case 'InvalidImageName':
      return { ...fault('doomed', `its image has no valid name: ${words}`), unstarted: true }
    case 'ErrImageNeverPull':
    case 'ErrImagePull':
    case 'ImagePullBackOff':
      return { ...notPulled(one, pod, words, fault), unstarted: true }
    case 'CreateContainerConfigError':
      return { ...fault(/failed to sync .* cache/.test(words) ? 'moving' : 'doomed', `its settings are not there: ${words}`), unstarted: true }
  }
  const last = terminated ?? one.lastState?.terminated
  const exits = exitsOf(one, pod, sinceMs)
  if (!last || exits === 0) return undefined
  if (cannotStart(last.message ?? '') && !running) return fault('doomed', `it cannot be started: ${tail(last.message ?? '')}`)
  const startedMs = Date.parse(running?.startedAt ?? '')
  if (running && one.ready && nowMs - startedMs >= RECOVERED_MS) return undefined
  const allowed = last.exitCode === 0 ? Math.max(strikes, PREPARING_STRIKES) : strikes
  const how = last.reason === 'OOMKilled' ? `killed for want of memory (OOM), exit ${last.exitCode}` : `with exit ${last.exitCode}`
  const which = pod.spec.containers.length > 1 ? `${container} ` : 'it '
  if (exits >= allowed) return fault('struck', `${which}crashed ${exits} times, the last time ${how}`)
  // A sidecar that got up again is its own business.
  return running && strikes === SIDECAR_STRIKES ? undefined : fault('moving', `${which}ended once ${how}${running ? ' and runs again' : ''}`)
}

function notPulled({ image, name }: ContainerStatus, { spec }: Pod, words: string, fault: (is: Fault['is'], because: string) => Fault): Fault {
  const asked = [...spec.containers, ...(spec.initContainers ?? [])].find(one => one.name === name)?.image ?? image
  const kind = pullFault(words)
  if (kind === 'unreachable') return fault('moving', `the image ${asked} has not come yet: ${pullWords(words)}`)
  return fault('doomed', `the image ${asked} is ${kind}: ${pullWords(words)}`)
}

const cannotStart = (words: string) => /exec format error|executable file not found|no such file or directory|exec: .*permission denied/.test(words)
const tail = (words: string) => words.split(': ').slice(-3).join(': ').slice(0, 300)

/** How often a container has ended since a moment. Of a pod that is older only the last end is known. */
export function exitsOf({ restartCount, state, lastState }: ContainerStatus, { metadata }: Pod, sinceMs: number): number {
  const last = state?.terminated ?? lastState?.terminated
  const ended = state?.running === undefined && last !== undefined ? 1 : 0
  // Pods are dated in whole seconds.
  if (Date.parse(metadata.creationTimestamp ?? '') >= Math.floor(sinceMs / 1_000) * 1_000) return restartCount + ended
  if (!last || Date.parse(last.finishedAt ?? '') < sinceMs) return 0
  return 1 + (state?.waiting?.reason === 'CrashLoopBackOff' ? 1 : 0)
}
