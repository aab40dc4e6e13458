import { hostname } from 'node:os'
import { isDeepStrictEqual } from 'node:util'
import { clearScratch } from '../backups/scratch.ts'
import { endSurvivors, survivors } from '../exec/survivors.ts'
import { plural, spent } from '../plan/durations.ts'
import type { Outcome } from '../plan/journal.ts'
import { canonical } from '../plan/nodes.ts'
import { Trouble } from '../plan/outcome.ts'
import type { Json } from '../plan/plan.ts'
import { close, contextOf, type Ending, letGo, takeLeases, work } from './carry.ts'
import { type Context, record } from './context.ts'
import { committed, doneOutcome, failedOutcome, resultsOf } from './ends.ts'
import { type Evidence, gatherEvidence, wasTurning } from './evidence.ts'
import type { Journal } from './journal.ts'
import type { Lease } from './leases.ts'
import type { Options, Values } from './options.ts'
import { namedRun } from './prepare.ts'
import { atOf, commandFor, looking, type Session, targetOf } from './session.ts'
import { resume, settledEvidence } from './settle.ts'
import { table } from './show/table.ts'
import { owed, undoAll } from './undo.ts'
import { reopened, type Unfinished } from './unfinished.ts'

/** What may be done with an unfinished run. */
export type How = 'resume' | 'revert' | 'close'

/** A configuration that now aims elsewhere must not have old undos aimed at it. */
function sameTarget(session: Session, run: Unfinished): void {
  const now = targetOf(session.site, session.definition.lease)
  if (!isDeepStrictEqual(JSON.parse(canonical(now)), JSON.parse(canonical(run.planned.target)))) {
    throw new Trouble(3, `The stack file aims elsewhere now than when ${run.planned.run} began`, {
      look: [`then: ${JSON.stringify(run.planned.target)}`, `now:  ${JSON.stringify(now)}`],
    })
  }
}

/** The table that is shown before anything moves; what had not begun is one line, so that the rest fits on a screen. */
function evidenceTable(rows: readonly Evidence[]): string[] {
  const columns = ['step', 'before', 'expected', 'observed', 'verdict'].map(title => ({ title }))
  const begun = rows.filter(row => row.verdict !== 'not started')
  const rest = rows.length - begun.length
  const lines = begun.map(row => [row.step.title, ...statesOf(row), row.because ? `${row.verdict}: ${row.because}` : row.verdict])
  return table(columns, rest > 0 ? [...lines, [plural(rest, 'more step'), '–', '–', '–', 'not started']] : lines, { indent: 2 })
}

/** Before, expected and observed; of a step that only looks there is nothing to compare. */
function statesOf({ before, expected, observed }: Evidence): string[] {
  return before === null ? ['–', '–', '–'] : [before, expected as Json, observed].map(inWords)
}

/** A state for people: `live 1, beside 0`. What a goal leaves to be measured has no figure yet. */
function inWords(state: Json): string {
  if (state === null) return '–'
  if (typeof state !== 'object') return String(state)
  if (Array.isArray(state)) return state.length === 0 ? 'none' : state.map(inWords).join(', ')
  const fields = Object.entries(state)
  const [[only, value] = []] = fields
  if (only === 'measured') return 'as measured'
  if (only === 'atLeast') return `${inWords(value ?? null)} or more`
  const words = fields.map(([name, field]) => [name, inWords(field)] as const)
  if (words.length > 0 && words.every(([, word]) => word === 'as measured')) return 'as measured'
  return words.map(([name, word]) => `${name} ${word}`).join(', ') || '–'
}

/** The platform, for a run that works on it: elsewhere no connection is made for nothing. */
const platformOf = ({ definition, site }: Session) => (definition.lease === 'release' ? site.platform : undefined)

/** Says who died where, what is still alive, and how every step stands; changes nothing. */
export async function showUnfinished(session: Session, run: Unfinished): Promise<readonly Evidence[]> {
  const { planned } = run
  const silent = spent(Date.now() - Date.parse(run.entries.at(-1)?.t ?? planned.t))
  const left = [...(await survivors(planned.run)), ...((await platformOf(session)?.survivors?.(planned.run, looking(session, planned.run))) ?? [])]
  const elsewhere = planned.by.host === hostname() ? '' : `; ${planned.by.host} was not looked at`
  const context = contextOf(session, planned.run, scratchJournal(run), [], () => [])
  const rows = await gatherEvidence(context, session.abort.signal)
  const lines = [
    `Unfinished: ${planned.runbook} (${planned.run}), started by ${planned.by.user}@${planned.by.host}, silent for ${silent}.`,
    `Survivors: ${left.length === 0 ? `none on ${hostname()}` : left.map(one => `process ${one.pid} (${one.prints})`).join(', ')}${elsewhere}.`,
    ...evidenceTable(rows),
    '',
  ]
  session.tell(lines.map(line => `${line}\n`).join(''))
  return rows
}

