import { Trouble } from '../../../plan/outcome.ts'
import type { Doing } from '../../../plan/plan.ts'
import type { Setup, SetupPart, SetupState, SetupWants, SetupWork, Survey } from '../../setup.ts'
import { ApiError } from '../api.ts'
import { applied } from '../apply.ts'
import { type Manifest, nameOf } from '../objects.ts'
import type { Site } from '../site.ts'
import { apply, remove, type Standing, standingOf } from './objects.ts'
import { readyOf } from './ready.ts'
import { rightsOf } from './rights.ts'
import { keyStates, keysOf, makeKeys, unmakeKeys } from './secrets.ts'
import { digests, type Wanted, wantedOf } from './wanted.ts'

/** Makes a namespace with what releases need in it; `wants` is asked whenever something of the stack file is needed. */
export function setupOf(site: Site, wants: () => SetupWants): Setup {
  let last: Promise<Wanted> | undefined
  // What was surveyed is what is worked with: an overlay that changes meanwhile is seen by the next survey.
  const wanted = (doing: Doing): Promise<Wanted> => {
    last ??= wantedOf(site, wants(), doing)
    return last
  }
  const chosen = async ({ phase, things }: SetupWork, doing: Doing): Promise<readonly Manifest[]> => {
    const made = await wanted(doing)
    const objects = phase === 'data' ? made.data : [made.namespace, ...made.setup]
    const found = digests(objects)
    const other = Object.keys(things).find(name => found[name] !== things[name])
    if (other !== undefined)
      throw new Trouble(3, `${other} has changed since the plan was made`, { next: ['start again: the plan will be made from what is there now'] })
    return objects.filter(object => nameOf(object) in things)
  }
  /** For looking and removing, names are enough. */
  const named = async ({ phase, things }: SetupWork, doing: Doing): Promise<readonly Manifest[]> => {
    const made = await wanted(doing)
    return (phase === 'data' ? made.data : [made.namespace, ...made.setup]).filter(object => nameOf(object) in things)
  }
  return {
    async survey(data, doing) {
      await site.kube.verify(doing)
      last = undefined
      return surveyed(site, wants(), await wanted(doing), data, doing)
    },
    ground: async doing => applied(site, [(await wanted(doing)).namespace], doing, 'for good'),
    async states(work, doing) {
      if (work.phase === 'secret') return keyStates(site, work.of, Object.keys(work.things), doing)
      return statesOf(await standingOf(site, await named(work, doing), doing))
    },
    make: work => [
      work.phase === 'secret'
        ? makeKeys(site, wants, work.of, Object.keys(work.things))
        : apply(site, doing => chosen(work, doing), Object.keys(work.things)),
    ],
    unmake: work => [
      work.phase === 'secret'
        ? unmakeKeys(site, work.of, Object.keys(work.things))
        : remove(site, Object.keys(work.things), doing => named(work, doing)),
    ],
    ready: async doing => readyOf(site, (await wanted(doing)).data, doing),
  }
}

const statesOf = (standing: readonly Standing[]): Record<string, SetupState> => Object.fromEntries(standing.map(({ name, is }) => [name, is]))

/** Whether the namespace is there; of one that we may not look at it is taken to be. */
async function isThere({ kube }: Site, doing: Doing): Promise<boolean> {
  try {
    return (await kube.api.find(`/api/v1/namespaces/${kube.namespace}`, { doing })) !== undefined
  } catch (error) {
    if (error instanceof ApiError && error.status === 403) return true
    throw error
  }
}

async function surveyed(site: Site, wants: SetupWants, made: Wanted, data: boolean, doing: Doing): Promise<Survey> {
  const { kube } = site
  const there = await isThere(site, doing)
  const objects = [...made.setup, ...(data ? made.data : [])]
  const needs = await rightsOf(site, objects, !there, doing)
  const ground = there ? null : `Namespace/${kube.namespace}`
  if (needs.some(({ holds }) => !holds)) return { needs, ground, parts: [], unready: false, stays: [] }
  const [setup, dataNow, ...keys] = await Promise.all([
    // A namespace that is missing is made before anything else, and so it is nothing that a step makes.
    standingOf(site, there ? [made.namespace, ...made.setup] : made.setup, doing),
    data ? standingOf(site, made.data, doing) : [],
    ...Object.keys(wants.secrets).map(name => keysOf(site, wants, name, doing)),
  ] as const)
  const secrets = Object.keys(wants.secrets).map((name, i) => ({ name, ...keys[i]! }))
  const torn = secrets.filter(one => one.torn.length > 0)
  const databases = onlyWithOthers(dataNow, made.data)
  const unready = data && databases.every(({ is }) => is === 'right') && (await readyOf(site, made.data, doing)).is !== 'settled'
  return {
    unready,
    needs: [
      ...needs,
      ...torn.map(({ name, torn: halves }) => ({
        title: `${name} is whole`,
        holds: false,
        because: `Of ${halves.join(' and ')} in the Secret ${name} only one is there, and a certificate is made whole`,
        mend: `make the other one by hand, or remove the one that is there: ${kube.typed('edit', 'secret', name)}`,
      })),
    ],
    ground,
    parts: [
      ...objectsPart('setup', setup, [made.namespace, ...made.setup]),
      ...secrets.flatMap(({ name, states, says }): SetupPart[] =>
        Object.keys(says).length === 0 ? [] : [{ phase: 'secret', of: name, things: says, states: missingOf(states), says }],
      ),
      ...objectsPart('data', databases, made.data),
    ],
    stays: secrets.flatMap(({ stays }) => stays),
  }
}

const missingOf = (states: Readonly<Record<string, SetupState>>) => Object.fromEntries(Object.entries(states).filter(([, is]) => is !== 'right'))

/** A job of the databases runs when something else of them is made: where all else stands, it has been done. */
function onlyWithOthers(standing: readonly Standing[], objects: readonly Manifest[]): readonly Standing[] {
  const jobs = new Set(objects.filter(({ kind }) => kind === 'Job').map(nameOf))
  const idle = standing.every(({ name, is }) => jobs.has(name) || is === 'right')
  return standing.filter(({ name }) => !idle || !jobs.has(name))
}

function objectsPart(phase: 'setup' | 'data', standing: readonly Standing[], objects: readonly Manifest[]): SetupPart[] {
  const known = digests(objects)
  return (['missing', 'differs'] as const).flatMap((is): SetupPart[] => {
    const those = standing.filter(one => one.is === is)
    if (those.length === 0) return []
    return [
      {
        phase,
        of: is === 'missing' ? 'new' : 'changed',
        things: Object.fromEntries(those.map(({ name }) => [name, known[name] ?? ''])),
        states: statesOf(those),
        says: Object.fromEntries(those.map(({ name, says }) => [name, says.join('; ')])),
      },
    ]
  })
}
