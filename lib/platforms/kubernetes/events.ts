import type { Doing } from '../../plan/plan.ts'
import { ApiError } from './api.ts'
import type { Workload } from './look.ts'
import { mainOf, type Pod } from './objects.ts'
import type { Site } from './site.ts'

/** What the cluster says that happened. */
export type Event = {
  readonly reason: string
  readonly message: string
  readonly type: string
  readonly count?: number
  readonly atMs: number
  readonly of: string
}

type Raw = {
  readonly reason?: string
  readonly message?: string
  readonly type?: string
  readonly count?: number
  readonly eventTime?: string | null
  readonly lastTimestamp?: string | null
  readonly firstTimestamp?: string | null
  readonly involvedObject: { readonly kind: string; readonly name: string }
}

/** Events are dated in whole seconds, and by clocks of nodes. */
const SLACK_MS = 5_000

/** Lines of a log, and events, that are shown. */
const LINES = 25
const EVENTS = 12

/** An object that events are about. */
export type Involved = { readonly kind: string; readonly name: string }

/** What happened to these objects since a moment, oldest first; nothing where events may not be read. */
export async function eventsOf(site: Site, objects: readonly Involved[], sinceMs: number, doing: Doing): Promise<readonly Event[]> {
  const lists = objects.map(async ({ kind, name }) => {
    // An autoscaler or a service of the same name has its own story.
    const chosen = encodeURIComponent(`involvedObject.kind=${kind},involvedObject.name=${name}`)
    try {
      return (
        await site.kube.api.get<{ readonly items: readonly Raw[] }>(`/api/v1/namespaces/${site.kube.namespace}/events?fieldSelector=${chosen}`, {
          doing,
        })
      ).items
    } catch (error) {
      if (error instanceof ApiError) return []
      throw error
    }
  })
  const all = (await Promise.all(lists))
    .flat()
    .map(({ reason = '', message = '', type = '', count, eventTime, lastTimestamp, firstTimestamp, involvedObject }) => ({
      reason,
      message,
      type,
      ...(count === undefined ? {} : { count }),
      atMs: Date.parse(lastTimestamp ?? eventTime ?? firstTimestamp ?? ''),
      of: `${involvedObject.kind}/${involvedObject.name}`,
    }))
  return all.filter(({ atMs }) => !(atMs < sinceMs - SLACK_MS)).sort((a, b) => a.atMs - b.atMs)
}

/** Why a pull failed, in the words of the event. */
export const pullEvent = (events: readonly Event[]): string | undefined =>
  events.findLast(({ message }) => message.startsWith('Failed to pull image'))?.message

/** The last failure of a probe, with its path. */
export function probeWords(events: readonly Event[], pod: Pod, { service }: Workload): string | undefined {
  const failed = events.findLast(({ reason, of }) => reason === 'Unhealthy' && of === `Pod/${pod.metadata.name}`)
  if (!failed) return undefined
  const kind = (/^(Readiness|Liveness|Startup)/.exec(failed.message)?.[1] ?? 'Readiness').toLowerCase() as 'readiness' | 'liveness' | 'startup'
  const path = mainOf(pod.spec, service.image)?.[`${kind}Probe`]?.httpGet?.path
  return `its ${kind} probe${path ? ` ${path}` : ''} fails: ${failed.message.replace(/^\w+ probe failed: /, '').trim()}`
}

type Told = { readonly title: string; readonly pod?: Pod; readonly container?: string | undefined; readonly workload: Workload }

/** What a person wants to see besides the cause: what happened since the start, and the last words of what died. */
export async function story(site: Site, { title, pod, container, workload }: Told, events: readonly Event[], doing: Doing): Promise<string> {
  const lines = events.slice(-EVENTS).map(({ atMs, reason, message, count, of }) => {
    const at = Number.isNaN(atMs) ? '' : `${new Date(atMs).toISOString().slice(11, 19)}Z`
    return `  ${at} ${of} ${reason}${count && count > 1 ? ` (${count} times)` : ''}: ${message.trim().slice(0, 400)}`
  })
  const name = container ?? mainOf(workload.object.spec.template.spec, workload.service.image)?.name
  const log = pod && name ? await lastLines(site, pod, name, LINES, doing) : ''
  return [
    `${title}${pod ? `, pod ${pod.metadata.name}` : ''}`,
    // Its own last words come first: most often they are the cause.
    ...(log ? [`last lines of ${name}:`, log.replace(/^/gm, '  ')] : []),
    ...(lines.length > 0 ? ['what happened:', ...lines] : []),
  ].join('\n')
}

/** The last lines of the container that died, else of the one that runs. */
export async function lastLines(site: Site, pod: Pod, container: string, lines: number, doing: Doing): Promise<string> {
  const status = (pod.status?.containerStatuses ?? []).find(({ name }) => name === container)
  // While it waits or has ended, its own log is that of what died; once it runs again, that of the one before is wanted.
  const previous = status?.state?.running !== undefined && status.lastState?.terminated !== undefined
  for (const before of previous ? [true, false] : [false, true]) {
    const path = `/api/v1/namespaces/${site.kube.namespace}/pods/${pod.metadata.name}/log?container=${container}&tailLines=${lines}${before ? '&previous=true' : ''}`
    const text = await site.kube.api.text('GET', path, { doing }).then(
      answer => answer.text,
      error => {
        if (error instanceof ApiError) return ''
        throw error
      },
    )
    if (text.trim() !== '') return text.trimEnd()
  }
  return ''
}
