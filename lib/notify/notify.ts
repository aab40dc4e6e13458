import type { Outcome } from '../plan/journal.ts'
import type { Json } from '../plan/plan.ts'

/** What a run can come to, gravest first: a message speaks of the gravest that is true. `recovered` is the first success after a failure. */
export const EVENTS = ['human needed', 'failed', 'unhealthy', 'stale', 'shrunk', 'undone', 'recovered', 'done', 'start'] as const
export type Event = (typeof EVENTS)[number]

/** How much a message matters; follows from the event and from whether the environment is protected. */
export const SEVERITIES = ['critical', 'warning', 'info'] as const
export type Severity = (typeof SEVERITIES)[number]

/** What a channel is told of: events, severities, or both. */
export type On = Event | Severity

/** What a run has to tell. Every text in it is free of known secrets. */
export type Message = {
  /** All that is true, gravest first; empty for a test. */
  readonly events: readonly Event[]
  /** The gravest of them. */
  readonly event: Event | 'test'
  readonly severity: Severity
  readonly stack: string
  readonly environment: string
  readonly runbook: string
  /** The id of the run; null where none was begun. */
  readonly run: string | null
  /** `user@host`. */
  readonly by: string
  /** ISO 8601 in UTC. */
  readonly at: string
  /** What incidents are told apart by: `stack/environment/runbook`. */
  readonly key: string
  /** The last line that the run printed; '' for a start. */
  readonly line: string
  /** Null for a start and for a test. */
  readonly outcome: Outcome | null
  /** Path of report.html on the machine of the run. */
  readonly report: string | null
  /** What the runbook found out, for machines. */
  readonly result: Json
  /** The end of the run's log, at most LOG_BYTES. */
  readonly log: string
}

/** Longest log that goes along, in bytes: what healthchecks.io stores of a ping's body without a paid plan's raise. */
export const LOG_BYTES = 10_000

/** How long a channel may take, in milliseconds, unless it says otherwise: nobody waits longer for a backup's prompt to come back. */
export const LIMIT_MS = 5_000

/** A channel that carries messages. */
export interface Notifier {
  readonly name: string
  readonly kind: string
  readonly on: readonly On[]
  /** Longest time that one message may take, in milliseconds; LIMIT_MS unless said. */
  readonly limitMs?: number
  /** Whether it carries this message; absent = when `on` names one of the events or the severity. */
  wants?(message: Message): boolean
  /** Sends, or throws an Error whose message says why it could not; the message holds no secret. */
  send(message: Message, signal: AbortSignal): Promise<void>
}

/** Whether a channel carries a message. A test goes everywhere. */
export function isWanted(notifier: Notifier, message: Message): boolean {
  if (message.event === 'test') return true
  return notifier.wants?.(message) ?? isNamed(notifier.on, message)
}

/** Whether `on` names one of the events, or the severity, of a message. */
export function isNamed(on: readonly On[], message: Message): boolean {
  return message.events.some(event => on.includes(event)) || on.includes(message.severity)
}
