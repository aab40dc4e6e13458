import { plural } from '../plan/durations.ts'
import { commit, step } from '../plan/nodes.ts'
import { Trouble } from '../plan/outcome.ts'
import type { Change, Doing, Node } from '../plan/plan.ts'
import { plain } from '../platforms/platform.ts'
import type { Setup, SetupPart, Survey } from '../platforms/setup.ts'
import { platformOf, type ReleaseSite } from './site.ts'

/** Longest wait for databases: three members that fetch their image one after the other, in milliseconds. */
const READY_MS = 15 * 60_000

/** One a site: what it has surveyed, it works with. */
const setups = new WeakMap<ReleaseSite, Setup>()

/** What sets a platform up; undefined where nothing needs to be. */
export function setupOn(site: ReleaseSite): Setup | undefined {
  const known = setups.get(site)
  if (known) return known
  const wants = site.setup ?? (() => ({ secrets: {}, configMaps: {} }))
  const made = platformOf(site).setup?.(wants)
  if (made) setups.set(site, made)
  return made
}

/** The same where a plan has such a step. Throws Trouble(5) when the platform no longer has anything to set up. */
export function mustSetUp(site: ReleaseSite): Setup {
  const setup = setupOn(site)
  if (!setup) throw new Trouble(5, `${platformOf(site).where} has nothing to set up any more`)
  return setup
}

/** What an environment has and lacks; null where nothing needs to be set up. */
export async function surveyOf(site: ReleaseSite, data: boolean, doing: Doing): Promise<Survey | null> {
  return (await setupOn(site)?.survey(data, doing)) ?? null
}

function titleOf({ phase, of, things }: SetupPart): string {
  const names = Object.keys(things)
  if (phase === 'secret') return `Make ${plural(names.length, 'key')} of the Secret ${of}`
  if (phase === 'edge') return `Make the front door: ${names.join(', ')}`
  const many = `${plural(names.length, 'object')} of the ${phase === 'data' ? 'databases' : 'setup'}`
  return `${of === 'changed' ? 'Change' : 'Make'} ${many}`
}

const said = (verb: string, of: string, args: unknown): Change => ({ verb, of, args: plain(args) })

function nodeOf(part: SetupPart): Node {
  const { states: _, says: __, ...work } = part
  const changes = work.of === 'changed'
  return step(titleOf(part), said(changes ? 'setup.change' : 'setup.make', `${work.phase} ${work.of}`, work))
}

/** Makes what is missing and changes what differs; nothing of both is no plan at all. */
export function setupPlan(survey: Survey | null, data: boolean): Node[] {
  const parts = survey?.parts ?? []
  const first = parts.filter(({ phase }) => phase !== 'data')
  const databases = parts.filter(({ phase }) => phase === 'data')
  if (parts.length === 0 && !survey?.unready) return []
  const works = first.map(({ phase, of, things }) => ({ phase, of, things }))
  return [
    ...first.map(nodeOf),
    // From here on passwords may be in databases: secrets are not taken back any more.
    ...(works.length > 0 ? [commit('Look that all of it is there', said('setup.stands', 'setup', { works }))] : []),
    ...databases.map(nodeOf),
    ...(data ? [step('Wait until the databases are ready', said('setup.ready', 'databases', {}), { budgetMs: READY_MS })] : []),
  ]
}

/** What is there, missing and other, as lines above a plan. */
export function setupLines(survey: Survey | null): string[] {
  if (!survey) return []
  const lines = survey.parts.flatMap(({ phase, of, states, says }) => {
    if (phase !== 'secret') return Object.entries(states).map(([name, is]) => line(is === 'differs' ? '~' : '+', name, says[name] ?? ''))
    return Object.entries(says).map(([key, how]) => line('+', `Secret/${of} ${key}`, how))
  })
  const ground = survey.ground === null ? [] : [line('+', survey.ground, 'made first, because the lease is kept in it; it stays')]
  const stays = survey.stays.map(what => `  ! ${what}; it stays`)
  const all = [...ground, ...lines, ...stays]
  return all.length === 0 ? [] : [...all, '']
}

const line = (mark: string, name: string, says: string) => `  ${mark} ${name}${says ? `  (${says})` : ''}`

/** What was made and changed, by name. */
export function setupResult(survey: Survey | null): { made: string[]; changed: string[]; stays: readonly string[] } {
  const names = (of: 'missing' | 'differs') =>
    (survey?.parts ?? []).flatMap(part =>
      Object.entries(part.states).flatMap(([name, is]) => (is === of ? [part.phase === 'secret' ? `Secret/${part.of} ${name}` : name] : [])),
    )
  return { made: [...(survey?.ground ? [survey.ground] : []), ...names('missing')], changed: names('differs'), stays: survey?.stays ?? [] }
}
