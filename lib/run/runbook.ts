import { realpathSync } from 'node:fs'
import { enableCompileCache } from 'node:module'
import { join } from 'node:path'
import type { Event } from '../notify/notify.ts'
import type { Told } from '../notify/tell.ts'
import type { Exit } from '../plan/outcome.ts'
import type { Doing, Json, Node, Seen } from '../plan/plan.ts'
import type { ReleaseSite } from '../releases/site.ts'
import type { StackInUse } from '../stack/describe.ts'
import type { Verbs } from './context.ts'
import type { Options, Values } from './options.ts'

/** The names of a run, made before its plan: `id` for people and folders, `short` for names in databases (small letters and digits). */
export type RunName = { readonly id: string; readonly short: string; readonly began: Date }

/** What a runbook's functions are given. `doing` serves looks; `use` is what the runbook said it uses. */
export type At<O extends Options, U = unknown> = {
  readonly use: U
  readonly site: ReleaseSite
  readonly stack: StackInUse
  readonly options: Values<O>
  readonly protected: boolean
  readonly run: RunName
  readonly doing: Doing
  /** Sends a test message to every channel of the environment. */
  readonly tryChannels: () => Promise<readonly Told[]>
}

/** One assertion that must hold before anything is touched, with what mends it. `exit` is 3 unless said. */
export type Requirement = { readonly title: string; readonly holds: boolean; readonly because: string; readonly mend?: string; readonly exit?: Exit }

/** What a runbook says at its end; `exit` 0 and its word unless said. */
export type End = {
  readonly says: string
  readonly word?: string
  readonly exit?: Exit
  readonly why?: string
  readonly stands?: readonly string[]
  readonly next?: readonly string[]
  readonly look?: readonly string[]
  readonly warnings?: readonly string[]
  /** What those who watch are told besides how it ended: `shrunk`, `stale`. */
  readonly tells?: readonly Event[]
  /** Text that is the whole of stdout, to be piped on; the last line then goes to stderr. */
  readonly product?: string
  /** Lines for people, and the same for machines. */
  readonly summary?: readonly string[]
  readonly result?: Json
}

/** Reads what verified steps gave; null for a step that did not run. */
export type Results = {
  get(step: string): Json
  /** What was seen when the step was verified to be taken back; null where it was not taken back. */
  back(step: string): Json
  /** Whether a tidy step failed. */
  warned(step: string): boolean
}

/** One procedure. Without `plan` it only looks: no lease, no journal. */
export type Definition<O extends Options, F, U = unknown> = {
  readonly name: string
  readonly does: string
  /** The lease it takes: `data` for what reads or changes data, `proof` for what only adds proofs, `none` for what only looks. */
  readonly lease: 'data' | 'release' | 'proof' | 'none'
  /** Leases that this plan holds besides, so that others keep away meanwhile; the run itself is kept with `lease`. */
  holds?(at: At<O, U> & { readonly facts: F }): readonly ('data' | 'release' | 'proof')[]
  /** What a plan that changes what cannot be had again does, for the question before it: `This changes live data.` unless said. */
  readonly changes?: string
  /** A check: not being able to look is exit 8 rather than 3. */
  readonly check?: true
  /** What becomes of a run of its kind that died, off a terminal and with --yes: taken back first (its steps only add), or left to a person. */
  readonly unfinished: 'revert' | 'ask'
  readonly options: O
  /** The words of the procedure, loaded only when there is work: so that --help and a mistyped flag answer at once. */
  uses?(): Promise<U>
  /** `none`: it only reads the stack file, so no member is built and no secret is needed. `platform`: no part and no store is. */
  readonly members?: 'none' | 'platform'
  /** Of one that only looks: whether those who watch are told what it says in `tells`, or that it could not look. */
  told?(options: Values<O>): boolean
  /** Of one that only looks: the runbook whose good end ends what this one raised; without it, it ends that itself, by telling of a recovery. */
  readonly endedBy?: string
  inspect(at: At<O, U>): Promise<F>
  require?(at: At<O, U> & { readonly facts: F }): readonly Requirement[]
  plan?(at: At<O, U> & { readonly facts: F }): readonly Node[]
  /** Makes what its lease is kept in, where that is missing: once the plan is agreed to, and before the lease is taken. It stays. */
  ground?(at: At<O, U> & { readonly facts: F }): Promise<void>
  /** Options whose meaning moves with time (`latest`), as this plan settled them: a recovery looks again by these. */
  settled?(at: At<O, U> & { readonly facts: F }): Readonly<Record<string, Json>>
  /** Lines shown before the plan. */
  shows?(at: At<O, U> & { readonly facts: F }): readonly string[]
  /** What stands when everything was taken back: `live data is as it was`. */
  unchanged?(at: At<O, U> & { readonly facts: F; readonly results: Results }): string
  /** Commands that are offered when the run ended in exit 7: what it found is then to be written down. */
  damaged?(at: At<O, U> & { readonly facts: F }): readonly string[]
  /** Lines shown when a gate asks. */
  gate?(shows: readonly Seen[], use: U): readonly string[]
  ends(at: At<O, U> & { readonly facts: F; readonly results: Results }): End | Promise<End>
  /** Verbs besides those of lib/verbs.ts. */
  readonly verbs?: Verbs
}

/** True when this module is the script that was started (zx hides it from import.meta.main), with where its flags begin. */
function startedAs(file: string): number {
  return process.argv.findIndex((arg, i) => {
    if (i === 0) return false
    try {
      return realpathSync(arg) === realpathSync(file)
    } catch {
      return false
    }
  })
}

/** Stripped and compiled code is kept in the clone, which halves the start; where that cannot be written, nothing is lost but time. */
const COMPILED = join(import.meta.dirname, '../../node_modules/.cache/runbooks')

/** Declares a runbook and, when its file is the script that was started, runs it. */
export function runbook<O extends Options, F, U = undefined>(meta: ImportMeta, definition: Definition<O, F, U>): Definition<O, F, U> {
  const at = startedAs(meta.filename)
  if (at <= 0) return definition
  enableCompileCache(COMPILED)
  void import('./entry.ts').then(({ enter }) => enter(definition as unknown as Definition<Options, unknown>, process.argv.slice(at + 1)))
  return definition
}
