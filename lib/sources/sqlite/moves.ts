import { link, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { stands, syncFolder } from '../places.ts'
import type { Mover } from '../swap-paths.ts'
import { connect, SIDECARS, sqliteFault } from './open.ts'

/**
 * Renames a database together with its sidecars, so that an open connection keeps its own and no log ever meets another database.
 * A sidecar gets its second name before the database moves and loses its first one afterwards: whichever main file stands owns it, also after a crash.
 */
export const databaseMover: Mover = {
  async ready(path) {
    try {
      const database = await connect(path, 'write')
      try {
        // Not worth a wait for a reader that will not end: the log moves along.
        database.exec('PRAGMA busy_timeout = 200; PRAGMA wal_checkpoint(TRUNCATE)')
      } finally {
        database.close()
      }
    } catch (error) {
      // A ruined database moves with its log as it is.
      if (!sqliteFault(error, path)) throw error
    }
  },

  async move(from, to) {
    for (const sidecar of SIDECARS) {
      await rm(to + sidecar, { force: true })
      if (await stands(from + sidecar)) await link(from + sidecar, to + sidecar)
    }
    await rename(from, to)
    await syncFolder(dirname(to))
    for (const sidecar of SIDECARS) await rm(from + sidecar, { force: true })
  },

  // SQLite makes a file of no bytes for whoever opens a name that is not there.
  hollow: async path => (await stat(path)).size === 0,

  async settle(live, others) {
    for (const other of others) {
      for (const sidecar of SIDECARS) {
        if (!(await sameFile(live + sidecar, other + sidecar))) continue
        await rm((await stands(live)) ? other + sidecar : live + sidecar)
      }
    }
  },
}

async function sameFile(a: string, b: string): Promise<boolean> {
  const [first, second] = await Promise.all([a, b].map(path => stat(path, { bigint: true }).catch(() => null)))
  return first !== null && second !== null && first !== undefined && second !== undefined && first.ino === second.ino && first.dev === second.dev
}
