import { createReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { quote } from '../../exec/command.ts'
import { Trouble } from '../../plan/outcome.ts'
import type { Doing } from '../../plan/plan.ts'
import { failedAt, type Spots, stands } from '../places.ts'
import type { Content, Dump } from '../source.ts'
import { contentOf } from './content.ts'
import { unlock } from './lock.ts'
import { connect, dropScratch, newScratch, sqliteFault, sqliteTrouble } from './open.ts'

/** More pages than any database has: copied in one step, so that writers cannot make it start again. */
const ALL_PAGES = 0x7fff_ffff

const CHUNK_BYTES = 1 << 20

/** A consistent copy while the database is written to: SQLite's online backup into a scratch file (0600), counted, streamed and removed. */
export function dumpOf(at: Spots): Dump {
  let content: Content | null = null
  return {
    prints: `sqlite3 ${quote(at.live)} '.backup <snapshot>' → stream`,
    open: doing =>
      stream(at, doing, found => {
        content = found
      }),
    content: () => {
      if (!content) throw new Error('The content of a dump is known after its stream has ended')
      return content
    },
  }
}

async function* stream(at: Spots, doing: Doing, found: (content: Content) => void): AsyncGenerator<Buffer> {
  if (!(await stands(at.live))) throw new Trouble(7, `${at.live} does not exist`, { look: [`ls -l ${quote(at.live)}*`] })
  const snapshot = await newScratch(at, 'snapshot', doing.run)
  try {
    const content = await take(at, snapshot, doing).catch(sqliteTrouble(at.live))
    let left = (await stat(snapshot)).size
    for await (const chunk of createReadStream(snapshot, { highWaterMark: CHUNK_BYTES, signal: doing.signal })) {
      left -= (chunk as Buffer).length
      yield chunk as Buffer
    }
    if (left !== 0) throw new Trouble(4, `${snapshot} changed its size while it was read`)
    found(content)
  } finally {
    await dropScratch(at, snapshot)
  }
}

async function take(at: Spots, snapshot: string, doing: Doing): Promise<Content> {
  const handle = await open(snapshot, 'wx', 0o600).catch(failedAt(snapshot))
  await handle.close()
  const { backup } = await import('node:sqlite')
  const live = await connect(at.live, 'read')
  try {
    await backup(live, snapshot, { rate: ALL_PAGES }).catch(noRoom(at))
  } finally {
    live.close()
  }
  doing.signal.throwIfAborted()
  const copy = await connect(snapshot, 'write')
  try {
    unlock(copy)
    // An empty database can be a file of no bytes, which nobody could tell from a lost one.
    if ((await stat(snapshot)).size === 0) copy.exec('CREATE TABLE made (here); DROP TABLE made')
    return await contentOf(copy, doing)
  } finally {
    copy.close()
  }
}

/** For `.catch()`: the live database is only read, so what finds a full disk is the copy. */
function noRoom(at: Spots): (error: unknown) => never {
  return error => {
    if (sqliteFault(error, at.scratch)?.kind !== 'full') throw error
    throw new Trouble(4, `No room left at ${at.scratch} for a copy of ${at.live}; another folder can be named as its scratch in the stack file`, {
      look: [`df -h ${quote(dirname(at.scratch))}`],
      cause: error,
    })
  }
}
