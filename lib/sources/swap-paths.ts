import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { quote } from '../exec/command.ts'
import { Trouble } from '../plan/outcome.ts'
import type { Json } from '../plan/plan.ts'
import { failedAt, type Spots, stands, syncFolder } from './places.ts'

/** How one source renames what it owns. */
export interface Mover {
  /** Called before the first rename, with what is about to move: the last chance to flush it. */
  ready(path: string): Promise<void>
  /** Renames, with whatever belongs to the path; nothing stands at `to`. */
  move(from: string, to: string): Promise<void>
  /** Finishes moves that a crash cut in the middle. */
  settle(live: string, others: readonly string[]): Promise<void>
  /** Whether what stands there holds nothing at all: a client that only opened the name made it. */
  hollow?(path: string): Promise<boolean>
}

/** Live goes aside and what is beside becomes live, in two renames; can be called again after a crash at any point. */
export async function swapPaths(at: Spots, run: string, mover: Mover): Promise<Json> {
  const { live } = at
  const beside = at.beside(run)
  const aside = at.aside(run)
  const nothing = at.nothing(run)
  await mover.settle(live, [beside, aside])
  const begun = (await stands(aside)) || (await stands(nothing))
  if (!(await stands(beside))) {
    if (begun && (await stands(live))) return { live, aside: (await stands(aside)) ? aside : null }
    throw new Trouble(4, `Nothing is loaded at ${beside}, so there is nothing to swap in`)
  }
  if (!begun) {
    if (await stands(live)) {
      await mover.ready(live)
      await mover.move(live, aside).catch(movedNot(live))
    } else await mark(nothing)
    await syncFolder(dirname(live))
  }
  await clearHollow(live, mover)
  if (await stands(live)) throw stray(live, aside, beside)
  await mover.move(beside, live).catch(movedNot(beside))
  await syncFolder(dirname(live))
  return { live, aside: (await stands(aside)) ? aside : null }
}

/** The reverse of `swapPaths`; does nothing when no swap of this run stands. */
export async function swapPathsBack(at: Spots, run: string, mover: Mover): Promise<Json> {
  const { live } = at
  const beside = at.beside(run)
  const aside = at.aside(run)
  const nothing = at.nothing(run)
  await mover.settle(live, [beside, aside])
  const hasAside = await stands(aside)
  if (hasAside && (await stands(beside))) await clearHollow(live, mover)
  const hadNothing = await stands(nothing)
  if (!hasAside && !hadNothing) return { live }
  if (await stands(live)) {
    if (await stands(beside)) {
      if (hasAside) throw stray(live, aside, beside)
    } else {
      await mover.ready(live)
      await mover.move(live, beside).catch(movedNot(live))
      await syncFolder(dirname(live))
    }
  }
  if (hasAside) {
    await mover.ready(aside)
    await mover.move(aside, live).catch(movedNot(aside))
  }
  await rm(nothing, { force: true })
  await syncFolder(dirname(live))
  return { live }
}

/** Between the two renames a client that opens the live name makes an empty file of it. That is taken away, and nothing is lost with it: it is looked at once more where nobody finds it. */
async function clearHollow(live: string, mover: Mover): Promise<void> {
  const away = `${live}.hollow`
  while (mover.hollow && (await stands(live)) && (await mover.hollow(live))) {
    await rename(live, away)
    if (!(await mover.hollow(away)))
      throw new Trouble(5, `A client wrote into ${live} between the two renames of the swap; what it wrote is at ${away}`, {
        look: [`ls -l ${quote(away)}`],
      })
    await rm(away)
  }
}

/** Both stand, and the live name is taken too: only a stranger can have made it between the two renames. */
function stray(live: string, aside: string, beside: string): Trouble {
  return new Trouble(5, `Something made ${live} between the two renames of the swap, and it is not overwritten`, {
    look: [`ls -ld ${quote(live)} ${quote(aside)} ${quote(beside)}`],
    next: [`mv ${quote(live)} ${quote(`${live}.stray`)}`],
  })
}

async function mark(path: string): Promise<void> {
  const handle = await open(path, 'w', 0o600).catch(failedAt(path))
  await handle.close()
}

function movedNot(path: string): (error: unknown) => never {
  return error => {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EBUSY' || code === 'EXDEV')
      throw new Trouble(4, `${path} is a mount point, which cannot be renamed: name a folder below it instead`, { cause: error })
    return failedAt(path)(error)
  }
}
