import { mustRun, prints, stdoutOf } from '../../exec/process.ts'
import { Trouble } from '../../plan/outcome.ts'
import type { Doing } from '../../plan/plan.ts'
import type { Content, Dump, Place } from '../source.ts'
import type { Server } from './address.ts'
import { ArchiveReader } from './archive.ts'
import { dumpCommand, globalsCommand } from './commands.ts'
import { globalsOf } from './globals.ts'
import { databaseAt } from './names.ts'
import { databases } from './query.ts'
import type { Site } from './site.ts'
import { toolVersions } from './tools.ts'
import { toolTrouble } from './trouble.ts'

/** The live database as one archive, with the server's roles behind it; its content is taken from the very bytes, so that writes meanwhile do not matter. */
export function dumpOf(site: Site): Dump {
  let content: Content | undefined
  return {
    prints: `${prints(dumpCommand(site.live, site.database, site.lockWaitMs))} && ${prints(globalsCommand(site.live, site.maintenance))}`,
    async *open(doing: Doing) {
      await mustFit(site, doing)
      const roles = globalsOf(await rolesIn(site, doing))
      const reader = new ArchiveReader()
      for await (const chunk of archiveOf(site, site.live, site.database, doing)) {
        reader.push(chunk)
        yield chunk
      }
      if (reader.contents && !reader.contents.entries.some(({ data }) => data)) {
        throw new Trouble(7, `There is nothing to dump: ${site.where} has no tables.`, { next: ['check the name of the database'] })
      }
      content = reader.end({ globals: false })
      yield roles
    },
    content() {
      if (!content) throw new Error('content() is known only after the dump has ended well')
      return content
    },
  }
}

/** Counts and digests of what stands in a place, from a dump that goes nowhere. */
export async function contentOf(site: Site, place: Place | 'live', run: string, doing: Doing): Promise<Content> {
  const server = place === 'scratch' ? site.scratch : site.live
  const database = databaseAt(site.database, place, run)
  const all = await databases(server, site.maintenance, doing)
  if (!all.some(({ name }) => name === database)) {
    if (place === 'live') return { items: {}, warnings: [] }
    throw new Trouble(4, `Nothing is loaded in ${database}`)
  }
  const reader = new ArchiveReader()
  for await (const chunk of archiveOf(site, server, database, doing)) reader.push(chunk)
  return reader.end({ globals: false })
}

async function* archiveOf(site: Site, server: Server, database: string, doing: Doing): AsyncGenerator<Buffer> {
  try {
    yield* stdoutOf(dumpCommand(server, database, site.lockWaitMs), doing)
  } catch (error) {
    throw toolTrouble(error, server)
  }
}

async function rolesIn({ live, maintenance }: Site, doing: Doing): Promise<string> {
  try {
    return (await mustRun(globalsCommand(live, maintenance), doing)).stdout
  } catch (error) {
    throw toolTrouble(error, live)
  }
}

/** Refused before the first byte: no such database, and a pg_dump that is older than its server. */
async function mustFit(site: Site, doing: Doing): Promise<void> {
  const { live, maintenance, database, where } = site
  const all = await databases(live, maintenance, doing)
  if (!all.some(({ name }) => name === database)) {
    const names = all.map(({ name }) => name).join(', ')
    throw new Trouble(7, `There is nothing to dump: ${where} does not exist; the server has ${names}.`, { next: ['check the name of the database'] })
  }
  const server = majorOf(all[0]!.version)
  const found = (await toolVersions(site, doing)).get('pg_dump') ?? null
  if (found !== null && Number.parseInt(found, 10) < server) {
    throw new Trouble(3, `pg_dump ${found} is older than its server, PostgreSQL ${server}, and cannot dump it.`, { next: [mendFor(server)] })
  }
}

/** 150018 is 15.18. */
export const majorOf = (version: number): number => Math.floor(version / 10_000)

/** What to type for tools that fit a server. */
export function mendFor(major: number | undefined): string {
  return `install the PostgreSQL client ${major === undefined ? '' : `${major} `}or newer: apt-get install postgresql-client${major === undefined ? '' : `-${major}`}`.replace(
    'client or',
    'client, or',
  )
}
