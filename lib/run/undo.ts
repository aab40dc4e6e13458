import { matches } from '../plan/goals.ts'
import type { Entry } from '../plan/journal.ts'
import type { Change } from '../plan/plan.ts'
import { isDone, undoId } from './apply.ts'
import { type Context, record } from './context.ts'
import { gatherEvidence } from './evidence.ts'
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
    if (entry.at !== 'intent' || entry.undoes || entry.role === 'tidy' || wasSo(entry)) continue
    // After an undo the next attempt starts from a new `before`; until then the first one is the state to go back to.
    if (!first.has(entry.of) || isUndone(entries, entry.of, entry.n)) {
      first.delete(entry.of)
      first.set(entry.of, entry)
    }
  }
  return [...first.values()]
    .filter(intent => !('none' in intent.undo) && !isUndone(entries, intent.of, Number.POSITIVE_INFINITY))
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
  await findCommits(context, signal)
  const undos = owed(context.journal.entries)
  for (const undo of undos) await perform(context, undo, signal)
  return undos.length
}

/** Whether an attempt found its goal met and did nothing: taking that back would undo somebody else's work. */
const wasSo = (intent: Intent) => matches(intent.goal, intent.before)

/** A commit that was reached stands, also when its process died or its answer was lost before that was written down. */
async function findCommits(context: Context, signal: AbortSignal): Promise<void> {
  const { entries } = context.journal
  const open = new Set(entries.flatMap(e => (e.at === 'intent' && e.role === 'commit' && !isDone(entries, e.of) ? [e.of] : [])))
  if (open.size === 0) return
  for (const { step, verdict, observed, gives } of await gatherEvidence(context, signal))
    if (open.has(step.id) && verdict === 'done') await record(context, { at: 'verified', of: step.id, seen: observed, gives, how: 'found' })
}
