import { isDeepStrictEqual } from 'node:util'
import { live as liveChildren, stopAll } from '../exec/process.ts'
import { matches } from '../plan/goals.ts'
import type { Fact, Outcome } from '../plan/journal.ts'
import { stepsOf } from '../plan/nodes.ts'
import { type Exit, Trouble, wordOf } from '../plan/outcome.ts'
import type { Gate, Json } from '../plan/plan.ts'
import { redact } from '../plan/secrets.ts'
import { Declined, isDone } from './apply.ts'
import { agreesTo, answerGate } from './consent.ts'
import { type Context, note, record, StepFailed } from './context.ts'
import { gatherEvidence } from './evidence.ts'
import type { Journal } from './journal.ts'
import { acquire, type Lease, LeaseBusy, LeaseLost } from './leases.ts'
import { said } from './perform.ts'
import { cellOf, commandFor, type Session } from './session.ts'
import { clock } from './show/text.ts'
import { Cancelled } from './signals.ts'
import { owed, undoAll } from './undo.ts'
import { isDeadHere } from './unfinished.ts'

/** Between two looks at a lease that somebody else holds. */
const WAIT_LOOK_MS = 1_000

/** Takes the runbook's lease for a run, waiting as long as --wait says and saying who holds it. Trouble(6) when it is not to be had. */
export async function takeLease(session: Session, run: string, name: string = session.definition.lease): Promise<Lease> {
  const until = performance.now() + (session.options.wait ?? 0)
  let told = false
  for (;;) {
    try {
      const pass = process.env.RUNBOOKS_LEASE
      return await acquire(cellOf(session.site, name), { name, run, runbook: session.definition.name, by: session.by, isDead: isDeadHere, pass })
    } catch (error) {
      if (!(error instanceof LeaseBusy)) throw error
      const { runbook, by, run: other } = error.holder
      const holder = `${runbook} (${other}) by ${by.user}@${by.host}, process ${by.pid}`
      if (performance.now() >= until)
        throw new Trouble(6, `Another run holds the lease "${name}" of ${session.subject}: ${holder}`, {
          next: ['wait for it, or run again with --wait=10min'],
        })
      if (!told) session.tell(`Waiting for ${holder}\n`)
      told = true
      await new Promise(resolve => setTimeout(resolve, WAIT_LOOK_MS))
      session.abort.signal.throwIfAborted()
    }
  }
}

/** Takes leases in this order, all or none. */
export async function takeLeases(session: Session, run: string, names: readonly string[]): Promise<readonly Lease[]> {
  const taken: Lease[] = []
  try {
    for (const name of names) {
      const lease = await takeLease(session, run, name)
      lease.keep(error => session.abort.abort(error))
      taken.push(lease)
    }
    return taken
  } catch (error) {
    await letGo(taken)
    throw error
  }
}

/** Lets leases go whose run did not begin, or which were only held besides. */
export async function letGo(leases: readonly Lease[]): Promise<void> {
  for (const lease of leases) await lease.release().catch(() => lease.abandon())
}

/** The engine's view of a run. */
export function contextOf(
  session: Session,
  run: string,
  journal: Journal,
  leases: readonly Lease[],
  showGate: (shows: readonly { state: unknown }[]) => readonly string[],
): Context {
  return {
    run,
    site: session.site,
    verbs: session.verbs,
    journal,
    leases,
    watching: session.watcher,
    signal: session.abort.signal,
    async askGate(gate, shows, signal) {
      await session.watcher.pause()
      const asks = !agreesTo(gate, session.consents)
      if (asks || !session.options.quiet) session.tell([...showGate(shows), ...waiting(session, gate)].map(line => `${line}\n`).join(''))
      try {
        return await answerGate(gate, session.consents, signal)
      } finally {
        session.watcher.resume()
      }
    },
  }
}

/** Since when a gate waits, and what becomes of the run when nobody answers. */
function waiting(session: Session, gate: Gate): string[] {
  if (!session.consents.canAsk || agreesTo(gate, session.consents)) return []
  const at = (time: number) => clock(new Date(time).toISOString(), session.site.timezone)
  const then = gate.unattended === 'undo' ? 'the run is taken back' : 'the run stops where it stands'
  return [`Waiting for you since ${at(Date.now())}; without an answer ${then} at ${at(Date.now() + gate.deadlineMs)}.`, '']
}

