import { Trouble } from '../plan/outcome.ts'
import type { Came } from './announce.ts'
import { doneOutcome, refusedOutcome } from './ends.ts'
import { type How, settleRun, showUnfinished } from './recover.ts'
import { writeReport } from './report/write.ts'
import { commandFor, type Session } from './session.ts'
import { findUnfinished, pick } from './unfinished.ts'

const howAsked = (options: Session['options']): How | undefined =>
  options.close ? 'close' : options.resume ? 'resume' : options.revert ? 'revert' : undefined

/** An unfinished run comes before everything else. Undefined = there is none (any more), go on. */
export async function settleFirst(session: Session): Promise<Came | undefined> {
  const { options, definition, consents } = session
  const asked = howAsked(options)
  const runs = await findUnfinished(session, definition.lease)
  if (runs.length === 0) {
    if (asked) throw new Trouble(3, `There is no unfinished run of ${session.subject}`)
    return undefined
  }
  const run = options.close ? pick(runs, options.close) : (runs.find(({ planned }) => planned.runbook === definition.name) ?? runs[0])
  if (!run) return undefined
  await showUnfinished(session, run)
  if (asked && options.dryRun) return { outcome: doneOutcome({ says: `a dry run of --${asked}: nothing was touched` }) }
  const how: How | undefined = options.dryRun ? undefined : (asked ?? (await chosen(session, run.planned.runbook)))
  if (!how) {
    const me = run.planned.runbook
    return {
      outcome: {
        ...refusedOutcome(
          new Trouble(5, `${run.planned.run} is not finished, and nothing new starts over it`, {
            next: ['--resume', '--revert', `--close=${run.planned.run}`].map(flag => commandFor(session, me, flag)),
          }),
          false,
        ),
        says: 'an unfinished run must be settled first',
      },
    }
  }
  if (how === 'close' && consents.canAsk && !(await typedRun(run.planned.run))) throw new Trouble(3, 'Not closed')
  const { outcome, context } = await settleRun(session, run, how, asked === undefined && !consents.canAsk)
  await writeReport(session, context)
  // What a dead run of this kind left is away: the run that was asked for begins as if nothing had been.
  if (!asked && how === 'revert' && outcome.exit === 0 && !consents.canAsk) return undefined
  return { outcome, run: run.planned.run, folder: run.folder, settled: how }
}

async function typedRun(run: string): Promise<boolean> {
  const { typed } = await import('./ask.ts')
  return (await typed(`Type ${run} to close it; what stands will be as you left it:`, run)) === true
}

/** Runbooks whose steps only add, or leave nothing to take back: a dead run of one may be taken back unattended, also by another that shares its lease. */
const REVERTIBLE: ReadonlySet<string> = new Set(['backup', 'backup-pin', 'backup-prune', 'backup-verify', 'restore-drill'])

/** What to do with an unfinished run when no flag says it; undefined = quit. */
async function chosen(session: Session, runbook: string): Promise<How | undefined> {
  const { consents, definition, options } = session
  if (!consents.canAsk)
    return definition.unfinished === 'revert' && (runbook === definition.name || REVERTIBLE.has(runbook)) && consents.yes && !options.dryRun
      ? 'revert'
      : undefined
  const { select } = await import('./ask.ts')
  const choices: readonly { value: How | 'quit'; name: string }[] = [
    { value: 'quit', name: 'quit' },
    { value: 'resume', name: 'resume where it stopped' },
    { value: 'revert', name: 'revert: take back what it did' },
  ]
  const answer = await select<How | 'quit'>('What now?', choices, { preselected: 'quit' })
  return answer === null || answer === 'quit' ? undefined : answer
}
