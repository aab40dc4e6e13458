import type { Change, Goal, Json, Node, NoUndo } from './plan.ts'

/** Who runs, from where. */
export type By = { readonly user: string; readonly host: string; readonly pid: number; readonly started: string; readonly boot: string }

/** How a step came to its goal: it did it, it only looked, recovery found it done, or it was so before and nothing was done. */
export type How = 'did' | 'looked' | 'found' | 'was'

/** Everything that a run remembers, one JSON line each, in the order in which it became true. `of` is a step's id. */
export type Fact =
  | {
      readonly at: 'planned'
      readonly run: string
      readonly runbook: string
      readonly stack: string
      readonly environment: string
      /** What was typed, complete; and the options as they were settled. */
      readonly command: string
      readonly options: Json
      readonly by: By
      /** Addresses that the plan aims at, by member name: recovery refuses when they have changed. */
      readonly target: Json
      readonly nodes: readonly Node[]
      readonly hash: string
      readonly leases: readonly string[]
      /** Leases that it holds besides its own. */
      readonly holds?: readonly string[]
    }
  | { readonly at: 'leased'; readonly lease: string; readonly token: number }
  | {
      readonly at: 'intent'
      readonly of: string
      readonly title: string
      readonly attempt: number
      readonly change: Change
      readonly before: Json
      readonly goal: Goal
      readonly undo: Change | NoUndo
      readonly prints: readonly string[]
      readonly role?: 'commit' | 'tidy'
      readonly undoes?: string
    }
  | { readonly at: 'spawned'; readonly of: string; readonly host: string; readonly pid: number; readonly started: string; readonly prints: string }
  | { readonly at: 'exited'; readonly of: string; readonly ok: boolean; readonly gives: Json; readonly why?: string; readonly look?: string }
  | { readonly at: 'verified'; readonly of: string; readonly seen: Json; readonly gives: Json; readonly how: How }
  | { readonly at: 'failed'; readonly of: string; readonly why: string; readonly look?: string; readonly seen: Json }
  | { readonly at: 'watched'; readonly of: string; readonly seen: Json }
  | { readonly at: 'warned'; readonly of: string; readonly why: string }
  | { readonly at: 'asked'; readonly of: string; readonly shows: readonly Json[]; readonly since: string }
  | { readonly at: 'answered'; readonly of: string; readonly answer: 'yes' | 'no' | 'late' | 'unattended' }
  | { readonly at: 'turned'; readonly why: string; readonly to: 'undo' | 'stop' }
  | { readonly at: 'settling'; readonly by: By; readonly how: 'resume' | 'revert' | 'close' }
  | { readonly at: 'ended'; readonly outcome: Outcome }

/** A fact with its place in the run: `n` counts from 1, `t` is ISO 8601 in UTC. */
export type Entry = Fact & { readonly n: number; readonly t: string }

/** What a run came to, said the same way by the exit code, the last line, the journal and the report. */
export type Outcome = {
  readonly word: string
  readonly exit: number
  /** What stands now, as it was observed. */
  readonly says: string
  readonly why?: string
  readonly stands?: readonly string[]
  readonly next?: readonly string[]
  readonly look?: readonly string[]
  readonly warnings?: readonly string[]
  /** When what `says` says was observed, ISO 8601. */
  readonly verified: string
}
