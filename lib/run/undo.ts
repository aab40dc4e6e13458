import type { Entry } from '../plan/journal.ts'
import type { Change } from '../plan/plan.ts'
import { undoId } from './apply.ts'
import type { Context } from './context.ts'
import { type Performed, perform } from './perform.ts'

/** An undo has its own limit, because the run's may be what ended it. */
const UNDO_BUDGET_MS = 3_600_000

type Intent = Extract<Entry, { at: 'intent' }>

/** The undos that a run still owes, newest step first: every attempted step since the last verified commit that is not yet taken back. */
export function owed(entries: readonly Entry[]): Performed[] {
  const commits = new Set(entries.flatMap(e => (e.at === 'intent' && e.role === 'commit' ? [e.of] : [])))
  const barrier = entries.findLastIndex(e => e.at === 'verified' && commits.has(e.of))
  const first = new Map<string, Intent>()
  for (const entry of entries.slice(barrier + 1)) {
    if (entry.at !== 'intent' || entry.undoes || entry.role === 'tidy') continue
    // After an undo the next attempt starts from a new `before`; until then the first one is the state to go back to.
    if (!first.has(entry.of) || isUndone(entries, entry.of, entry.n)) {
      first.delete(entry.of)
      first.set(entry.of, entry)
    }
  }
  return [...first.values()]
    .filter(intent => !('none' in intent.undo) && !isUndone(entries, intent.of, Number.POSITIVE_INFINITY) && !wasSo(entries, intent.of))
    .reverse()
    .map(intent => ({
      id: undoId(intent.of),
      title: `Take back: ${intent.title}`,
      change: intent.undo as Change,
      budgetMs: UNDO_BUDGET_MS,
      undoes: intent.of,
    }))
}

/** Whether a step's undo was verified after the step's last intent that came before entry `until`. */
function isUndone(entries: readonly Entry[], id: string, until: number): boolean {
  const intent = entries.findLast(e => e.at === 'intent' && e.of === id && e.n < until)
  const undone = entries.findLast(e => e.at === 'verified' && e.of === undoId(id) && e.n < until)
  return intent !== undefined && undone !== undefined && undone.n > intent.n
}

/** Takes back what the run did, in reverse, each undo journaled and verified. Stops at the first that fails: what came before it may still be needed. */
export async function undoAll(context: Context, signal: AbortSignal): Promise<number> {
  const undos = owed(context.journal.entries)
  for (const undo of undos) await perform(context, undo, signal)
  return undos.length
}

/** Whether the step found its goal met and did nothing: taking that back would undo somebody else's work. */
function wasSo(entries: readonly Entry[], id: string): boolean {
  const verified = entries.findLast(e => e.at === 'verified' && e.of === id)
  return verified?.at === 'verified' && verified.how === 'was'
}
