import { versionsOf } from '../../exec/versions.ts'
import { Trouble } from '../../plan/outcome.ts'
import type { Doing } from '../../plan/plan.ts'
import type { PartFacts, Presence } from '../source.ts'
import { program } from './cli.ts'
import { expiringName, lastingName } from './rdb/tally.ts'
import { drillRuns, drillStands } from './scratch.ts'
import type { Site } from './site.ts'
import { type Database, liveOf, type State, stateOf, unfit } from './state.ts'

/** The first version whose redis-cli takes a password on stdin and names a user. */
const OLDEST = 6
const MEND = `install redis-tools ${OLDEST} or newer`

/** The live databases as they can be seen now; what cannot be seen is said, not thrown. */
export async function factsOf(site: Site, doing: Doing): Promise<PartFacts> {
  const tools = await toolsOf(site, doing)
  const base = { name: site.name, kind: 'redis', where: site.where, tools, sizeBytes: 0, counts: {} }
  if (tools.some(({ version }) => version === null)) return { ...base, state: 'unreachable', because: 'redis-cli is missing' }
  let state: State
  try {
    state = await stateOf(site.live, doing)
  } catch (error) {
    if (!(error instanceof Trouble) || ![3, 4, 8].includes(error.exit)) throw error
    return { ...base, state: error.exit === 3 ? 'denied' : 'unreachable', because: error.message }
  }
  const because = unfit(state)
  if (because !== undefined) return { ...base, state: 'denied', because }
  const live = liveOf(state)
  const all = { ...base, tools: [...tools, ...serverOf(state)] }
  if (live.length === 0) return { ...all, state: 'missing', because: 'it holds no keys' }
  const sizeBytes = Number(state.info('used_memory_dataset')) || Number(state.info('used_memory'))
  return { ...all, state: 'answers', sizeBytes, counts: Object.assign({}, ...live.map(db => countsOf(state, db))) }
}

/** `db0:keys=3,expires=1,avg_ttl=0` of INFO. */
function countsOf(state: State, { db, keys }: Database): Record<string, number> {
  const expiring = Number(/expires=(\d+)/.exec(state.info(`db${db}`))?.[1] ?? 0)
  return { [lastingName(db)]: keys - expiring, ...(expiring > 0 ? { [expiringName(db)]: expiring } : {}) }
}

function serverOf(state: State): PartFacts['tools'] {
  const version = state.info('redis_version')
  return Number.parseInt(version, 10) < OLDEST ? [{ name: 'a server', version, mend: `Redis ${OLDEST} or newer` }] : []
}

async function toolsOf(site: Site, doing: Doing): Promise<PartFacts['tools']> {
  const found = await versionsOf(site.live, [program(site.live)], site.live.within, doing)
  const said = found?.[0]
  if (said === null) return [{ name: 'redis-cli', version: null, mend: MEND }]
  // That the service is down is said by the next question.
  const version = /redis-cli (\S+)/.exec(said ?? '')?.[1] ?? 'unknown'
  return [{ name: 'redis-cli', version, ...(Number.parseInt(version, 10) < OLDEST ? { mend: MEND } : {}) }]
}

/** How many databases stand in each place for a run; those that held nothing are not counted where they stand. */
export async function presenceOf(site: Site, run: string, doing: Doing): Promise<Presence> {
  const state = await stateOf(site.live, doing)
  const aside = standing(state, run, 'aside')
  // What a swap brought in counts as it was then: the application writes on.
  const swapped = new Map(aside.map(({ mark }) => [mark.of, Number(mark.loaded !== false && mark.loaded.full)]))
  const rest = liveOf(state).filter(({ db }) => !swapped.has(db))
  return {
    live: rest.length + [...swapped.values()].reduce((sum, n) => sum + n, 0),
    beside: standing(state, run, 'beside').filter(({ mark }) => mark.loaded === false || mark.loaded.full).length,
    aside: aside.filter(({ mark }) => mark.had).length,
    scratch: await scratchOf(site, run, doing),
  }
}

async function scratchOf(site: Site, run: string, doing: Doing): Promise<number> {
  if (!site.scratch) return drillStands(site, run)
  return standing(await stateOf(site.scratch, doing), run, 'scratch').length
}

function standing({ dbs }: State, run: string, place: 'beside' | 'aside' | 'scratch') {
  return dbs.flatMap(({ db, mark }) => (mark && mark.run === run && mark.place === place ? [{ db, mark }] : []))
}

/** The runs that left databases or a scratch server, each place once. */
export async function remainsOf(site: Site, doing: Doing): Promise<{ run: string; place: 'beside' | 'aside' | 'scratch' }[]> {
  const states = [await stateOf(site.live, doing), ...(site.scratch ? [await stateOf(site.scratch, doing)] : [])]
  const marks = states.flatMap(({ dbs }) => dbs.flatMap(({ mark }) => (mark ? [{ run: mark.run, place: mark.place }] : [])))
  const drills = site.scratch ? [] : (await drillRuns(site)).map(run => ({ run, place: 'scratch' as const }))
  return [...new Map([...marks, ...drills].map(one => [`${one.place} ${one.run}`, one])).values()]
}
