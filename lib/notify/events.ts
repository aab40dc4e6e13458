import type { Outcome } from '../plan/journal.ts'
import { EVENTS, type Event, type Severity } from './notify.ts'

/** What the exit of a run means to those who watch. A person at the terminal who cancels (130) has failed at nothing. */
const OF_EXIT: Readonly<Record<number, readonly Event[]>> = {
  4: ['failed', 'undone'],
  5: ['human needed', 'failed'],
  130: ['undone'],
  143: ['failed', 'undone'],
}

/** How an invocation ended, as far as it matters to those who watch. */
export type Ended = {
  readonly outcome: Pick<Outcome, 'exit'>
  /** Given when an unfinished run was settled; taking back and closing are no success of the work itself. */
  readonly settled?: 'resume' | 'revert' | 'close' | undefined
  /** Whether the run before this one, of the same runbook, came to anything but success. */
  readonly failedBefore?: boolean
  /** What the runbook has to add: `shrunk`, `stale`, `unhealthy`. */
  readonly tells?: readonly Event[]
}

const gravestFirst = (events: readonly Event[]) => EVENTS.filter(event => events.includes(event))

/** Everything that is true of an ended run, gravest first. Exits that are not in the table are failures. */
export function eventsOf({ outcome, settled, failedBefore, tells = [] }: Ended): Event[] {
  if (outcome.exit !== 0) return gravestFirst([...(OF_EXIT[outcome.exit] ?? ['failed']), ...tells])
  if (settled === 'revert' || settled === 'close') return ['undone']
  return gravestFirst(['done', ...(failedBefore ? (['recovered'] as const) : []), ...tells])
}

/** Severities by event: first on a protected environment, then elsewhere. */
const SEVERITY: Readonly<Record<Event, readonly [Severity, Severity]>> = {
  'human needed': ['critical', 'warning'],
  failed: ['critical', 'warning'],
  unhealthy: ['critical', 'warning'],
  stale: ['critical', 'warning'],
  shrunk: ['warning', 'warning'],
  undone: ['warning', 'info'],
  recovered: ['info', 'info'],
  done: ['info', 'info'],
  start: ['info', 'info'],
}

/** Another run at work (6) is told, and wakes nobody: the run at work has its own end to tell. */
const BUSY = 6

/** How much an event matters. */
export function severityOf(event: Event, isProtected: boolean, exit = 0): Severity {
  if (exit === BUSY) return 'warning'
  return SEVERITY[event][isProtected ? 0 : 1]
}
