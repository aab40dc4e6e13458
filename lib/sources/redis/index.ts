import { placeName } from '../../exec/place.ts'
import type { Source } from '../source.ts'
import { parsedUrl, type Server, whereOf } from './address.ts'
import { contentOf } from './content.ts'
import { factsOf, presenceOf, remainsOf } from './facts.ts'
import { loadOf } from './load.ts'
import { type RedisOptions, type Site, serverOf } from './site.ts'
import { dumpOf, examine } from './snapshot.ts'
import { forgetOf, swapBackOf, swapOf, unloadOf } from './swap.ts'

export type { RedisOptions } from './site.ts'

/**
 * All databases of a Redis server (6 or newer, no cluster), through redis-cli, here or inside its service. A dump is an RDB file.
 * No lock: the swap is one command of the server, before which writers write to the old data and after which to the restored.
 * Throws Trouble(2) for an address that cannot be.
 */
export function redis(name: string, options: RedisOptions): Source {
  const site = siteOf(name, options)
  return {
    name,
    kind: 'redis',
    where: site.where,
    ending: 'rdb',
    byHand: BY_HAND,
    facts: doing => factsOf(site, doing),
    dump: () => dumpOf(site),
    examine,
    load: (place, run) => loadOf(site, place, run),
    presence: (run, doing) => presenceOf(site, run, doing),
    content: (place, run, doing) => contentOf(site, place, run, doing),
    unload: (place, run) => unloadOf(site, place, run),
    swap: run => swapOf(site, run),
    swapBack: run => swapBackOf(site, run),
    forget: run => forgetOf(site, run),
    remains: doing => remainsOf(site, doing),
  }
}

/** With the append-only file on, Redis would not look at dump.rdb, and would write over it when it stops. */
const BY_HAND = [
  'cat > dump.rdb.new',
  'redis-check-rdb dump.rdb.new',
  'redis-cli CONFIG GET dir  # the folder of dump.rdb; then stop Redis',
  'mv dump.rdb.new dump.rdb  # in that folder, owned by the user of Redis; move its appendonlydir away',
  'redis-server --appendonly no  # with the usual settings otherwise',
  'redis-cli INFO keyspace  # compare the counts',
  'redis-cli CONFIG SET appendonly yes  # where it was on',
]

function siteOf(name: string, options: RedisOptions): Site {
  const { scratch, bin } = options
  const within = options.in
  const live = serverOf(name, options)
  const drills: Server | undefined = scratch && {
    ...{ ...parsedUrl(scratch), setting: scratch.name, socket: undefined, within: undefined, bin: within ? undefined : bin },
  }
  return { name, where: whereOf(live, within ? placeName(within) : ''), live, scratch: drills, bin: within ? undefined : bin }
}
