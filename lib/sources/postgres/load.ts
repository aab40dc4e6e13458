import { feed, prints } from '../../exec/process.ts'
import { Trouble } from '../../plan/outcome.ts'
import type { Doing } from '../../plan/plan.ts'
import type { Load, Place } from '../source.ts'
import type { Server } from './address.ts'
import { ArchiveReader } from './archive.ts'
import { restoreCommand } from './commands.ts'
import type { Contents } from './contents.ts'
import { creation, properties } from './creation.ts'
import { databaseAt, identifier, literal } from './names.ts'
import { databases, query } from './query.ts'
import { rolesOf } from './schema.ts'
import type { Site } from './site.ts'
import { toolTrouble } from './trouble.ts'

/** Loads an archive into a new database of its own, in one transaction; owners and rights are kept, so the roles must be there. */
export function loadOf(site: Site, place: Place, run: string): Load {
  const server = place === 'scratch' ? site.scratch : site.live
  const database = databaseAt(site.database, place, run)
  const command = restoreCommand(server, database)
  return {
    prints: prints(command),
    async take(bytes, doing: Doing) {
      await mustBeFree(site, server, database, run, doing)
      const reader = new ArchiveReader()
      const archive = new Archive(bytes, reader)
      try {
        const contents = await archive.contents()
        // A throw-away server has none of the roles; on the stack's own, a role that is missing is a person's decision.
        if (server !== site.live) await makeRoles(site, server, contents, doing)
        await query(server, site.maintenance, creation(contents, database), doing)
        await feed(command, archive.bytes(), doing).catch(error => {
          throw toolTrouble(error, server)
        })
        const sql = properties(contents, database)
        if (sql !== '') await query(server, site.maintenance, sql, doing)
      } finally {
        await archive.close()
      }
    },
  }
}

async function mustBeFree(site: Site, server: Server, database: string, run: string, doing: Doing): Promise<void> {
  const all = await databases(server, site.maintenance, doing)
  if (all[0]?.recovering) {
    throw new Trouble(3, `${site.where} is a standby: it follows another server, and nothing can be written to it.`, {
      next: ['restore on its primary'],
    })
  }
  if (all.some(({ name }) => name === database)) throw new Trouble(5, `${database} already holds what run ${run} loaded. Unload it first.`)
}

async function makeRoles(site: Site, server: Server, contents: Contents, doing: Doing): Promise<void> {
  const wanted = rolesOf(contents.entries)
  const sql = wanted.map(
    role => `SELECT 'CREATE ROLE ' || ${literal(identifier(role))} WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = ${literal(role)}) \\gexec`,
  )
  if (sql.length > 0) await query(server, site.maintenance, `${sql.join('\n')}\n`, doing)
}

/** A stream that is read up to the end of its table of contents, then from its start on, without the roles behind it; whole, or it throws. */
class Archive {
  readonly #source: AsyncIterator<Buffer>
  readonly #reader: ArchiveReader
  readonly #held: Buffer[] = []
  #given = 0

  constructor(bytes: AsyncIterable<Buffer>, reader: ArchiveReader) {
    this.#source = bytes[Symbol.asyncIterator]()
    this.#reader = reader
  }

  async contents(): Promise<Contents> {
    while (!this.#reader.contents) {
      const chunk = await this.#next()
      if (chunk === undefined) break
      this.#held.push(chunk)
    }
    // A short archive may have come whole before the reader tried again.
    if (!this.#reader.contents) this.#reader.end({ globals: true })
    return this.#reader.contents as Contents
  }

  async *bytes(): AsyncGenerator<Buffer> {
    for (let chunk = this.#held.shift(); chunk !== undefined; chunk = this.#held.shift()) yield this.#own(chunk)
    for (let chunk = await this.#next(); chunk !== undefined; chunk = await this.#next()) yield this.#own(chunk)
    this.#reader.end({ globals: true })
  }

  async close(): Promise<void> {
    await this.#source.return?.()
  }

  async #next(): Promise<Buffer | undefined> {
    const { done, value } = await this.#source.next()
    if (done) return undefined
    this.#reader.push(value)
    return value
  }

  /** What of a chunk belongs to the archive itself. */
  #own(chunk: Buffer): Buffer {
    const before = this.#given
    this.#given += chunk.length
    const end = this.#reader.endsAt
    return end === undefined ? chunk : chunk.subarray(0, Math.max(0, end - before))
  }
}
