import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { quote } from '../exec/command.ts'
import type { Action } from '../plan/plan.ts'
import { leaveScratch, runOfScratch, runsLeft, type Spots, scratchNames, spotOf, stands } from './places.ts'
import type { Place, Source } from './source.ts'
import { type Mover, swapPaths, swapPathsBack } from './swap-paths.ts'

/** How a source that is one path removes what a restore made of it, and the command that says so. */
export type Removal = { readonly command: string; remove(path: string): Promise<void> }

/** What a source that is one file or folder does with its places: all by renaming and removing paths. */
export function pathMoves(
  at: Spots,
  mover: Mover,
  { command, remove }: Removal,
): Pick<Source, 'presence' | 'unload' | 'swap' | 'swapBack' | 'forget' | 'remains'> {
  return {
    presence: async run => ({
      live: Number(await stands(at.live)),
      beside: Number(await stands(at.beside(run))),
      aside: Number(await stands(at.aside(run))),
      scratch: Number(await stands(at.drill(run))),
    }),
    unload: (place, run) => unload(at, place, run, { command, remove }),
    swap: run => call(`${renaming(at.live, at.aside(run))} && ${renaming(at.beside(run), at.live)}`, () => swapPaths(at, run, mover)),
    swapBack: run => call(`${renaming(at.live, at.beside(run))} && ${renaming(at.aside(run), at.live)}`, () => swapPathsBack(at, run, mover)),
    forget: run =>
      call(`${command} ${quote(at.aside(run))}`, async () => {
        await remove(at.aside(run))
        await rm(at.nothing(run), { force: true })
        return undefined
      }),
    remains: () => runsLeft(at),
  }
}

const renaming = (from: string, to: string) => `mv ${quote(from)} ${quote(to)}`

function unload(at: Spots, place: Place, run: string, { command, remove }: Removal): Action {
  const path = spotOf(at, place, run)
  return call(`${command} ${quote(path)}`, async () => {
    await remove(path)
    if (place === 'beside') return undefined
    for (const left of await scratchNames(at)) if (runOfScratch(at, left) === run) await remove(join(at.scratch, left))
    await leaveScratch(at)
    return undefined
  })
}

function call(prints: string, work: Action['run']): Action {
  return { kind: 'call', prints, run: work }
}
