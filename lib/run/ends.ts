import type { Outcome } from '../plan/journal.ts'
import { type Exit, Trouble, wordOf } from '../plan/outcome.ts'
import { redact } from '../plan/secrets.ts'
import { isDone, undoId } from './apply.ts'
import type { Ending } from './carry.ts'
import { type Context, givenBy } from './context.ts'
import { LeaseLost } from './leases.ts'
import { said } from './perform.ts'
import type { End, Results } from './runbook.ts'
import { commandFor, type Session } from './session.ts'

const now = () => new Date().toISOString()

/** What verified steps gave, for a runbook's last words. */
export function resultsOf(context: Context): Results {
  return {
    back(step) {
      const undone = context.journal.entries.findLast(entry => entry.at === 'verified' && entry.of === undoId(step))
      return undone?.at === 'verified' ? undone.seen : null
    },
    warned: step => context.journal.entries.some(entry => entry.at === 'warned' && entry.of === step),
    get(step) {
      try {
        return givenBy(context.journal.entries, { later: step })
      } catch {
        return null
      }
    },
  }
}

/** Warnings of tidy steps that failed. */
function warned(context: Context | undefined): string[] {
  return (context?.journal.entries ?? []).flatMap(entry => (entry.at === 'warned' ? [`${entry.of}: ${entry.why}`] : []))
}

/** The outcome of a run that did what it should, in the runbook's words. */
export function doneOutcome(end: End, context?: Context): Outcome {
  const exit = end.exit ?? 0
  const warnings = [...(end.warnings ?? []), ...warned(context)]
  return {
    word: end.word ?? wordOf(exit),
    exit,
    says: end.says,
    verified: now(),
    ...(end.why ? { why: end.why } : {}),
    ...(end.stands?.length ? { stands: end.stands } : {}),
    ...(end.next?.length ? { next: end.next } : {}),
    ...(end.look?.length ? { look: end.look } : {}),
    ...(warnings.length > 0 ? { warnings } : {}),
  }
}

/** What a run committed: undo never goes behind it. */
export function committed(context: Context): string[] {
  const { entries } = context.journal
  return entries.flatMap(entry =>
    entry.at === 'intent' && entry.role === 'commit' && isDone(entries, entry.of) ? [`${entry.title}: done, and it stays`] : [],
  )
}

/** The outcome of a run that was taken back, with what to do `next` by its exit code, or that stands half-way. */
export function failedOutcome(
  session: Session,
  ending: Exclude<Ending, { how: 'done' }>,
  unchanged: string,
  context: Context,
  next: { readonly [exit: number]: readonly string[] | undefined } = {},
): Outcome {
  const warnings = warned(context)
  const common = {
    why: ending.why,
    verified: now(),
    ...(ending.look ? { look: ending.look.split('\n') } : {}),
    ...(warnings.length > 0 ? { warnings } : {}),
  }
  if (ending.how === 'undone') {
    const then = [...ending.mend, ...(next[ending.exit] ?? [])]
    const back =
      ending.undos === 0
        ? 'nothing had to be taken back'
        : `${ending.undos} ${ending.undos === 1 ? 'step was' : 'steps were'} taken back and verified`
    return {
      word: wordOf(ending.exit),
      exit: ending.exit,
      says: unchanged,
      stands: [`${unchanged}; ${back}`, ...committed(context)],
      ...(then.length > 0 ? { next: then } : {}),
      ...common,
    }
  }
  const me = session.definition.name
  return {
    word: wordOf(5),
    exit: 5,
    says: 'a run stands half-way, and nothing new starts over it',
    stands: ending.stands.length > 0 ? ending.stands : ['no step is half-done, but the run is not ended'],
    next: [
      commandFor(session, me, '--revert'),
      commandFor(session, me, '--resume'),
      `${commandFor(session, me, `--close=${context.run}`)}   # after mending it by hand`,
    ],
    ...common,
  }
}

/** The outcome of an invocation that ended before it touched anything. A defect keeps its stack for the report of it. */
export function refusedOutcome(error: unknown, check: boolean): Outcome {
  const exit = exitOf(error, check)
  const nothing = { 6: 'another run is at work', 7: 'it is not sound', 8: 'could not look' }[exit as number] ?? 'nothing was touched'
  const trouble = error instanceof Trouble ? error : undefined
  const stack = exit === 1 && error instanceof Error && error.stack ? [redact(error.stack)] : []
  return {
    word: wordOf(exit),
    exit,
    says: nothing,
    why: said(error),
    verified: now(),
    ...(trouble?.next.length ? { next: trouble.next } : {}),
    ...(trouble?.look.length || stack.length > 0 ? { look: [...(trouble?.look ?? []), ...stack] } : {}),
  }
}

function exitOf(error: unknown, check: boolean): Exit {
  if (error instanceof Trouble) return error.exit
  if (error instanceof LeaseLost) return 6
  if (error instanceof Error && error.name === 'Cancelled') return 'by' in error && error.by === 'SIGTERM' ? 143 : 130
  // A store or a server that cannot be reached is no defect of ours.
  if (error instanceof Error && error.name === 'StoreError') return check ? 8 : 3
  return 1
}
