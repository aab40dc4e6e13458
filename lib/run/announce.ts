import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { writeMetrics } from '../backups/metrics.ts'
import { user } from '../exec/survivors.ts'
import { eventsOf, severityOf } from '../notify/events.ts'
import { sendable } from '../notify/message.ts'
import { type Event, LIMIT_MS, type Message } from '../notify/notify.ts'
import { type Told, tellAll, untold } from '../notify/tell.ts'
import { ms } from '../plan/durations.ts'
import type { Outcome } from '../plan/journal.ts'
import type { StackDescription } from '../stack/describe.ts'
import type { Audience } from '../stack/load.ts'
import { readJournal } from './journal.ts'
import { failedBefore, remember, turned } from './leases.ts'
import type { Common, Options, Values } from './options.ts'
import { said } from './perform.ts'
import { nameRun } from './prepare.ts'
import type { How } from './recover.ts'
import type { Definition, End } from './runbook.ts'
import { cellOf, type Session } from './session.ts'
import { explanation, lastLine } from './show/outcome.ts'
import { plainLog } from './show/plain-log.ts'
import { plain } from './show/style.ts'

/** What an invocation came to, with what its last words need. */
export type Came = { readonly outcome: Outcome; readonly end?: End; readonly run?: string; readonly folder?: string; readonly settled?: How }

/** Tells those who watch a stack of one invocation. A channel that is down never changes what the run comes to: it becomes a warning. */
export type Announcer = {
  /** The work begins; does not wait for anybody. */
  start(run: string): void
  /** Everything is over: tells it, writes the metrics, and resolves to warnings. `cut` ends the waiting. Session absent = it could not be opened. */
  end(came: Came, session: Session | undefined, cut: AbortSignal): Promise<readonly string[]>
  tryChannels(): Promise<readonly Told[]>
}

/** What is known when the stack is. `attended`: a person sits at the terminal. */
type About = {
  readonly definition: Definition<Options, unknown>
  readonly options: Values<Options> & Common
  readonly stack: StackDescription
  readonly environment: string
  readonly attended: boolean
  readonly audience: Audience
}

type Began = { readonly run: string; readonly atMs: number; readonly mark: number }

/** The announcer of one invocation. */
export function announce(about: About): Announcer {
  const { notifiers } = about.audience
  const never = new AbortController().signal
  let began: Began | undefined
  let started: Promise<Told[]> = Promise.resolve([])

  async function end(came: Came, session: Session | undefined, cut: AbortSignal): Promise<readonly string[]> {
    const run = came.run ?? began?.run
    if (!isTold(about, run)) return []
    const events = eventsNow(about, came, await askShared(session, run, came))
    // An end that overtakes its start would leave the run going on for ever at the other side.
    const first = await started
    const told = events.length > 0 ? await tellAll(notifiers, messageOf(about, events, { ...came, ...(run ? { run } : {}) }), cut) : []
    return [...untold([...first, ...told]), ...(await measure(about, came, began))]
  }

  return {
    start(run) {
      began = { run, atMs: Date.now(), mark: performance.now() }
      started = Promise.try(() => tellAll(notifiers, messageOf(about, ['start'], { run }), never, LIMIT_MS)).catch(() => [])
    },
    // Whatever goes wrong here, the outcome is known and is to be said.
    end: (came, session, cut) => end(came, session, cut).catch(error => [`Nobody could be told: ${said(error)}`]),
    tryChannels: () => tellAll(notifiers, messageOf(about, [], {}), never),
  }
}

/**
 * Runs that change something are told of, and lookers that ask for it; never dry runs. What was refused before it began is told when nobody sat
 * there to see it: a scheduled backup that cannot begin is as bad as one that fails.
 */
function isTold({ definition, options, attended }: About, run: string | undefined): boolean {
  if (options.dryRun || options.showConfig) return false
  if (!definition.plan) return definition.told?.(options) ?? false
  return run !== undefined || !attended
}

