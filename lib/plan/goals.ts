import { canonical } from './nodes.ts'
import type { Goal, Json, Match, Seen } from './plan.ts'

type Fields = { readonly [key: string]: Json }

/** As JSON: what a journal gives back has other prototypes than what a database driver returned. */
const same = (a: unknown, b: unknown) => canonical(a) === canonical(b)

const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value)

function asMatch(goal: Goal): Match | undefined {
  if (!isFields(goal)) return undefined
  const keys = Object.keys(goal).sort().join()
  return keys === 'atLeast' || keys === 'measured' || keys === 'near,within' ? (goal as Match) : undefined
}

function meets(match: Match, state: Json | undefined, gives: Json): boolean {
  if ('atLeast' in match) return typeof state === 'number' && state >= match.atLeast
  if ('near' in match) return typeof state === 'number' && Math.abs(state - match.near) <= match.within
  // A goal that names a measurement cannot be met before anything was measured.
  const measured = isFields(gives) ? gives[match.measured] : undefined
  return measured !== undefined && same(measured, state)
}

/** Whether a state is the wanted one; `gives` is what the step measured while doing, for `measured` matches. */
export function matches(goal: Goal, state: Json | undefined, gives: Json = null): boolean {
  const match = asMatch(goal)
  if (match) return meets(match, state, gives)
  if (isFields(goal)) {
    if (Object.keys(goal).length === 1 && 'every' in goal)
      return Array.isArray(state) && state.every(item => matches(goal.every as Goal, item, gives))
    return isFields(state) && Object.entries(goal).every(([key, wanted]) => matches(wanted as Goal, state[key], gives))
  }
  return same(goal, state)
}

/** What evidence says of an interrupted step. */
export type Verdict = 'moving' | 'done' | 'untouched' | 'half'

/** Settles an interrupted step by what is seen now: still moving, done, as before (so it can run under the same id), or neither. */
export function settle(before: Json, goal: Goal, seen: Seen, gives: Json = null): Verdict {
  if (matches(goal, seen.state, gives)) return 'done'
  if (seen.is === 'moving') return 'moving'
  return same(before, seen.state) ? 'untouched' : 'half'
}
