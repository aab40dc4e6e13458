import { hostname } from 'node:os'
import { settle, type Verdict } from '../plan/goals.ts'
import type { Entry } from '../plan/journal.ts'
import { stepsOf } from '../plan/nodes.ts'
import type { Goal, Json, Seen, Step } from '../plan/plan.ts'
import { isDone, undoId } from './apply.ts'
import { type Context, doingOf, verbOf } from './context.ts'
import { said } from './perform.ts'

/** What is known of one step of an unfinished run: the row of the table that is shown before anything moves. */
export type Evidence = {
  readonly step: Step
  readonly before: Json
  readonly expected: Goal
  readonly observed: Json
  readonly verdict: Verdict | 'not started' | 'taken back' | 'could not look'
  readonly because?: string
  /** What the step measured before the crash, where that was still written down. */
  readonly gives: Json
}

type Intent = Extract<Entry, { at: 'intent' }>

/** How long a look in recovery may take before it counts as "could not look". */
const LOOK_BUDGET_MS = 60_000

async function looked(context: Context, intent: Intent, signal: AbortSignal): Promise<Seen> {
  const doing = doingOf(context, intent.of, AbortSignal.any([signal, AbortSignal.timeout(LOOK_BUDGET_MS)]), hostname())
  return verbOf(context, intent.change.verb).look(intent.change.args, context.site, doing)
}

async function ofStep(context: Context, step: Step, signal: AbortSignal): Promise<Evidence> {
  const entries = context.journal.entries
  const intent = entries.findLast((e): e is Intent => e.at === 'intent' && e.of === step.id)
  if (!intent) return { step, before: null, expected: null, observed: null, verdict: 'not started', gives: null }
  const known = { step, before: intent.before, expected: intent.goal }
  const undo = entries.findLast(e => e.at === 'verified' && e.of === undoId(step.id))
  if (undo?.at === 'verified' && undo.n > intent.n) return { ...known, observed: undo.seen, verdict: 'taken back', gives: null }
  const verified = entries.findLast(e => e.at === 'verified' && e.of === step.id)
  if (verified?.at === 'verified' && isDone(entries, step.id)) return { ...known, observed: verified.seen, verdict: 'done', gives: verified.gives }
  if (isDone(entries, step.id)) return { ...known, observed: null, verdict: 'done', gives: null }
  const exited = entries.findLast(e => e.at === 'exited' && e.of === step.id && e.n > intent.n)
  const gives = exited?.at === 'exited' && exited.ok ? exited.gives : null
  // A wait has no effect that could be half-done: it simply waits again.
  if (!verbOf(context, intent.change.verb).does) return { ...known, observed: null, verdict: 'untouched', gives: null }
  try {
    const seen = await looked(context, intent, signal)
    return {
      ...known,
      observed: seen.state,
      verdict: settle(intent.before, intent.goal, seen, gives),
      gives,
      ...(seen.because ? { because: seen.because } : {}),
    }
  } catch (error) {
    return { ...known, observed: null, verdict: 'could not look', because: said(error), gives }
  }
}

/** Settles every step of an unfinished run by looking at the world; changes nothing. */
export async function gatherEvidence(context: Context, signal: AbortSignal): Promise<Evidence[]> {
  const planned = context.journal.entries.find(e => e.at === 'planned')
  if (planned?.at !== 'planned') return []
  return Promise.all(stepsOf(planned.nodes).map(step => ofStep(context, step, signal)))
}

/** Whether the run had already begun to take itself back, so that going forward is no longer what it meant. */
export function wasTurning(entries: readonly Entry[]): boolean {
  return entries.some(e => e.at === 'turned' && e.to === 'undo')
}
