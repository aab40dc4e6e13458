import type { Db, MongoClient } from 'mongodb'
import { Trouble } from '../../plan/outcome.ts'
import type { Doing } from '../../plan/plan.ts'
import { redact } from '../../plan/secrets.ts'
import type { PartFacts, Presence } from '../source.ts'
import { collectionsOf, connected, listed } from './client.ts'
import { isLive, leftover, scratchDatabase, scratchRun } from './names.ts'
import type { Site } from './site.ts'
import { toolsOf } from './tools.ts'

type Live = Pick<PartFacts, 'state' | 'because' | 'sizeBytes' | 'counts' | 'newest'>

/** What stands now: counts and size come from the server's own bookkeeping (size with what restores left), the newest time from ObjectIds. Known within about 5 s when nobody answers. */
export async function factsOf(site: Site, doing: Doing): Promise<PartFacts> {
  const [tools, live] = await Promise.all([toolsOf(site, doing), look(site, doing)])
  return { name: site.name, kind: 'mongodb', where: site.where, tools, ...live }
}

async function look(site: Site, doing: Doing): Promise<Live> {
  try {
    return await connected(site.live, doing, client => liveFacts(client, site))
  } catch (error) {
    const state = error instanceof Trouble && error.exit === 3 ? 'denied' : 'unreachable'
    return { state, because: redact(error instanceof Error ? error.message : String(error)), sizeBytes: 0, counts: {} }
  }
}

async function liveFacts(client: MongoClient, site: Site): Promise<Live> {
  const db = client.db(site.database)
  const live = (await collectionsOf(db)).filter(({ name, type }) => isLive(name) && type !== 'view').map(({ name }) => name)
  if (live.length === 0) return { state: 'missing', because: await whyMissing(client, site), sizeBytes: 0, counts: {} }
  const counts: Record<string, number> = {}
  let newest: Date | undefined
  for (const name of live) {
    counts[name] = await db.collection(name).estimatedDocumentCount()
    const made = await newestOf(db, name)
    if (made && (!newest || made > newest)) newest = made
  }
  const { dataSize } = await db.command({ dbStats: 1 })
  return { state: 'answers', sizeBytes: Number(dataSize), counts, ...(newest ? { newest: newest.toISOString() } : {}) }
}

/** A server that cannot answer this from its index would sort everything: the newest time is not worth that. */
const NEWEST_MS = 2_000

/** When the newest document was made, where the last `_id` is an ObjectId, which begins with its time; unknown when the server takes too long to say. */
async function newestOf(db: Db, name: string): Promise<Date | undefined> {
  const [last] = await db
    .collection(name)
    .find({}, { projection: { _id: 1 }, timeoutMS: NEWEST_MS })
    .sort({ _id: -1 })
    .limit(1)
    .toArray()
    .catch(error => {
      if (error instanceof Error && error.name === 'MongoOperationTimeoutError') return []
      throw error
    })
  return (last?._id as { getTimestamp?(): Date } | undefined)?.getTimestamp?.()
}

async function whyMissing(client: MongoClient, site: Site): Promise<string> {
  const there = await databasesOf(client)
  const names = there.length > 0 ? `; the server has ${there.join(', ')}` : ''
  return `${site.database} has no collections${names}`
}

/** Names of the server's databases; none when this user may not list them. */
async function databasesOf(client: MongoClient): Promise<string[]> {
  try {
    const { databases } = await client.db('admin').admin().listDatabases({ nameOnly: true })
    return databases.map(({ name }) => name)
  } catch (error) {
    if ((error as { code?: unknown }).code === UNAUTHORIZED) return []
    throw error
  }
}

const UNAUTHORIZED = 13

/** How many collections stand in each place for a run. */
export async function presenceOf(site: Site, run: string, doing: Doing): Promise<Presence> {
  // Views are neither dumped nor swapped, and would make the numbers differ.
  const names = (await listed(site.live, site.database, doing)).filter(({ type }) => type !== 'view').map(({ name }) => name)
  const of = (place: 'beside' | 'aside') => names.filter(name => leftover(name)?.place === place && leftover(name)?.run === run).length
  const scratch = await listed(site.scratch, scratchDatabase(site.database, run), doing)
  return { live: names.filter(isLive).length, beside: of('beside'), aside: of('aside'), scratch: scratch.length }
}

/** The runs that left collections or a scratch database, each place once. */
export async function remainsOf(site: Site, doing: Doing): Promise<{ run: string; place: 'beside' | 'aside' | 'scratch' }[]> {
  const found = (await listed(site.live, site.database, doing)).flatMap(({ name }) => leftover(name) ?? [])
  const rests = new Map(found.map(({ run, place }) => [`${place} ${run}`, { run, place }]))
  const databases = await connected(site.scratch, doing, databasesOf)
  const drills = databases.flatMap(name => scratchRun(name, site.database) ?? []).map(run => ({ run, place: 'scratch' as const }))
  return [...rests.values(), ...drills]
}
