import type { Doing, Json, Seen, Verb } from '../../plan/plan.ts'
import { plain } from '../../platforms/platform.ts'
import type { SetupState, SetupWork } from '../../platforms/setup.ts'
import { mustSetUp } from '../setup.ts'
import type { ReleaseSite } from '../site.ts'

/** By name; where all are the same, only that. */
type States = Readonly<Record<string, SetupState>>

const ALL = 'all'

async function look(work: SetupWork, site: ReleaseSite, doing: Doing) {
  const states = await mustSetUp(site).states(work, doing)
  const found = [...new Set(Object.values(states))]
  const state: States = found.length === 1 && found[0] ? { [ALL]: found[0] } : states
  return { state, is: 'settled' as const }
}

/** Make what a new environment lacks. What is there already is neither replaced nor taken back. */
export const made: Verb<SetupWork, States, ReleaseSite> = {
  effect: 'write',
  half: 'again',
  undone: 'remove what was made',
  look,
  goal: () => ({ [ALL]: 'right' }),
  does: (work, site) => mustSetUp(site).make(work),
  undo(work, before) {
    const things = Object.fromEntries(Object.entries(work.things).filter(([name]) => (before[ALL] ?? before[name]) === 'missing'))
    if (Object.keys(things).length === 0) return { none: 'nothing of it was missing' }
    return { verb: 'setup.unmake', of: `${work.phase} ${work.of}`, args: plain({ ...work, things }) }
  },
}

/** Make what differs as the files say. */
export const changed: Verb<SetupWork, States, ReleaseSite> = {
  effect: 'write',
  half: 'again',
  look,
  goal: () => ({ [ALL]: 'right' }),
  does: (work, site) => mustSetUp(site).make(work),
  undo: () => ({ none: 'it stays as the files say' }),
}

/** Remove what was made. */
export const unmade: Verb<SetupWork, States, ReleaseSite> = {
  effect: 'write',
  half: 'again',
  async look(work, site, doing) {
    const seen = await look(work, site, doing)
    // Some objects take their time to go.
    return { ...seen, is: seen.state[ALL] === 'missing' ? 'settled' : 'moving' }
  },
  goal: () => ({ [ALL]: 'missing' }),
  does: (work, site) => mustSetUp(site).unmake(work),
  undo: () => ({ none: 'it is itself an undo' }),
}

/** Look that everything that was to be made is there. */
export const stands: Verb<{ works: readonly SetupWork[] }, Json, ReleaseSite> = {
  effect: 'read',
  half: 'again',
  async look({ works }, site, doing): Promise<Seen> {
    const found = await Promise.all(works.map(work => mustSetUp(site).states(work, doing)))
    const lacking = found.flatMap((states, i) =>
      Object.entries(states).flatMap(([name, is]) => (is === 'right' ? [] : [`${works[i]?.phase === 'secret' ? `${works[i]?.of} ` : ''}${name}`])),
    )
    if (lacking.length === 0) return { state: { lacking: null }, is: 'settled' }
    return { state: { lacking }, is: 'settled', because: `${lacking.join(', ')} ${lacking.length === 1 ? 'is' : 'are'} not as wanted` }
  },
  goal: () => ({ lacking: null }),
  undo: () => ({ none: 'it only looks' }),
}

/** Wait until the databases are ready, or it is known that they never will be. */
export const ready: Verb<Record<string, never>, Json, ReleaseSite> = {
  effect: 'read',
  half: 'again',
  look: (_, site, doing) => mustSetUp(site).ready(doing),
  goal: () => ({ ready: true }),
  undo: () => ({ none: 'it only looks' }),
}
