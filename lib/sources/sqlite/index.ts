import { basename } from 'node:path'
import { quote } from '../../exec/command.ts'
import { pathMoves } from '../path-moves.ts'
import { copyOfPath, nothingAt, spotOf, spots, stands } from '../places.ts'
import type { Source } from '../source.ts'
import { contentOf } from './content.ts'
import { dumpOf } from './dump.ts'
import { factsOf } from './facts.ts'
import { contentOfFrozen, examine, loadOf } from './load.ts'
import { lockOf } from './lock.ts'
import { databaseMover } from './moves.ts'
import { connect, removeDatabase, sqliteTrouble } from './open.ts'

/** `file` is the database; drills and snapshots (as large as the database) go into `scratch`, by default `.<name>.scratch` beside it. */
export type SqliteOptions = { readonly file: string; readonly scratch?: string }

/** An SQLite database, backed up online and restored by renames; needs no tools. */
export function sqlite(name: string, options: SqliteOptions): Source {
  const at = spots(options.file, options.scratch)
  return {
    name,
    kind: 'sqlite',
    where: at.live,
    ending: 'sqlite',
    // Into the folder where they are typed: over the live file, its old log would be played into the restored one.
    byHand: [`cat > ${quote(basename(at.live))}`],
    facts: () => factsOf(name, at),
    dump: () => dumpOf(at),
    examine: (bytes, doing) => examine(at, bytes, doing),
    load: (place, run) => loadOf(at, place, run),
    content: async (place, run, doing) => {
      if (!(await stands(spotOf(at, place, run)))) return nothingAt(at, place, run)
      if (place !== 'live') return contentOfFrozen(spotOf(at, place, run), doing)
      const database = await connect(at.live, 'read').catch(sqliteTrouble(at.live))
      try {
        return await contentOf(database, doing).catch(sqliteTrouble(at.live))
      } finally {
        database.close()
      }
    },
    ...pathMoves(at, databaseMover, { command: 'rm -f', remove: removeDatabase }),
    copyFor: (address, run) => copyOfPath(at, address, run),
    lock: lockOf(at),
  }
}