/** A journal that can be read but is never written, for looking only. */
function scratchJournal(run: Unfinished): Journal {
  return { folder: run.folder, entries: [...run.entries], append: () => run.planned, close: () => undefined } as unknown as Journal
}

/** Settles an unfinished run under the lease, by going on, by taking it back, or on a person's word; `unattended` may take back the run of another runbook. */
export async function settleRun(session: Session, run: Unfinished, how: How, unattended = false): Promise<{ outcome: Outcome; context: Context }> {
  if (run.planned.runbook !== session.definition.name && !unattended) {
    throw new Trouble(3, `${run.planned.run} is a run of ${run.planned.runbook}`, { next: [commandFor(session, run.planned.runbook, `--${how}`)] })
  }
  if (how !== 'close') sameTarget(session, run)
  if (how === 'resume' && wasTurning(run.entries)) {
    throw new Trouble(3, `${run.planned.run} was already being taken back`, { next: [commandFor(session, run.planned.runbook, '--revert')] })
  }
  const leases = await takeLeases(session, run.planned.run, [session.definition.lease, ...(run.planned.holds ?? [])])
  const context = await takenUp(session, run, how, leases).catch(async error => {
    await letGo(leases)
    throw error
  })
  const ending = how === 'close' ? undefined : await work(context, () => (how === 'resume' ? goOn(context) : goBack(context)))
  const outcome = await settledOutcome(session, context, run, how, ending)
  return { outcome: await close(context, run.planned.runbook, outcome), context }
}

/** The run's journal under the lease, with nothing of the run alive on this machine any more. */
async function takenUp(session: Session, run: Unfinished, how: How, leases: readonly Lease[]): Promise<Context> {
  const journal = await reopened(session, run)
  if (how === 'resume' && wasTurning(journal.entries)) throw new Trouble(3, `${run.planned.run} is being taken back meanwhile`)
  session.current.journal = journal
  const { gate } = session.definition
  const context = contextOf(session, run.planned.run, journal, leases, shows => gate?.(shows as never, session.use) ?? [])
  for (const entry of journal.entries) session.watcher.saw(entry)
  await record(context, { at: 'settling', by: session.by, how })
  if (how !== 'close') {
    await endSurvivors(run.planned.run)
    await platformOf(session)?.endSurvivors?.(run.planned.run, looking(session, run.planned.run))
    await clearScratch(session.site, run.planned.run, looking(session, run.planned.run))
  }
  return context
}

const goOn = (context: Context) => resume(context, context.signal)

async function goBack(context: Context): Promise<void> {
  await settledEvidence(context, context.signal)
  if (!wasTurning(context.journal.entries)) await record(context, { at: 'turned', why: 'reverted by an operator', to: 'undo' })
  await undoAll(context, context.signal)
}

async function settledOutcome(session: Session, context: Context, run: Unfinished, how: How, ending: Ending | undefined): Promise<Outcome> {
  const { definition } = session
  if (!ending)
    return doneOutcome({
      word: 'CLOSED',
      says: `${run.planned.run} is closed on your word`,
      stands: owed(context.journal.entries).map(undo => `not taken back by this toolkit: ${undo.title.replace('Take back: ', '')}`),
    })
  if (how === 'revert' && ending.how === 'done') {
    const stays = committed(context)
    const what = stays.length > 0 ? ' as far as it can be' : ''
    return doneOutcome({ says: `${run.planned.run} is taken back${what}`, word: 'REVERTED', stands: stays })
  }
  // JSON has no undefined, which is what an option that was not given is.
  const options = Object.fromEntries(Object.entries(run.planned.options ?? {}).map(([key, value]) => [key, value ?? undefined]))
  const at = atOf(session, namedRun(run.planned.run), options as unknown as Values<Options>)
  const facts = await definition.inspect(at).catch(() => undefined)
  if (ending.how !== 'done')
    return failedOutcome(
      session,
      ending,
      facts === undefined ? 'it was taken back' : (definition.unchanged?.({ ...at, facts, results: resultsOf(context) }) ?? 'it was taken back'),
      context,
    )
  if (facts === undefined) return doneOutcome({ says: `${run.planned.run} is finished` }, context)
  return doneOutcome(await definition.ends({ ...at, facts, results: resultsOf(context) }), context)
}
