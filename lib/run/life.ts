import { join } from 'node:path'
import type { Outcome } from '../plan/journal.ts'
import { stepsOf } from '../plan/nodes.ts'
import { Trouble } from '../plan/outcome.ts'
import type { Json } from '../plan/plan.ts'
import type { Announcer, Came } from './announce.ts'
import { apply } from './apply.ts'
import { close, contextOf, leaveNow, leaveUntouched, letGo, takeLeases, work } from './carry.ts'
import { confirmPlan, mustConsent } from './consent.ts'
import { type Context, note, record } from './context.ts'
import { doneOutcome, failedOutcome, refusedOutcome, resultsOf } from './ends.ts'
import { Journal } from './journal.ts'
import type { Lease } from './leases.ts'
import type { From, Options } from './options.ts'
import { said } from './perform.ts'
import { dangers, drift, nameRun, type Prepared, prepare, shownPlan } from './prepare.ts'
import { pruneRuns } from './prune.ts'
import { writeReport } from './report/write.ts'
import type { Definition, End, RunName } from './runbook.ts'
import { atOf, commandAgain, commandFor, commandLine, type Session, targetOf } from './session.ts'
import { settleFirst } from './settle-first.ts'
import { type About, printOutcome } from './show/outcome.ts'
import { printPlan } from './show/plan.ts'
import { styleFor, widthOf } from './show/style.ts'
import { Cancelled, onSignals } from './signals.ts'
import { fillIn, openSession, showConfig } from './start.ts'
import { findUnfinished, runFolder } from './unfinished.ts'

/** The whole life of an invocation; resolves to its exit code once everything is said. */
export async function live(definition: Definition<Options, unknown>, given: Record<string, From>, argv: readonly string[]): Promise<number> {
  let session: Session | undefined
  let announcer: Announcer | undefined
  const telling = new AbortController()
  let over = false
  const abort = onSignals(() => (over ? telling.abort() : session ? leaveNow(session) : leaveUntouched(definition.name)))
  let came: Came
  try {
    session = await openSession(definition, given, argv, abort, made => {
      announcer = made
    })
    came = session ? await go(session) : { outcome: refusedOutcome(new Cancelled('SIGINT'), false) }
  } catch (error) {
    came = { outcome: refusedOutcome(abort.signal.aborted ? abort.signal.reason : error, definition.check === true) }
  }
  await session?.watcher.end()
  // From here on a signal only ends the waiting for those who are told: what the run came to stands.
  over = true
  if (!abort.signal.aborted) abort.signal.addEventListener('abort', () => telling.abort())
  const untold = (await announcer?.end(came, session, telling.signal)) ?? []
  await session?.site.platform?.close?.().catch(() => undefined)
  say(definition, given, session, { ...came, outcome: withWarnings(came.outcome, untold) })
  return came.outcome.exit
}

const withWarnings = (outcome: Outcome, more: readonly string[]): Outcome =>
  more.length > 0 ? { ...outcome, warnings: [...(outcome.warnings ?? []), ...more] } : outcome

async function go(session: Session): Promise<Came> {
  const { definition, options } = session
  if (options.showConfig) return showConfig(session)
  if (definition.plan && definition.lease !== 'none') {
    const settled = await settleFirst(session)
    if (settled) return settled
  }
  const filled = await fillIn(session)
  return filled.definition.plan ? change(filled) : look(filled)
}

/** A runbook without a plan: it looks and says. */
async function look(session: Session): Promise<Came> {
  const at = atOf(session, nameRun(session.definition.name))
  const facts = await session.definition.inspect(at)
  const end = await session.definition.ends({ ...at, facts, results: { get: () => null, back: () => null, warned: () => false } })
  return { outcome: doneOutcome(end), end }
}

/** A runbook with a plan, from looking to its end. */
async function change(session: Session): Promise<Came> {
  const { definition, options, verbs, consents } = session
  const run = nameRun(definition.name)
  const at = atOf(session, run)
  const prepared = await prepare(definition, at, verbs)
  const danger = dangers(prepared.nodes, verbs)
  const style = styleFor(process.stderr, process.env)
  // A plan without steps changes nothing, so that there is nothing to agree to.
  if (!options.dryRun && prepared.nodes.length > 0) mustConsent(consents, danger)
  const before = definition.shows?.({ ...at, facts: prepared.facts }) ?? []
  const shown = [
    ...before.map(line => `${line}\n`),
    printPlan(shownPlan(prepared, verbs, session.site), { width: widthOf(process.stderr), style, dry: options.dryRun || options.verbose }),
  ].join('')
  if (options.dryRun)
    return {
      outcome: doneOutcome({ says: `a dry run of ${stepsOf(prepared.nodes).length} steps; nothing was touched` }),
      end: { says: '', summary: shown.trimEnd().split('\n'), result: prepared.nodes as unknown as Json },
    }
  if (!options.quiet) session.tell(shown)
  if (prepared.nodes.length === 0) {
    const end = await definition.ends({ ...at, facts: prepared.facts, results: { get: () => null, back: () => null, warned: () => false } })
    return { outcome: doneOutcome(end), end }
  }
  if (!(await confirmPlan(consents, danger, stepsOf(prepared.nodes).length, definition.changes))) {
    throw session.abort.signal.aborted ? session.abort.signal.reason : new Trouble(3, 'Declined before anything was done')
  }
  return carryOut(session, run, prepared)
}