function eventsNow({ definition }: About, came: Came, failedBefore: boolean): readonly Event[] {
  // A looker tells only what it was asked to watch for; that it could not look is a failure of the watch.
  if (!definition.plan) return came.end ? [...(came.end.tells ?? []), ...(failedBefore ? (['recovered'] as const) : [])] : ['failed']
  return eventsOf({ outcome: came.outcome, settled: came.settled, failedBefore, tells: came.end?.tells ?? [] })
}

/** Whether the run before this one failed, by the shared state, which is told of a refusal: that leaves no other trace. A store that does not answer delays the end by LIMIT_MS at most. */
async function askShared(session: Session | undefined, run: string | undefined, { outcome }: Came): Promise<boolean> {
  const { definition, site } = session ?? {}
  if (!site || !definition || (definition.plan ? definition.lease === 'none' : definition.endedBy !== undefined)) return false
  const asked = async () => {
    if (!definition.plan) return turned(cellOf(site, definition.name), { run: nameRun(definition.name).id, runbook: definition.name, outcome })
    const cell = cellOf(site, definition.lease)
    // An unfinished run (5) is remembered by whoever settles it.
    if (run === undefined && outcome.exit !== 0 && outcome.exit !== 5)
      await remember(cell, { run: nameRun(definition.name).id, runbook: definition.name, outcome })
    return outcome.exit === 0 && (await failedBefore(cell, definition.name, run))
  }
  const limit = new AbortController()
  try {
    return await Promise.race([asked(), pause(LIMIT_MS, false, { signal: limit.signal })])
  } catch {
    // That the store does not answer is in the outcome already, where it matters; here it only costs the word "recovered".
    return false
  } finally {
    limit.abort()
  }
}

/** The metrics of a run; settling an earlier run is no run of its own. */
async function measure({ definition, stack, environment, audience }: About, came: Came, began: Began | undefined): Promise<string[]> {
  if (audience.metrics === undefined || !definition.plan || came.settled === 'revert' || came.settled === 'close') return []
  const objective = stack.backups?.objectives?.dataLoss
  try {
    await writeMetrics(audience.metrics, {
      stack: stack.name,
      environment,
      runbook: definition.name,
      exit: came.outcome.exit,
      endedMs: Date.now(),
      ...(began ? { began: { atMs: began.atMs, tookMs: Math.round(performance.now() - began.mark) } } : {}),
      ...(objective ? { dataLossMs: ms(objective) } : {}),
      result: came.end?.result ?? null,
    })
    return []
  } catch (error) {
    return [`The metrics could not be written: ${said(error)}`]
  }
}

/** A message of this invocation; without events it is a test. */
function messageOf({ definition, stack, environment }: About, events: readonly Event[], came: Partial<Came>): Message {
  const isProtected = stack.environments[environment]?.protected === true
  const [event] = events
  const { outcome = null, folder } = came
  const subject = `${stack.name}/${environment}`
  const runbook = definition.name
  return sendable({
    events,
    event: event ?? 'test',
    severity: event ? severityOf(event, isProtected, outcome?.exit) : 'info',
    stack: stack.name,
    environment,
    runbook,
    run: came.run ?? null,
    by: `${user()}@${hostname()}`,
    at: new Date().toISOString(),
    key: `${subject}/${definition.endedBy ?? runbook}`,
    line: outcome ? lastLine(outcome, { subject, timezone: stack.timezone }) : '',
    outcome,
    report: folder ? join(folder, 'report.html') : null,
    result: came.end?.result ?? null,
    log: outcome ? logOf(outcome, folder, subject, stack.timezone) : '',
  })
}

/** Lines are not broken in a log. */
const UNBROKEN = 10_000

/** The run's log as cron would have it, with its last words. */
function logOf(outcome: Outcome, folder: string | undefined, subject: string, timezone: string): string {
  let log = ''
  try {
    const watcher = plainLog(text => {
      log += text
    })
    for (const entry of folder ? readJournal(folder) : []) watcher.saw(entry)
  } catch (error) {
    log += `The journal could not be read: ${said(error)}\n`
  }
  const last = [...explanation(outcome, undefined, UNBROKEN, plain), lastLine(outcome, { subject, timezone })]
  return `${log}${last.join('\n')}\n`
}
