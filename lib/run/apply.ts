import { hostname } from 'node:os'
import type { Entry } from '../plan/journal.ts'
import type { Change, Gate, Group, Node, Seen } from '../plan/plan.ts'
import { type Answer, argsNow, type Context, doingOf, note, record, StepFailed, verbOf } from './context.ts'
import { perform, said } from './perform.ts'

/** A gate that was not answered with yes; `stop` leaves everything as it stands. */
export class Declined extends Error {
  readonly gate: Gate
  readonly answer: Answer
  constructor(gate: Gate, answer: Answer) {
    super({ no: 'declined', late: 'not answered in time', unattended: 'nobody there to answer', yes: '' }[answer])
    this.name = 'Declined'
    this.gate = gate
    this.answer = answer
  }
}

/** Whether a step came to its verified end and was not taken back since. */
export function isDone(entries: readonly Entry[], id: string): boolean {
  const last = entries.findLast(e => (e.at === 'verified' && (e.of === id || e.of === undoId(id))) || (e.at === 'warned' && e.of === id))
  return last !== undefined && 'of' in last && last.of === id
}

/** The id under which a step's undo is journaled. */
export const undoId = (id: string) => `undo/${id}`

/** Applies nodes in turn; what the journal says is done is not repeated. Throws StepFailed, Declined, or what aborted. */
export async function apply(context: Context, nodes: readonly Node[], signal: AbortSignal): Promise<void> {
  for (const node of nodes) {
    signal.throwIfAborted()
    if (node.kind === 'group') await group(context, node, signal)
    else if (node.kind === 'gate') await gateway(context, node, signal)
    else if (!isDone(context.journal.entries, node.id)) await stepOrLate(context, node, signal)
  }
}

async function stepOrLate(context: Context, node: Extract<Node, { kind: 'step' }>, signal: AbortSignal): Promise<void> {
  for (;;) {
    try {
      return await perform(context, node, signal)
    } catch (error) {
      if (!node.late || signal.aborted || !(error instanceof StepFailed)) throw error
      await gateway(context, node.late, signal)
    }
  }
}

/** Runs work that is stopped when `signal` aborts or when a companion calls `stop`. */
function stoppable(signal: AbortSignal): { signal: AbortSignal; stop: (why: unknown) => void } {
  const own = new AbortController()
  return { signal: AbortSignal.any([signal, own.signal]), stop: why => own.abort(why) }
}

async function group(context: Context, node: Group, outer: AbortSignal): Promise<void> {
  const { signal, stop } = stoppable(outer)
  const watcher = node.watch ? watch(context, node.watch, outer, stop) : undefined
  const branches = node.together ? node.nodes.map(child => [child]) : [node.nodes]
  // The first failure stops the others, and all are waited for, so that no work outlives its group.
  let first: unknown
  await Promise.all(
    branches.map(branch =>
      apply(context, branch, signal).catch(error => {
        first ??= error
        stop(error)
      }),
    ),
  )
  const breach = await watcher?.end()
  if (breach) throw breach
  if (first) throw first
}

/** A reader beside a group: polls its verb until the group ends; `doomed` is a breach. */
function watch(context: Context, change: Change, outer: AbortSignal, stop: (why: unknown) => void): { end(): Promise<StepFailed | undefined> } {
  const ended = new AbortController()
  const of = `${change.verb}/${change.of}`
  const doing = doingOf(context, of, AbortSignal.any([outer, ended.signal]), hostname())
  const verb = verbOf(context, change.verb)
  const args = argsNow(context, change.args)
  let last: Seen | undefined
  const loop = async (): Promise<StepFailed | undefined> => {
    while (!doing.signal.aborted) {
      const seen = await verb.look(args, context.site, doing)
      last = seen
      if (seen.is === 'doomed') {
        const breach = new StepFailed(of, seen.because ?? 'the watch broke', seen.look)
        note(context, { at: 'failed', of, why: breach.message, seen: seen.state })
        stop(breach)
        return breach
      }
      await new Promise(resolve => setTimeout(resolve, 50))
    }
    return undefined
  }
  const running = loop().catch(error => {
    if (doing.signal.aborted) return undefined
    const breach = new StepFailed(of, said(error))
    stop(breach)
    return breach
  })
  return {
    async end() {
      ended.abort()
      const breach = await running
      // What was watched is worth knowing also when all went well.
      await record(context, { at: 'watched', of, seen: last?.state ?? null })
      return breach
    },
  }
}

/** Asks, with the figures read again right before, unless the journal holds a yes. */
async function gateway(context: Context, gate: Gate, signal: AbortSignal): Promise<void> {
  if (context.journal.entries.some(e => e.at === 'answered' && e.of === gate.id && e.answer === 'yes')) return
  const doing = doingOf(context, gate.id, signal, hostname())
  const shows = await Promise.all(gate.shows.map(change => verbOf(context, change.verb).look(argsNow(context, change.args), context.site, doing)))
  note(context, { at: 'asked', of: gate.id, shows: shows.map(seen => seen.state), since: new Date().toISOString() })
  const late = AbortSignal.timeout(Math.min(gate.deadlineMs, 2 ** 31 - 1))
  const answer = await context.askGate(gate, shows, AbortSignal.any([signal, late]))
  signal.throwIfAborted()
  const counted: Answer = late.aborted && answer !== 'yes' ? 'late' : answer
  await record(context, { at: 'answered', of: gate.id, answer: counted })
  if (counted !== 'yes') throw new Declined(gate, counted)
}