/** How the work of a run came out, before it is put into words. */
export type Ending =
  | { readonly how: 'done' }
  | {
      readonly how: 'undone'
      readonly why: string
      readonly look: string | undefined
      /** What whoever knows the cause says to do about it. */
      readonly mend: readonly string[]
      readonly exit: Exit
      readonly undos: number
    }
  | { readonly how: 'stands'; readonly why: string; readonly look?: string | undefined; readonly stands: readonly string[] }

/** Works, and takes everything back when that fails; a lost lease or a gate that says stop leaves things as they stand. */
export async function work(context: Context, doIt: () => Promise<void>): Promise<Ending> {
  try {
    await doIt()
    context.signal.throwIfAborted()
    return { how: 'done' }
  } catch (error) {
    const cause = context.signal.aborted ? context.signal.reason : error
    if (onlyTidiesAreLeft(context, said(cause))) return { how: 'done' }
    if (cause instanceof LeaseLost)
      return { how: 'stands', why: `${cause.message}: whoever holds it now settles this run`, stands: await standing(context) }
    if (cause instanceof Declined && cause.gate.unattended === 'stop' && cause.answer !== 'no')
      return { how: 'stands', why: `${cause.gate.title}: ${cause.message}`, stands: await standing(context) }
    const past = pointOfNoReturn(context)
    if (past) return { how: 'stands', why: `${said(cause)}; ${past}`, look: lookAt(cause), stands: await standing(context) }
    if (cause instanceof Trouble && cause.exit === 5) return { how: 'stands', why: said(cause), stands: await standing(context) }
    return takeBack(context, cause)
  }
}

/** Why the run cannot take itself back any more: a step was done, or may have been, whose undo only a person can decide. */
function pointOfNoReturn({ journal: { entries } }: Context): string | undefined {
  const intents = entries.filter(entry => entry.at === 'intent')
  // Done, and nothing had to change: then there is nothing that could not be taken back.
  const idle = ({ of, before }: { of: string; before: Json }) =>
    entries.some(entry => entry.at === 'verified' && entry.of === of && isDeepStrictEqual(entry.seen, before))
  const past = intents.find(intent => 'none' in intent.undo && intent.undo.person && !matches(intent.goal, intent.before) && !idle(intent))
  return past && 'none' in past.undo ? `${past.title}: ${past.undo.none}` : undefined
}

const mendOf = (cause: unknown) => (cause instanceof StepFailed && cause.cause instanceof Trouble ? cause.cause.next : [])
const lookAt = (cause: unknown) => (cause instanceof StepFailed ? cause.look : undefined)

/** Whether all that the run is for was committed before it was stopped: then it is done, and each tidy step that was not is a warning. */
function onlyTidiesAreLeft({ journal, watching }: Context, why: string): boolean {
  const { entries } = journal
  const planned = entries.find(entry => entry.at === 'planned')
  if (planned?.at !== 'planned' || entries.some(entry => entry.at === 'turned')) return false
  const left = stepsOf(planned.nodes).filter(step => !isDone(entries, step.id))
  const committed = stepsOf(planned.nodes).some(step => step.role === 'commit')
  if (!committed || left.some(step => step.role !== 'tidy')) return false
  try {
    for (const step of left) watching.saw(journal.append({ at: 'warned', of: step.id, why }))
    return true
  } catch {
    return false
  }
}

function exitFor(cause: unknown): Exit {
  if (cause instanceof Cancelled) return cause.by === 'SIGINT' ? 130 : 143
  if (cause instanceof Declined && cause.answer === 'no') return 130
  if (cause instanceof StepFailed && cause.cause instanceof Trouble && cause.cause.exit === 7) return 7
  return 4
}

