import { asideName, besideName, isLive, leftover } from './names.ts'

/** One renaming within the database; the server refuses it when `to` exists, so nothing is ever overwritten. */
type Move = { readonly from: string; readonly to: string }

/** What is left to rename, or what stands in the way, each with a sentence for the operator. */
export type Moves = { readonly moves: readonly Move[]; readonly conflicts: readonly string[] }

type Stands = { readonly live: boolean; readonly beside: boolean; readonly aside: boolean }

/**
 * The renamings that are left of a swap, from what stands now, so that a swap killed between any two goes on where it stopped.
 * Live collections that the backup lacks move aside first: once nothing stands beside, the swap is over, and what the
 * application makes afterwards is left alone.
 */
export function swapMoves(standing: readonly string[], run: string, names: readonly string[]): Moves {
  const { stands, every } = survey(standing, run)
  const conflicts: string[] = []
  const moves: Move[] = []
  const open = every.some(name => stands(name).beside)
  for (const name of open ? every.filter(name => !names.includes(name)) : []) {
    const { live, aside, beside } = stands(name)
    if (beside) conflicts.push(`${besideName(name, run)} stands beside, but is not in the backup`)
    else if (live && aside) conflicts.push(recreated(name, run))
    else if (live) moves.push({ from: name, to: asideName(name, run) })
  }
  for (const name of names) {
    const { live, aside, beside } = stands(name)
    if (beside && live && aside) conflicts.push(recreated(name, run))
    else if (!beside && !live) conflicts.push(`${name} stands neither live nor beside`)
    else if (beside) {
      if (live) moves.push({ from: name, to: asideName(name, run) })
      moves.push({ from: besideName(name, run), to: name })
    }
  }
  return { moves, conflicts }
}

/** The renamings that are left of taking a swap back, from what stands now; also right after half a swap. */
export function swapBackMoves(standing: readonly string[], run: string, names: readonly string[]): Moves {
  const { stands, every } = survey(standing, run)
  const conflicts: string[] = []
  const moves: Move[] = []
  for (const name of names) {
    const { live, aside, beside } = stands(name)
    if (live && beside && aside) conflicts.push(recreated(name, run))
    else if (!live && !beside && aside) conflicts.push(`${name} is gone since the swap; its old collection is ${asideName(name, run)}`)
    else {
      if (live && !beside) moves.push({ from: name, to: besideName(name, run) })
      if (aside) moves.push({ from: asideName(name, run), to: name })
    }
  }
  for (const name of every.filter(name => !names.includes(name) && stands(name).aside)) {
    if (stands(name).live) conflicts.push(recreated(name, run))
    else moves.push({ from: asideName(name, run), to: name })
  }
  return { moves, conflicts }
}

function recreated(name: string, run: string): string {
  return `${name} was made again by a writer while its old collection stands as ${asideName(name, run)}`
}

/** Where each collection of a run stands, and all of their live names. */
function survey(standing: readonly string[], run: string): { stands(name: string): Stands; every: readonly string[] } {
  const there = new Set(standing)
  const own = standing.flatMap(name => {
    const left = leftover(name)
    if (left) return left.run === run ? [left.of] : []
    return isLive(name) ? [name] : []
  })
  return {
    stands: name => ({ live: there.has(name), beside: there.has(besideName(name, run)), aside: there.has(asideName(name, run)) }),
    every: [...new Set(own)].sort(),
  }
}
