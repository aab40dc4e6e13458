import { placeName } from '../../exec/place.ts'
import { Trouble } from '../../plan/outcome.ts'
import type { Source } from '../source.ts'
import { parsedUrl, type Server, USUAL_PORT, whereOf } from './address.ts'
import { contentOf } from './content.ts'
import { factsOf, presenceOf, remainsOf } from './facts.ts'
import { loadOf } from './load.ts'
import type { RedisOptions, Site } from './site.ts'
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
  const { url, host, port, user, password, scratch, bin } = options
  if (url !== undefined && [host, port, user, password].some(value => value !== undefined)) {
    throw new Trouble(2, `${name} has an address twice.`, { next: ['write either url, or host, port, user and password'] })
  }
  const within = options.in
  const reached = url ? parsedUrl(url) : { host: host ?? '127.0.0.1', port: port ?? USUAL_PORT, tls: false, user, password }
  const live: Server = { ...reached, setting: url?.name ?? password?.name ?? name, socket: undefined, within, bin }
  const drills: Server | undefined = scratch && {
    ...{ ...parsedUrl(scratch), setting: scratch.name, socket: undefined, within: undefined, bin: within ? undefined : bin },
  }
  return { name, where: whereOf(live, within ? placeName(within) : ''), live, scratch: drills, bin: within ? undefined : bin }
}
