import { type Command, prints, stdoutOf } from '../../exec/process.ts'
import { plural } from '../../plan/durations.ts'
import { Trouble } from '../../plan/outcome.ts'
import type { Doing } from '../../plan/plan.ts'
import type { Content, Dump, Items, Place } from '../source.ts'
import { archiveReader, type Namespace } from './archive.ts'
import { dumpArgv } from './argv.ts'
import { type Listed, listed } from './client.ts'
import { isLive, leftover, scratchDatabase } from './names.ts'
import type { Reach, Site } from './site.ts'
import { toolCommand, toolTrouble } from './tools.ts'

/** The live collections as one archive; its content is taken from the very bytes, so that writes meanwhile do not matter. */
export function dumpOf(site: Site): Dump {
  let content: Content | undefined
  return {
    prints: prints(live(site, [])),
    async *open(doing: Doing) {
      const all = await listed(site.live, site.database, doing)
      const wanted = liveOf(site, all)
      if (site.oplog) await mustHaveOplog(site, doing)
      const reader = await archiveReader()
      for await (const chunk of archiveOf(site, live(site, without(all, wanted)), doing)) {
        reader.push(chunk)
        yield chunk
      }
      const namespaces = reader.end()
      content = {
        items: site.oplog ? itemsOf(namespaces, (name, database) => `${database}.${name}`) : itemsOf(namespaces),
        warnings: [...leftOut(all), ...vanished(site, wanted, namespaces)],
      }
    },
    content() {
      if (!content) throw new Error('content() is known only after the dump has ended well')
      return content
    },
  }
}

/** Counts and digests of the collections that stand in a place, under their live names, from a dump that goes nowhere. */
export async function contentOf(site: Site, place: Place | 'live', run: string, doing: Doing): Promise<Content> {
  const reach = place === 'scratch' ? site.scratch : site.live
  const database = place === 'scratch' ? scratchDatabase(site.database, run) : site.database
  const all = await listed(reach, database, doing)
  const whole = all.filter(({ type }) => type !== 'view').map(({ name }) => name)
  const stands = whole.filter(name => (place === 'beside' ? leftoverOf(name, run) !== undefined : isLive(name)))
  if (stands.length === 0) return { items: {}, warnings: [] }
  const reader = await archiveReader()
  for await (const chunk of archiveOf(site, mongodump(site, reach, dumpArgv({ database, excluded: without(all, stands) })), doing)) reader.push(chunk)
  return { items: itemsOf(reader.end(), name => leftoverOf(name, run) ?? name), warnings: [] }
}

function leftoverOf(name: string, run: string): string | undefined {
  const found = leftover(name)
  return found?.place === 'beside' && found.run === run ? found.of : undefined
}

/** What an archive holds, by collection. */
export function itemsOf(namespaces: readonly Namespace[], nameOf = (collection: string, _database: string) => collection): Record<string, Items> {
  return Object.fromEntries(namespaces.map(({ database, collection, count, digest }) => [nameOf(collection, database), { count, digest }]))
}

/** The live data: one database, or with its oplog the whole server, of which nothing can be left out. */
function live(site: Site, excluded: readonly string[]): Command {
  return mongodump(site, site.live, dumpArgv(site.oplog ? { oplog: true } : { database: site.database, excluded }))
}

async function mustHaveOplog(site: Site, doing: Doing): Promise<void> {
  const local = await listed(site.live, 'local', doing)
  if (local.some(({ name }) => name === 'oplog.rs')) return
  throw new Trouble(3, `${site.where} has no oplog: its server is not a member of a replica set.`, { next: [`set oplog: false for ${site.name}`] })
}

const mongodump = (site: Site, reach: Reach, argv: readonly string[]) => toolCommand(site, reach, 'mongodump', argv, false)

async function* archiveOf(site: Site, command: Command, doing: Doing): AsyncGenerator<Buffer> {
  try {
    // Nobody keeps a chunk: the parser and the frames both copy what they need.
    yield* stdoutOf(command, doing, { lend: true })
  } catch (error) {
    throw toolTrouble(error, site)
  }
}

function without(all: readonly Listed[], wanted: readonly string[]): string[] {
  return all.map(({ name }) => name).filter(name => !wanted.includes(name))
}

/** The collections to dump; throws for what must not become a backup that cannot be restored. */
function liveOf(site: Site, all: readonly Listed[]): string[] {
  const live = all.filter(({ name }) => isLive(name))
  const series = live.find(({ type }) => type === 'timeseries')
  if (series) throw new Trouble(3, `${site.where}: ${series.name} is a time series, which cannot be loaded beside and swapped.`)
  const names = live.filter(({ type }) => type !== 'view').map(({ name }) => name)
  // mongodump would say so in its log, write an archive of nothing, and exit 0.
  if (names.length === 0)
    throw new Trouble(7, `There is nothing to dump: ${site.where} has no collections.`, { next: ['check the name of the database'] })
  const missing = site.expected.filter(name => !names.includes(name))
  if (missing.length > 0) throw new Trouble(7, `${site.where} lacks collections that are expected: ${missing.join(', ')}.`)
  return names
}

/** What stands in the database and is not in the dump, so that nobody has to find out at a restore; what restores set aside is no data of the stack. */
function leftOut(all: readonly Listed[]): string[] {
  const views = all.filter(({ name, type }) => type === 'view' && isLive(name)).map(({ name }) => name)
  return [...(views.length > 0 ? [`not in the dump: ${plural(views.length, 'view')} (${views.join(', ')}), which cannot be swapped`] : [])]
}

/** Collections that were listed and then not dumped, although the tool exited 0. */
function vanished(site: Site, wanted: readonly string[], namespaces: readonly Namespace[]): string[] {
  const dumped = new Set(namespaces.filter(({ database }) => database === site.database).map(({ collection }) => collection))
  const gone = wanted.filter(name => !dumped.has(name))
  const needed = gone.filter(name => site.expected.includes(name))
  if (needed.length > 0 || dumped.size === 0)
    throw new Trouble(7, `mongodump left out collections of ${site.where} and said nothing: ${gone.join(', ')}.`)
  return gone.map(name => `${name} was dropped while the dump was taken, and is not in it`)
}
