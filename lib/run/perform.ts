import { hostname } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import { CommandFailed } from '../exec/process.ts'
import { spent } from '../plan/durations.ts'
import { matches } from '../plan/goals.ts'
import { Trouble } from '../plan/outcome.ts'
import type { Action, Change, Doing, Goal, Json, Seen, Step, Verb } from '../plan/plan.ts'
import { redact } from '../plan/secrets.ts'
import { argsNow, type Context, doingOf, note, record, StepFailed, verbOf } from './context.ts'

/** Between two looks while something is moving. */
const LOOK_AGAIN_MS = 250

/** A step as it is performed: one of the plan, or the undo of one. */
export type Performed = Pick<Step, 'id' | 'title' | 'change' | 'budgetMs' | 'role' | 'late'> & { readonly undoes?: string }

type Work = {
  context: Context
  step: Performed
  verb: Verb<Json, Json, unknown>
  args: Json
  doing: Doing
  /** What the last look saw, for when the time is over. */
  last?: Seen
}

/** Looks until the goal is met; fails when it is settled elsewhere, doomed, or out of time. */
async function until(work: Work, goal: Goal, gives: Json): Promise<Seen> {
  const { context, step, verb, args, doing } = work
  for (;;) {
    const seen = await verb.look(args, context.site, doing)
    work.last = seen
    if (matches(goal, seen.state, gives)) return seen
    doing.signal.throwIfAborted()
    if (seen.is !== 'moving')
      throw new StepFailed(step.id, seen.because ?? `wanted ${JSON.stringify(goal)}, found ${JSON.stringify(seen.state)}`, seen.look)
    await pause(LOOK_AGAIN_MS, undefined, { signal: doing.signal })
  }
}

/** Runs the actions in turn and merges what they measured. */
async function doAll(actions: readonly Action[], doing: Doing): Promise<Json> {
  let gives: { [key: string]: Json } = {}
  for (const action of actions) {
    const gave = await action.run(doing)
    if (gave !== undefined && gave !== null && typeof gave === 'object' && !Array.isArray(gave))
      gives = { ...gives, ...(gave as { [key: string]: Json }) }
  }
  return gives
}

/** A step without `does`: its looking is its work, and what it saw is what it gives. */
async function wait(work: Work): Promise<Json> {
  const { context, step, verb, args } = work
  const goal = verb.goal(args, null)
  const change: Change = { ...step.change, args }
  await record(context, {
    at: 'intent',
    of: step.id,
    title: step.title,
    attempt: attempt(context, step.id),
    change,
    before: null,
    goal,
    undo: { none: 'it only looks' },
    prints: [],
    ...role(step),
  })
  const seen = await until(work, goal, null)
  await record(context, { at: 'verified', of: step.id, seen: seen.state, gives: seen.state, how: 'looked' })
  return seen.state
}

/** Look, intent, do, look. */
async function act(work: Work): Promise<Json> {
  const { context, step, verb, args, doing } = work
  const before = await verb.look(args, context.site, doing)
  const goal = verb.goal(args, before.state)
  const actions = verb.does?.(args, context.site) ?? []
  const change: Change = { ...step.change, args }
  const intent = {
    at: 'intent',
    of: step.id,
    title: step.title,
    attempt: attempt(context, step.id),
    change,
    before: before.state,
    goal,
    undo: verb.undo(args, before.state),
    prints: actions.map(a => a.prints),
    ...role(step),
  } as const
  await record(context, intent)
  if (matches(goal, before.state)) {
    await record(context, { at: 'verified', of: step.id, seen: before.state, gives: null, how: 'was' })
    return null
  }
  doing.signal.throwIfAborted()
  const gives = await doAll(actions, doing).catch(error => {
    note(context, { at: 'exited', of: step.id, ok: false, gives: null, why: said(error) })
    throw error
  })
  note(context, { at: 'exited', of: step.id, ok: true, gives })
  const seen = await until(work, goal, gives)
  await record(context, { at: 'verified', of: step.id, seen: seen.state, gives, how: 'did' })
  return gives
}

const role = (step: Performed) => ({ ...(step.role ? { role: step.role } : {}), ...(step.undoes ? { undoes: step.undoes } : {}) })

const attempt = (context: Context, id: string) => context.journal.entries.filter(e => e.at === 'intent' && e.of === id).length + 1

/** An error's message for people, without secrets. */
export function said(error: unknown): string {
  return redact(error instanceof Error ? error.message : String(error))
}

function lookOf(error: unknown): string | undefined {
  if (error instanceof StepFailed) return error.look
  if (error instanceof CommandFailed) return redact(error.stderr) || undefined
  return error instanceof Trouble ? error.look[0] : undefined
}

/** Performs one step to its verified end; throws StepFailed, or what aborted it. A tidy step that fails only warns. */
export async function perform(context: Context, step: Performed, signal: AbortSignal): Promise<void> {
  const limit = AbortSignal.timeout(Math.min(step.budgetMs, 2 ** 31 - 1))
  const doing = doingOf(context, step.id, AbortSignal.any([signal, limit]), hostname())
  let last: Seen | undefined
  try {
    const verb = verbOf(context, step.change.verb)
    const args = argsNow(context, step.change.args)
    const work: Work = { context, step, verb, args, doing }
    await (verb.does ? act(work) : wait(work)).finally(() => {
      last = work.last
    })
  } catch (error) {
    if (signal.aborted) throw signal.reason
    const why = limit.aborted ? `not done within ${spent(step.budgetMs)}${last?.because ? `: ${last.because}` : ''}` : said(error)
    if (step.role === 'tidy') {
      await record(context, { at: 'warned', of: step.id, why })
      return
    }
    const look = lookOf(error) ?? (limit.aborted ? last?.look : undefined)
    await record(context, { at: 'failed', of: step.id, why, seen: null, ...(look ? { look } : {}) })
    throw error instanceof StepFailed ? error : new StepFailed(step.id, why, look, error)
  }
}
