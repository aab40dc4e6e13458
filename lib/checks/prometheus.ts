import { plural } from '../plan/durations.ts'
import type { Secret } from '../plan/secrets.ts'
import { type Answer, ask, shown } from './ask.ts'
import type { Check, Look } from './check.ts'
import { addressed } from './http.ts'

/** What a team writes of a Prometheus that watches the stack. */
export type PrometheusOptions = {
  readonly name?: string
  readonly url: string | Secret
  /** Only the targets of these jobs, each of which must have one; all unless said. */
  readonly jobs?: readonly string[]
  /** Only alerts whose labels have these values: `{ stack: 'shop' }`. */
  readonly labels?: Readonly<Record<string, string>>
  /** Alerts that do not count; `Watchdog`, which always fires, unless said. */
  readonly ignore?: readonly string[]
  readonly authorization?: Secret
}

/** The parts of Prometheus's answers that are judged: https://prometheus.io/docs/prometheus/latest/querying/api/ */
export type Target = {
  readonly health: string
  readonly lastError?: string
  readonly scrapeUrl?: string
  readonly labels: Readonly<Record<string, string>>
}
export type Alert = {
  readonly state: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
}

const PATIENCE_MS = 5_000
const MARGIN_MS = 1_000
/** Thousands of targets take some megabytes. */
const BODY_BYTES = 32 * 1024 * 1024
const NAMED = 5

/** What Prometheus says of the stack: targets that are down, alerts that fire. Prometheus itself is only asked: without it nobody can say. */
export function prometheus(options: PrometheusOptions): Check {
  const { name = 'prometheus', authorization, url } = options
  const base = addressed(url)
  const headers = authorization ? { authorization } : {}
  return {
    name,
    kind: 'prometheus',
    limitMs: PATIENCE_MS + MARGIN_MS,
    async look({ signal }) {
      const asked = async <T>(path: string): Promise<T> => {
        const at = new URL(base)
        at.pathname = base.pathname.replace(/\/$/, '') + path.split('?')[0]
        at.search = path.split('?')[1] ?? ''
        return dataOf<T>(at, await ask(at, { headers, ca: undefined, limitMs: PATIENCE_MS, maxBytes: BODY_BYTES, redirects: 0 }, signal))
      }
      const [targets, alerts] = await Promise.all([
        asked<{ activeTargets: Target[] }>('/api/v1/targets?state=active'),
        asked<{ alerts: Alert[] }>('/api/v1/alerts'),
      ])
      return prometheusVerdict(targets.activeTargets, alerts.alerts, options)
    },
  }
}

/** `data` of an answer; throws what the answer was instead. */
function dataOf<T>(url: URL, answer: Answer | Pick<Look, 'is' | 'says'>): T {
  if ('is' in answer) throw new Error(`${shown(url)}: ${answer.says.replace(/^could not look: /, '')}`)
  try {
    const { status, data, error } = JSON.parse(answer.body) as { status?: string; data?: T; error?: string }
    if (answer.status === 200 && status === 'success' && data) return data
    throw new TypeError(error ?? `status ${status}`)
  } catch (error) {
    const why = error instanceof TypeError ? error.message : 'its answer is no JSON'
    throw new Error(`${shown(url)} answered ${answer.status}: ${why}`)
  }
}

/** The verdict on what Prometheus knows. */
export function prometheusVerdict(
  targets: readonly Target[],
  alerts: readonly Alert[],
  { jobs, labels = {}, ignore = ['Watchdog'] }: Pick<PrometheusOptions, 'jobs' | 'labels' | 'ignore'> = {},
): Look {
  const watched = targets.filter(target => jobs === undefined || jobs.includes(target.labels.job ?? ''))
  const down = watched.filter(({ health }) => health === 'down')
  const unwatched = (jobs ?? []).filter(job => !watched.some(target => target.labels.job === job))
  const firing = alerts.filter(
    alert =>
      alert.state === 'firing' &&
      !ignore.includes(alert.labels.alertname ?? '') &&
      Object.entries(labels).every(([key, is]) => alert.labels[key] === is),
  )
  const pending = watched.filter(({ health }) => health === 'unknown').length
  const measured = { targets: watched.length, targetsDown: down.length, targetsNotScrapedYet: pending, alertsFiring: firing.length }
  const bad = [
    ...some(firing.map(alertName), 'alert', 'fires', 'fire'),
    ...some(down.map(targetName), 'target', 'is down', 'are down'),
    ...unwatched.map(job => `the job ${job} has no target`),
    ...(watched.length === 0 && unwatched.length === 0 ? ['it watches nothing: there is no target'] : []),
  ]
  if (bad.length > 0) return { is: 'unhealthy', says: bad.join('; '), measured }
  if (pending === watched.length) return { is: 'unknown', says: `none of ${plural(pending, 'target')} was scraped yet`, measured }
  return { is: 'healthy', says: `${watched.length - pending} of ${plural(watched.length, 'target')} up, no alert fires`, measured }
}

/** `2 alerts fire: A, B`; of many the first few are named. */
function some(names: readonly string[], noun: string, one: string, many: string): string[] {
  if (names.length === 0) return []
  const more = names.length > NAMED ? ` and ${names.length - NAMED} more` : ''
  return [`${plural(names.length, noun)} ${names.length === 1 ? one : many}: ${names.slice(0, NAMED).join(', ')}${more}`]
}

function alertName({ labels, annotations = {} }: Alert): string {
  const about = annotations.summary ?? annotations.description
  return `${labels.alertname ?? 'an alert without a name'}${about ? ` (${about})` : ''}`
}

function targetName({ labels, lastError, scrapeUrl }: Target): string {
  return `${labels.job ?? 'no job'} ${labels.instance ?? scrapeUrl ?? ''}${lastError ? ` (${lastError})` : ''}`
}
