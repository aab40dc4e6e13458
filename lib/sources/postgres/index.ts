import { quote } from '../../exec/command.ts'
import { placeName } from '../../exec/place.ts'
import type { Content, Source } from '../source.ts'
import { copyFor, parsedUrl, type Server, whereOf } from './address.ts'
import { ArchiveReader } from './archive.ts'
import { contentOf, dumpOf } from './dump.ts'
import { factsOf, presenceOf, remainsOf } from './facts.ts'
import { loadOf } from './load.ts'
import { lockOf } from './lock.ts'
import { databaseAt } from './names.ts'
import { type PostgresOptions, type Site, serverOf } from './site.ts'
import { forgetOf, swapBackOf, swapOf, unloadOf } from './swap.ts'

export type { PostgresOptions } from './site.ts'

/**
 * One database of a PostgreSQL server (13 or newer), through pg_dump, pg_restore and psql, here or inside its service.
 * A dump is a `pg_dump -Fc` archive with the server's roles as SQL behind it. The user owns the database and may create databases.
 * Throws Trouble(2) for an address that cannot be.
 */
export function postgres(name: string, options: PostgresOptions): Source {
  const site = siteOf(name, options)
  return {
    name,
    kind: 'postgres',
    where: site.where,
    ending: 'dump',
    byHand: byHand(site.database),
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
    copyFor: (address, run) => copyFor(address, site.database, databaseAt(site.database, 'scratch', run), options.scratch),
    // On a throw-away server the name alone would lead to nothing.
    copyNamed: (name, run) => (name === site.database && !options.scratch ? databaseAt(site.database, 'scratch', run) : undefined),
    lock: lockOf(site),
  }
}

/** pg_restore reads the file as it is; the roles behind the archive are text that sed finds. Into a new database, never over the live one. */
function byHand(database: string): string[] {
  const into = quote(`${database}_restored`)
  return [
    `cat > ${quote(`${database}.dump`)}`,
    // The last mark counts: rows could hold the same text, and the mark follows binary bytes without a line of its own.
    `tail -c "+$(( $(LC_ALL=C grep -abo -e '-- Roles and tablespaces of the server' ${quote(`${database}.dump`)} | tail -n 1 | cut -d: -f1) + 1 ))" ${quote(`${database}.dump`)} | psql -X -d postgres  # only on a new server; roles come without passwords`,
    `createdb --template=template0 ${into}`,
    `pg_restore -1 --exit-on-error --dbname=${into} ${quote(`${database}.dump`)}`,
  ]
}

/** A dump that waited without end for a lock would hold up everybody who comes after it. */
const LOCK_WAIT_MS = 30_000

function siteOf(name: string, options: PostgresOptions): Site {
  const { database, scratch, bin, maintenance = 'postgres', lockWaitMs = LOCK_WAIT_MS } = options
  const within = options.in
  const live = serverOf(name, options)
  const drills: Server = scratch ? { ...parsedUrl(scratch), setting: scratch.name, within: undefined, bin: within ? undefined : bin } : live
  return { name, where: whereOf(live, within ? placeName(within) : '', database), database, maintenance, lockWaitMs, live, scratch: drills }
}

async function examine(bytes: AsyncIterable<Buffer>): Promise<Content> {
  const reader = new ArchiveReader()
  for await (const chunk of bytes) reader.push(chunk)
  return reader.end({ globals: true })
}
