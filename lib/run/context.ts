import type { Entry, Fact } from '../plan/journal.ts'
import { settled } from '../plan/nodes.ts'
import { Trouble } from '../plan/outcome.ts'
import type { Doing, Gate, Json, Later, Progress, Seen, Verb } from '../plan/plan.ts'
import type { Journal } from './journal.ts'
import type { Lease } from './leases.ts'

/** Who watches a run: the tree, the plain log. Nothing depends on it. */
export interface Watching {
  saw(entry: Entry): void
  moved(of: string, progress: Progress): void
}

/** Verbs by name. Each is written against its own site, so the arguments and the site are open here. */
export type Verbs = Readonly<Record<string, Verb<never, Json, never>>>

/** How a gate was answered. */
export type Answer = 'yes' | 'no' | 'late' | 'unattended'

/** Everything that the engine needs of one run; it knows no member and no screen. */
export type Context = {
  readonly run: string
  readonly site: unknown
  readonly verbs: Verbs
  readonly journal: Journal
  readonly leases: readonly Lease[]
  readonly watching: Watching
  /** Aborted by Ctrl-C, SIGTERM, or a lost lease. */
  readonly signal: AbortSignal
  readonly askGate: (gate: Gate, shows: readonly Seen[], signal: AbortSignal) => Promise<Answer>
}

/** A step that did not come to match its goal. */
export class StepFailed extends Error {
  readonly step: string
  readonly look: string | undefined
  constructor(step: string, why: string, look?: string, cause?: unknown) {
    super(why, { cause })
    this.name = 'StepFailed'
    this.step = step
    this.look = look
  }
}

/** The facts that another machine needs to settle the run; the rest stays in the local journal. */
const SHARED = new Set<Fact['at']>(['planned', 'intent', 'verified', 'failed', 'watched', 'answered', 'turned', 'settling'])

/** Journals a fact on this disk, then beside the lease, and only then returns. Throws LeaseLost when the token is stale. */
export async function record(context: Context, fact: Fact): Promise<Entry> {
  const entry = context.journal.append(fact)
  context.watching.saw(entry)
  if (SHARED.has(fact.at)) await context.leases[0]?.append(entry)
  return entry
}

/** Journals a fact on this disk only; for what happens in the middle of a step. */
export function note(context: Context, fact: Fact): void {
  context.watching.saw(context.journal.append(fact))
}

/** The verb of a sentence, with its types opened; an unknown one is a defect or a journal from another version. */
export function verbOf(context: Pick<Context, 'verbs'>, name: string): Verb<Json, Json, unknown> {
  const verb = context.verbs[name]
  if (!verb) throw new Trouble(5, `This version of the toolkit does not know the verb "${name}" of the journal`)
  return verb as unknown as Verb<Json, Json, unknown>
}

/** What surrounds the work of one step. */
export function doingOf(context: Context, of: string, signal: AbortSignal, host: string): Doing {
  return {
    run: context.run,
    signal,
    progress: at => context.watching.moved(of, at),
    spawned: process => note(context, { at: 'spawned', of, host, ...process }),
  }
}

/** What a verified step gave or a watcher saw, or a field of it; a step that is not verified has given nothing. */
export function givenBy(entries: readonly Entry[], later: Later): Json {
  const entry = entries.findLast(e => (e.at === 'verified' || e.at === 'watched') && e.of === later.later)
  if (entry?.at !== 'verified' && entry?.at !== 'watched') throw new Trouble(1, `${later.later} has given nothing yet`)
  const gives = entry.at === 'verified' ? entry.gives : entry.seen
  if (later.path === undefined) return gives
  const value = gives !== null && typeof gives === 'object' && !Array.isArray(gives) ? (gives as Record<string, Json>)[later.path] : undefined
  if (value === undefined) throw new Trouble(1, `${later.later} gave no ${later.path}`)
  return value
}

/** The arguments of a sentence with every Later taken from the journal. */
export function argsNow(context: Context, args: Json): Json {
  return settled(args, later => givenBy(context.journal.entries, later))
}
