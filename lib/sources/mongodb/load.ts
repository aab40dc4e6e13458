import { feed, prints } from '../../exec/process.ts'
import { Trouble } from '../../plan/outcome.ts'
import type { Doing } from '../../plan/plan.ts'
import type { Load, Place } from '../source.ts'
import { type ArchiveReader, archiveReader } from './archive.ts'
import { renaming, restoreArgv, restored } from './argv.ts'
import { listed } from './client.ts'
import { besideName, leftover, scratchDatabase } from './names.ts'
import type { Site } from './site.ts'
import { toolCommand, toolTrouble } from './tools.ts'

/** The longest name of a database that MongoDB takes, in bytes. */
const LONGEST_DATABASE = 63

/** Loads an archive beside the live collections, or into a scratch database; only into names that are free. */
export function loadOf(site: Site, place: Place, run: string): Load {
  const database = place === 'scratch' ? scratchDatabase(site.database, run) : site.database
  const reach = place === 'scratch' ? site.scratch : site.live
  const names = place === 'scratch' ? renaming(site.database, database) : renaming(site.database, database, besideName('', run))
  const command = toolCommand(site, reach, 'mongorestore', restoreArgv(names), true)
  return {
    prints: prints(command),
    async take(bytes, doing: Doing) {
      if (site.oplog)
        throw new Trouble(3, `A dump with its oplog cannot be loaded under other names; restore ${site.name} by hand into an empty server.`)
      if (Buffer.byteLength(database) > LONGEST_DATABASE) throw new Trouble(3, `${database} is too long for the name of a database.`)
      await mustBeFree(site, place, { run, database }, doing)
      const reader = await archiveReader()
      const { stderr } = await feed(command, watched(bytes, reader, site), doing).catch(error => {
        throw toolTrouble(error, site)
      })
      const wanted = reader.end().reduce((sum, { count }) => sum + count, 0)
      const said = restored(stderr)
      // It exits 0 although documents failed, so its own count decides.
      if (said?.done === wanted && said.failed === 0) return
      const took = said ? `${said.done} documents restored, ${said.failed} failed` : 'no count'
      throw new Trouble(7, `mongorestore exited 0 but did not load everything: ${took}, ${wanted} are in the dump.`, { look: [stderr] })
    },
  }
}

async function mustBeFree(site: Site, place: Place, { run, database }: { run: string; database: string }, doing: Doing): Promise<void> {
  const all = await listed(place === 'scratch' ? site.scratch : site.live, database, doing)
  const taken = all.filter(({ name }) => place === 'scratch' || (leftover(name)?.place === 'beside' && leftover(name)?.run === run))
  if (taken.length > 0)
    throw new Trouble(5, `${database} already holds what run ${run} loaded: ${taken.map(({ name }) => name).join(', ')}. Unload it first.`)
}

/** The bytes on their way, stopped before mongorestore can see the end of a front matter that names another database: it would write there. */
async function* watched(bytes: AsyncIterable<Buffer>, reader: ArchiveReader, site: Site): AsyncGenerator<Buffer> {
  let checked = false
  for await (const chunk of bytes) {
    reader.push(chunk)
    if (!checked && reader.announced) {
      checked = true
      const foreign = reader.names.find(({ database }) => database !== site.database)
      if (foreign) throw new Trouble(3, `The dump holds database ${foreign.database}; this part is ${site.database}.`)
    }
    yield chunk
  }
}
