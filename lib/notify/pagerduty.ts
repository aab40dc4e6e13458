import type { Secret } from '../plan/secrets.ts'
import { post } from './http.ts'
import { cut, meansOf, pageOf, titleOf } from './message.ts'
import { isNamed, type Message, type Notifier, type On } from './notify.ts'

/** The Events API v2 of the US region; accounts of the EU region have another host. */
const EVENTS_API = 'https://events.pagerduty.com/v2/enqueue'

/** What PagerDuty takes at most, in characters: https://developer.pagerduty.com/docs/send-alert-event */
const SUMMARY = 1_024
const DEDUP_KEY = 255
/** An event takes 512 kB in all: with these its details stay below. */
const DETAIL = 1_000
const DETAILS = 20

const brief = (lines: readonly string[]) => lines.slice(0, DETAILS).map(line => cut(line, DETAIL))

/** A success that leaves nothing to look at ends the incident of its runbook. */
const isGood = ({ event }: Message) => event === 'done' || event === 'recovered'

/** The event without its routing key: it opens the incident of `stack/environment/runbook`, or resolves it. */
export function pagerdutyPayload(message: Message, action: 'trigger' | 'resolve' = isGood(message) ? 'resolve' : 'trigger'): object {
  const { stack, environment, runbook, run, at, by, severity, outcome, line, key } = message
  const common = { event_action: action, dedup_key: cut(key, DEDUP_KEY) }
  if (action === 'resolve') return common
  const { why = null, stands = [], next = [], look = [], warnings = [] } = outcome ?? {}
  const details = { stands: brief(stands), next: brief(next), look: brief(look), warnings: brief(warnings) }
  return {
    ...common,
    client: 'runbooks',
    payload: {
      summary: cut([titleOf(message), line].filter(Boolean).join(' · '), SUMMARY),
      source: `${stack}/${environment}`,
      severity,
      timestamp: at,
      component: runbook,
      group: stack,
      class: message.event,
      custom_details: { means: meansOf(message), why: why === null ? null : cut(why, DETAIL), ...details, run, by, page: pageOf(message) },
    },
  }
}

/** A service of PagerDuty. A success of the runbook resolves what its failure opened, whether `on` says so or not; resolving nothing is harmless. */
export function pagerduty({ name = 'pagerduty', key, on, url }: { name?: string; key: Secret; on: readonly On[]; url?: string }): Notifier {
  const address = new URL(url ?? EVENTS_API)
  const put = (payload: object, signal: AbortSignal) =>
    post(address, { type: 'application/json', body: JSON.stringify({ routing_key: key.reveal(), ...payload }) }, signal)
  return {
    name,
    kind: 'pagerduty',
    on,
    wants: message => isGood(message) || (message.event !== 'start' && isNamed(on, message)),
    async send(message, signal) {
      await put(pagerdutyPayload(message), signal)
      // A test must not leave an incident open.
      if (message.event === 'test') await put(pagerdutyPayload(message, 'resolve'), signal)
    },
  }
}
