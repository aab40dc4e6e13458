import { Trouble } from '../../plan/outcome.ts'
import type { Doing } from '../../plan/plan.ts'
import { redact } from '../../plan/secrets.ts'
import type { PartFacts, Presence } from '../source.ts'
import { majorOf, mendFor } from './dump.ts'
import { databaseAt, leftover, tableName } from './names.ts'
import { answers, databases, type Listed } from './query.ts'
import type { Site } from './site.ts'
import { toolVersions } from './tools.ts'

type Live = Pick<PartFacts, 'state' | 'because' | 'sizeBytes' | 'counts' | 'newest'> & { readonly major?: number }

/** The oldest server that can drop a database with force. */
const OLDEST = 13

/** What stands now: small tables are counted, large ones estimated by the server's own statistics. Known within about 5 s when nobody answers. */
export async function factsOf(site: Site, doing: Doing): Promise<PartFacts> {
  const { major, ...live } = await look(site, doing)
  return { name: site.name, kind: 'postgres', where: site.where, tools: await toolsOf(site, major, doing), ...live }
}

async function look(site: Site, doing: Doing): Promise<Live> {
  try {
    const all = await databases(site.live, site.maintenance, doing)
    const major = majorOf(all[0]?.version ?? 0)
    if (!all.some(({ name }) => name === site.database)) return { ...missing(`${site.database} does not exist; the server has ${names(all)}`), major }
    const live = await liveFacts(site, doing)
    if (Object.keys(live.counts).length === 0) return { ...missing(`${site.database} has no tables; the server has ${names(all)}`), major }
    const standby = all[0]?.recovering ? { because: 'the server is a standby: it can be dumped, not restored into' } : {}
    return { state: 'answers', ...standby, ...live, major }
  } catch (error) {
    doing.signal.throwIfAborted()
    const exit = error instanceof Trouble ? error.exit : undefined
    const because = redact(error instanceof Error ? error.message : String(error))
    return { state: exit === 3 || exit === 4 ? 'denied' : 'unreachable', because, sizeBytes: 0, counts: {} }
  }
}

const missing = (because: string): Live => ({ state: 'missing', because, sizeBytes: 0, counts: {} })
const names = (all: readonly Listed[]) => all.map(({ name }) => name).join(', ')

type Row = { table?: [string, string]; count?: number; size?: number; newest?: string | null }

async function liveFacts(site: Site, doing: Doing): Promise<Pick<Live, 'sizeBytes' | 'counts' | 'newest'>> {
  const rows = await answers<Row>(site.live, site.database, LIVE_FACTS, doing)
  const counts: Record<string, number> = {}
  for (const { table, count } of rows) if (table) counts[tableName(...table)] = Math.round(count ?? 0)
  const soon = new Date(Date.now() + DAY_MS).toISOString()
  const newest = rows.flatMap(row => row.newest ?? []).filter(at => at < soon)
  const last = newest.sort().at(-1)
  return { sizeBytes: rows.find(({ size }) => size !== undefined)?.size ?? 0, counts, ...(last ? { newest: last } : {}) }
}

/** A time further ahead is a mistake or an appointment, not when something was written. */
const DAY_MS = 86_400_000

/** Pages (of 8 KiB) up to which a table is counted and searched: 32 MB take about 0.1 s. */
const SMALL_PAGES = 4_096

/** Tables of the application: not the server's own, and not those of extensions, which a dump leaves out. */
const TABLES = `SELECT c.oid, n.nspname, c.relname, c.reltuples, c.relpages, pg_relation_size(c.oid) / 8192 <= ${SMALL_PAGES} AS small
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND c.relpersistence <> 't'
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')`

/** Columns that say when a row was written, by habit; in a large table only where an index makes the question cheap. */
const TIMES = `SELECT t.nspname, t.relname, a.attname FROM (${TABLES}) t JOIN pg_attribute a ON a.attrelid = t.oid AND NOT a.attisdropped
  WHERE lower(a.attname) IN ('created_at', 'updated_at', 'createdat', 'updatedat') AND a.atttypid IN ('timestamptz'::regtype, 'timestamp'::regtype)
  AND (t.small OR EXISTS (SELECT FROM pg_index i WHERE i.indrelid = t.oid AND i.indkey[0] = a.attnum AND i.indpred IS NULL))`

const LIVE_FACTS = `SET TIME ZONE 'UTC';
SELECT json_build_object('size', pg_database_size(current_database()));
SELECT json_build_object('table', json_build_array(nspname, relname), 'count', greatest(reltuples, 0)) FROM (${TABLES}) t WHERE NOT small;
SELECT format('SELECT json_build_object(''table'', json_build_array(%L, %L), ''count'', count(*)) FROM ONLY %I.%I', nspname, relname, nspname, relname)
  FROM (${TABLES}) t WHERE small \\gexec
SELECT format('SELECT json_build_object(''newest'', to_char(max(%I)::timestamptz, ''YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'')) FROM %I.%I', attname, nspname, relname)
  FROM (${TIMES}) t \\gexec
`

async function toolsOf(site: Site, major: number | undefined, doing: Doing): Promise<PartFacts['tools']> {
  const found = [...(await toolVersions(site, doing))].map(([name, version]) => {
    const old = version !== null && major !== undefined && Number.parseInt(version, 10) < major
    return { name, version, ...(version === null || old ? { mend: mendFor(major) } : {}) }
  })
  if (major === undefined || major >= OLDEST) return found
  return [...found, { name: 'a server', version: String(major), mend: `PostgreSQL ${OLDEST} or newer` }]
}

/** How many databases stand in each place for a run. */
export async function presenceOf(site: Site, run: string, doing: Doing): Promise<Presence> {
  const live = (await databases(site.live, site.maintenance, doing)).map(({ name }) => name)
  const scratch = site.scratch === site.live ? live : (await databases(site.scratch, site.maintenance, doing)).map(({ name }) => name)
  const in_ = (all: readonly string[], place: 'live' | 'beside' | 'aside' | 'scratch') => Number(all.includes(databaseAt(site.database, place, run)))
  return { live: in_(live, 'live'), beside: in_(live, 'beside'), aside: in_(live, 'aside'), scratch: in_(scratch, 'scratch') }
}

/** The runs that left databases. */
export async function remainsOf(site: Site, doing: Doing): Promise<{ run: string; place: 'beside' | 'aside' | 'scratch' }[]> {
  const live = await databases(site.live, site.maintenance, doing)
  const scratch = site.scratch === site.live ? [] : await databases(site.scratch, site.maintenance, doing)
  return [...live, ...scratch].flatMap(({ name }) => leftover(name, site.database) ?? [])
}
