import { rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { quote } from '../../exec/command.ts'
import type { Action } from '../../plan/plan.ts'
import { leaveScratch, nothingAt, runOfScratch, runsLeft, type Spots, scratchNames, spotOf, spots, stands } from '../places.ts'
import type { Place, Source } from '../source.ts'
import { swapPaths, swapPathsBack } from '../swap-paths.ts'
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
    presence: async run => ({
      live: Number(await stands(at.live)),
      beside: Number(await stands(at.beside(run))),
      aside: Number(await stands(at.aside(run))),
      scratch: Number(await stands(at.drill(run))),
    }),
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
    unload: (place, run) => unload(at, place, run),
    swap: run =>
      call(`mv ${quote(at.live)} ${quote(at.aside(run))} && mv ${quote(at.beside(run))} ${quote(at.live)}`, () => swapPaths(at, run, databaseMover)),
    swapBack: run =>
      call(`mv ${quote(at.live)} ${quote(at.beside(run))} && mv ${quote(at.aside(run))} ${quote(at.live)}`, () =>
        swapPathsBack(at, run, databaseMover),
      ),
    forget: run =>
      call(`rm -f ${quote(at.aside(run))}`, async () => {
        await removeDatabase(at.aside(run))
        await rm(at.nothing(run), { force: true })
        return undefined
      }),
    remains: () => runsLeft(at),
    lock: lockOf(at),
  }
}

function unload(at: Spots, place: Place, run: string): Action {
  const file = spotOf(at, place, run)
  return call(`rm -f ${quote(file)}`, async () => {
    await removeDatabase(file)
    if (place === 'beside') return undefined
    for (const left of await scratchNames(at)) if (runOfScratch(at, left) === run) await removeDatabase(join(at.scratch, left))
    await leaveScratch(at)
    return undefined
  })
}

function call(prints: string, work: Action['run']): Action {
  return { kind: 'call', prints, run: work }
}
