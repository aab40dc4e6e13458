/** Any value that survives JSON: the only kind of value that plans, journals and undos hold. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/** What a verb does to the world: `destroy` needs a typed name on a protected environment. */
export type Effect = 'read' | 'write' | 'destroy'

/** A sentence: verb, object, arguments. Plan, dry run, journal and undo hold this and nothing else. */
export type Change = { readonly verb: string; readonly of: string; readonly args: Json }

/** A value known only after a step has run (`path` is a field of what the step gives); settled from the journal. */
export type Later = { readonly later: string; readonly path?: string }

/** One sentence of a plan with its limits; `id` is `<verb>/<of>` and unique in a plan. */
export type Step = {
  readonly kind: 'step'
  readonly id: string
  readonly title: string
  readonly change: Change
  /** Longest time from the start until `look` must match `goal`, in milliseconds. */
  readonly budgetMs: number
  /** A wait out of time asks this instead of failing. */
  readonly late?: Gate
  /** commit: undo never goes behind it. tidy: failing only warns. */
  readonly role?: 'commit' | 'tidy'
}

/** Nodes in turn, or `together`; `watch` is a reader that runs meanwhile and whose breach fails the group. */
export type Group = {
  readonly kind: 'group'
  readonly title: string
  readonly nodes: readonly Node[]
  readonly together?: true
  readonly watch?: Change
}

/** A question in the middle of a run; `shows` are read again right before asking. */
export type Gate = {
  readonly kind: 'gate'
  readonly id: string
  readonly title: string
  readonly shows: readonly Change[]
  readonly answer: 'yes' | { readonly typed: string }
  /** Off a terminal and without the matching consent: stop where it stands (exit 5) or undo (exit 4). */
  readonly unattended: 'stop' | 'undo'
  readonly deadlineMs: number
}

export type Node = Step | Group | Gate

/** What a value may be compared with besides itself. `measured` names a field of what the step gave. */
export type Match = { readonly atLeast: number } | { readonly near: number; readonly within: number } | { readonly measured: string }

/** The wanted state: named fields must match, others are free; for a list, `every` element must. */
export type Goal = Json | Match | { readonly every: Goal } | { readonly [key: string]: Goal }

/** What a look saw. `doomed` says that waiting longer is useless, and `because` says why; `look` is what a person wants to see then: the last lines of a log. */
export type Seen<S extends Json = Json> = {
  readonly state: S
  readonly is: 'settled' | 'moving' | 'doomed'
  readonly because?: string
  readonly look?: string
}

/** Bytes (or items) done so far, with the total where it is known. */
export type Progress = { readonly done: number; readonly total?: number | undefined; readonly unit?: 'bytes' | 'items' }

/** What surrounds the work of one step: how it is stopped, and how it tells what it does. */
export interface Doing {
  readonly run: string
  readonly signal: AbortSignal
  progress(at: Progress): void
  /** A process of this step has started; journaled so that survivors can be found after a crash. */
  spawned(process: { readonly pid: number; readonly started: string; readonly prints: string }): void
}

/** One thing that a step does. The printer prints it, the engine runs it; nothing else knows what it is. */
export type Action = {
  readonly kind: 'command' | 'transfer' | 'call'
  /** Complete and ready to paste for a command; `from → through → into` for a transfer. */
  readonly prints: string
  /** Resolves to what was measured while doing (a receipt), which goals may name as `measured`. */
  run(doing: Doing): Promise<Json | undefined>
}

/** No undo is possible or needed, and the reason that the plan prints. `person`: once it is done, only a person can decide how to go back. */
export type NoUndo = { readonly none: string; readonly person?: true }

/** What a step does, written once beside the member that owns it, and named in lib/verbs.ts so that a journal can be read back. */
export interface Verb<A extends Json = Json, S extends Json = Json, Site = unknown> {
  readonly effect: Effect
  /** After a crash, neither before nor goal: do it again on top (`again`), undo what is there and do it anew, only undo, or ask a person. */
  readonly half: 'again' | 'anew' | 'undo' | 'ask'
  /** Reads only; called before planning, under the lease, after doing, and in recovery. */
  look(args: A, site: Site, doing: Doing): Promise<Seen<S>>
  /** Pure; matches `before` only if doing nothing is right (a restart names the run). */
  goal(args: A, before: S): Goal
  /** Builds only, runs nothing; absent = a wait, which only looks. */
  does?(args: A, site: Site): readonly Action[]
  /** How the undo reads in a plan: `drop it`; absent where there is none. */
  readonly undone?: string
  /** Pure; a change like any other: printed, journaled, verified, resumed. */
  undo(args: A, before: S): Change | NoUndo
}
