import { placeName } from '../../exec/place.ts'
import { Trouble } from '../../plan/outcome.ts'
import type { Content, Source } from '../source.ts'
import { archiveReader } from './archive.ts'
import { contentOf, dumpOf, itemsOf } from './dump.ts'
import { factsOf, presenceOf, remainsOf } from './facts.ts'
import { loadOf } from './load.ts'
import { scratchDatabase } from './names.ts'
import type { MongodbOptions, Site } from './site.ts'
import { forgetOf, swapBackOf, swapOf, unloadOf } from './swap.ts'
import { copyFor, hostOf, whereOf } from './uri.ts'

export type { MongodbOptions } from './site.ts'

/**
 * One database of a MongoDB server, through mongodump and mongorestore, here or inside its service; all else is asked by the driver. Throws Trouble(2) for an address or a list of databases that cannot be.
 * It has no `lock`: MongoDB has none that spares one database and outlives a crash, and a renamed collection is made anew by the
 * first write to its old name. Writers must be stopped before a swap; one that was not makes the swap stop, and nothing is overwritten.
 */
export function mongodb(name: string, options: MongodbOptions): Source {
  const site = siteOf(name, options)
  return {
    name,
    kind: 'mongodb',
    where: site.where,
    ending: 'archive',
    byHand: [byHand(site)],
    facts: doing => factsOf(site, doing),
    dump: () => dumpOf(site),
    examine,
    load: (place, run) => loadOf(site, place, run),
    presence: (run, doing) => presenceOf(site, run, doing),
    content: (place, run, doing) => contentOf(site, place, run, doing),
    unload: (place, run) => unloadOf(site, place, run),
    swap: (run, names) => swapOf(site, run, names),
    swapBack: (run, names) => swapBackOf(site, run, names),
    forget: run => forgetOf(site, run),
    remains: doing => remainsOf(site, doing),
    ...(site.oplog
      ? {}
      : {
          copyFor: (address, run) => copyFor(address, site.database, scratchDatabase(site.database, run), options.scratch),
          // On a throw-away server the name alone would lead to nothing.
          copyNamed: (name, run) => (name === site.database && !options.scratch ? scratchDatabase(site.database, run) : undefined),
        }),
    writersMustStop: 'a write to a collection that was just renamed would make it anew',
  }
}

/** With another database as its target, so that a restore by hand never touches the live one. */
function byHand({ database, oplog }: Site): string {
  const how = oplog ? '--oplogReplay' : `--nsFrom='${database}.$c$' --nsTo='${database}_restored.$c$'`
  return `mongorestore --config=uri.yaml --archive --stopOnError ${how}  # uri.yaml: one line, uri: "mongodb://USER:PASSWORD@HOST:27017/?authSource=admin"`
}

function siteOf(name: string, options: MongodbOptions): Site {
  const { uri, databases, collections, scratch, bin, oplog = false } = options
  const [database] = databases
  if (database === undefined || databases.length > 1) {
    throw new Trouble(2, `${name}.databases must name one database, found ${databases.length}.`, {
      next: ['write a part of its own for each database'],
    })
  }
  const within = options.in
  const live = { uri, within }
  if (within) hostOf(uri)
  const where = `${within ? `${placeName(within)} ` : ''}${whereOf(uri, database)}`
  const drills = scratch ? { uri: scratch, within: undefined } : live
  return { name, where, live, database, expected: collections?.expected ?? [], scratch: drills, bin, oplog }
}

async function examine(bytes: AsyncIterable<Buffer>): Promise<Content> {
  const reader = await archiveReader()
  for await (const chunk of bytes) reader.push(chunk)
  return { items: itemsOf(reader.end()), warnings: [] }
}