/** Undoes with a signal of its own: what ended the run must not end its undo. */
export async function takeBack(context: Context, cause: unknown): Promise<Ending> {
  const why = said(cause)
  const look = lookAt(cause)
  const fresh: Context = { ...context, signal: new AbortController().signal }
  try {
    await recordSurely(fresh, { at: 'turned', why, to: 'undo' })
    const undos = await undoAll(fresh, fresh.signal)
    return { how: 'undone', why, look, mend: mendOf(cause), exit: exitFor(cause), undos }
  } catch (error) {
    const second = error instanceof StepFailed ? `${error.step}: ${error.message}` : said(error)
    return { how: 'stands', why: `${why}; then taking it back failed: ${second}`, look, stands: await standing(fresh) }
  }
}

/** Records, and goes on with the undo when only the shared copy cannot be written while the lease is certainly ours. */
async function recordSurely(context: Context, fact: Fact): Promise<void> {
  try {
    await record(context, fact)
  } catch (error) {
    if (error instanceof LeaseLost || !context.leases.every(lease => lease.fresh)) throw error
  }
}

/** What stands where, for every step that was begun and is not back to what it was. */
export async function standing(context: Context): Promise<string[]> {
  const left = new Set(owed(context.journal.entries).map(undo => undo.undoes))
  const rows = await gatherEvidence(context, AbortSignal.timeout(30_000)).catch(() => [])
  return rows
    .filter(row => left.has(row.step.id))
    .map(row =>
      redact(
        `${row.step.title}: was ${short(row.before)}, wanted ${short(row.expected)}, found ${row.verdict === 'could not look' ? `nothing (could not look: ${row.because})` : short(row.observed)}`,
      ),
    )
}

const short = (value: unknown) => {
  const text = JSON.stringify(value)
  return text.length > 120 ? `${text.slice(0, 117)}…` : text
}

/** Leaves at once where nothing was begun. */
export function leaveUntouched(subject: string): never {
  process.stdout.write(`${wordOf(130)} ${subject}: nothing was touched (exit 130)\n`)
  process.exit(130)
}

/** Leaves at once: what a second Ctrl-C asks for. Children are killed, the journal stays as it is, and what stands is said. */
export function leaveNow(session: Session): never {
  const { journal } = session.current
  const children = liveChildren()
  stopAll('SIGKILL')
  if (!journal) leaveUntouched(session.subject)
  const steps = journal ? owed(journal.entries).map(undo => `  not taken back: ${undo.title.replace('Take back: ', '')}`) : []
  const told = [
    'Why     a second Ctrl-C: left at once, without undoing',
    ...(steps.length > 0 ? ['Stands', ...steps] : ['Stands  nothing that this run must take back']),
    ...(children.length > 0 ? [`        ${children.length} of its processes were killed`] : []),
    `Next    ${commandFor(session, session.definition.name, '--revert')}`,
  ]
  process.stderr.write(`\n${told.join('\n')}\n`)
  process.stdout.write(`${wordOf(5)} ${session.subject}: the run was left half-way (exit 5)\n`)
  process.exit(5)
}

/** Journals the end; a full disk must not change what the run came to. */
function writeEnd(context: Context, outcome: Outcome): string | undefined {
  try {
    note(context, { at: 'ended', outcome })
    return undefined
  } catch (error) {
    return said(error)
  }
}

/** Journals the end, settles the shared state, and lets the lease go; what cannot be written is told as a warning. */
export async function close(context: Context, runbook: string, outcome: Outcome): Promise<Outcome> {
  const unwritten = writeEnd(context, outcome)
  const [lease, ...others] = context.leases
  await letGo(others)
  if (unwritten) {
    await lease?.release(outcome.exit === 5 ? undefined : { runbook, outcome, run: context.run }).catch(() => lease.abandon())
    return { ...outcome, warnings: [...(outcome.warnings ?? []), `The end could not be journaled: ${unwritten}`] }
  }
  if (!lease) return outcome
  const settledHere = outcome.exit !== 5
  try {
    await lease.release(settledHere ? { runbook, outcome, run: context.run } : undefined)
    return outcome
  } catch (error) {
    lease.abandon()
    if (error instanceof LeaseLost) return outcome
    return {
      ...outcome,
      warnings: [...(outcome.warnings ?? []), `The lease at ${lease.where} could not be released (${said(error)}); it ends by itself in a minute`],
    }
  }
}