/** Plans again under the lease, compares, and opens the journal; throws with nothing touched. */
async function begin(
  session: Session,
  run: RunName,
  confirmed: Prepared<unknown>,
  leases: readonly Lease[],
): Promise<{ prepared: Prepared<unknown>; context: Context }> {
  const { definition, site } = session
  // Whoever held the lease while this run waited may have died with its work half-done.
  const [left] = await findUnfinished(session, definition.lease)
  if (left) throw new Trouble(5, `${left.planned.run} died unfinished meanwhile`, { next: [commandFor(session, left.planned.runbook)] })
  const prepared = await prepare(definition, atOf(session, run), session.verbs)
  const differences = drift(confirmed, prepared)
  if (differences.length > 0)
    throw new Trouble(3, `The world changed since the plan was shown:\n${differences.join('\n')}`, {
      next: ['run it again and look at the new plan'],
    })
  session.abort.signal.throwIfAborted()
  const journal = openJournal(runFolder(session.home, run.id, site.stack, site.environment))
  const context = contextOf(session, run.id, journal, leases, shows => definition.gate?.(shows as never, session.use) ?? [])
  for (const { name, token } of leases) note(context, { at: 'leased', lease: name, token })
  await record(context, plannedFact(session, run, prepared))
  session.current.journal = journal
  session.announcer.start(run.id)
  return { prepared, context }
}

function openJournal(folder: string): Journal {
  try {
    return Journal.create(folder)
  } catch (cause) {
    throw new Trouble(3, `The journal ${folder} cannot be made: ${said(cause)}`, {
      cause,
      next: ['set RUNBOOKS_HOME to a folder that can be written'],
    })
  }
}

/** A summary that cannot be made must not change what the run came to. */
async function lastWords(definition: Session['definition'], about: Parameters<Session['definition']['ends']>[0]): Promise<End> {
  try {
    return await definition.ends(about)
  } catch (error) {
    return { says: 'every step is done and verified', warnings: [`The summary could not be made: ${said(error)}`] }
  }
}

async function carryOut(session: Session, run: RunName, confirmed: Prepared<unknown>): Promise<Came> {
  const { definition } = session
  await definition.ground?.({ ...atOf(session, run), facts: confirmed.facts })
  const leases = await takeLeases(session, run.id, [definition.lease, ...held(session, run, confirmed.facts)])
  const { prepared, context } = await begin(session, run, confirmed, leases).catch(async error => {
    await letGo(leases)
    throw error
  })
  const { folder } = context.journal
  const ending = await work(context, () => apply(context, prepared.nodes, context.signal))
  const at = { ...atOf(session, run), facts: prepared.facts }
  const end = ending.how === 'done' ? await lastWords(definition, { ...at, results: resultsOf(context) }) : undefined
  const outcome = end
    ? doneOutcome(end, context)
    : failedOutcome(
        session,
        ending as Exclude<typeof ending, { how: 'done' }>,
        definition.unchanged?.({ ...at, results: resultsOf(context) }) ?? 'nothing of this run is left',
        context,
        { 4: [`${commandAgain(session)}   # once that is mended`], 7: definition.damaged?.(at) },
      )
  const closed = await close(context, definition.name, outcome)
  await writeReport(session, context)
  pruneRuns(session.home)
  return { outcome: closed, run: run.id, folder, ...(end ? { end } : {}) }
}

const held = (session: Session, run: RunName, facts: unknown) => session.definition.holds?.({ ...atOf(session, run), facts }) ?? []

function plannedFact(session: Session, run: RunName, { facts, nodes, hash }: Prepared<unknown>) {
  const { definition, site, by } = session
  const own = Object.fromEntries(Object.keys(definition.options).map(key => [key, session.options[key] ?? null])) as { [key: string]: Json }
  const settled = definition.settled?.({ ...atOf(session, run), facts }) ?? {}
  return {
    at: 'planned',
    run: run.id,
    runbook: definition.name,
    stack: site.stack,
    environment: site.environment,
    command: commandLine(session),
    options: { ...own, ...settled },
    by,
    target: targetOf(site, definition.lease),
    nodes,
    hash,
    leases: [definition.lease],
    holds: held(session, run, facts),
  } as const
}

function say(definition: Definition<Options, unknown>, given: Record<string, From>, session: Session | undefined, came: Came): void {
  const report = came.folder ? { report: join(came.folder, 'report.html') } : {}
  const about: About = {
    subject: session?.subject ?? definition.name,
    runbook: definition.name,
    timezone: session?.site.timezone ?? 'UTC',
    ...(came.run ? { run: came.run } : {}),
    ...report,
    ...(came.end?.summary ? { summary: came.end.summary } : {}),
    ...(came.end?.result !== undefined ? { result: came.end.result } : {}),
  }
  const printing = {
    json: given.json?.value === true,
    quiet: given.quiet?.value === true,
    width: widthOf(process.stdout),
    style: styleFor(process.stdout, process.env),
    errorStyle: styleFor(process.stderr, process.env),
  }
  const { stdout, stderr } = printOutcome(came.outcome, about, printing)
  const product = printing.json ? undefined : came.end?.product
  process.stderr.write(product === undefined ? stderr : stderr + stdout)
  process.stdout.write(product ?? stdout)
}
