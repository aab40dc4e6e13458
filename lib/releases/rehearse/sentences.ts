import type { Change, Json, Later } from '../../plan/plan.ts'
import { type Bundle, plain } from '../../platforms/platform.ts'

// The sentences of rehearsals. The verbs behind them are in verbs.ts.

/** What was found of a release on the copy. `log` are its last lines; `unasked` are smoke tests that only the front door could have answered. */
export type Judged = {
  readonly judged: boolean
  readonly good: boolean
  readonly because: string | null
  readonly tookMs: number
  readonly asked: number
  readonly unasked: readonly string[]
  readonly log: string | null
}

/** What came of migrating the copy back. */
export type Back = { readonly was: string; readonly at: string; readonly worked: boolean; readonly because: string | null }

/** What a step waits for that is only done when the first judgement was bad, and the way back worked; null for one that is always done. */
export type After = { readonly judged: Judged | Later; readonly back?: Back | null | Later } | null

export type PutArgs = { run: string; bundles: readonly Bundle[] }
export type RunArgs = { run: string }
export type UpArgs = { run: string; bundle: Bundle; to: string }
export type BackArgs = UpArgs & { after: After }
export type StartArgs = { run: string; bundle: Bundle; without: readonly string[]; after: After }
export type StopArgs = { run: string; after: After }
export type JudgeArgs = StartArgs & { budgetMs: number; about: { since: string } }

const said = (verb: string, of: string, args: unknown): Change => ({ verb, of, args: plain(args) as Json })

/** Where a sentence stands a second time in a plan. */
const again = (after: After) => (after === null ? 'rehearsal' : 'rehearsal, again')

export const putThere = (args: PutArgs) => said('rehearsal.put', 'rehearsal', args)
export const migrateCopy = (args: UpArgs) => said('rehearsal.migrate', 'copy', args)
export const startThere = (args: StartArgs) => said('rehearsal.start', again(args.after), args)
export const judgeThere = (args: JudgeArgs) => said('rehearsal.judge', again(args.after), args)
export const stopThere = (args: StopArgs) => said('rehearsal.stop', 'rehearsal', args)
export const migrateCopyBack = (args: BackArgs) => said('rehearsal.back', 'copy', args)
export const removeRehearsal = (args: RunArgs) => said('rehearsal.remove', 'rehearsal', args)
