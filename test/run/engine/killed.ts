import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { isOpen } from '../../../lib/run/journal.ts'
import { invoke, journal, newWorld, type Ran, removeWorld, runs, type World } from '../toys/invoke.ts'
import { doubled, effects, everything } from '../toys/world.ts'

/** What a plan of the toy makes of a world in which `a` was 0 and `d` was 1 already. */
const PUT: Record<string, Record<string, string>> = {
  main: { a: '1', b: '1', c: '1', d: '1', e: '1' },
  halves: { a: '1', d: '1', e: '1', g: '1' },
  commits: { a: '1', d: '1', f: '1', m: '1', t: '1' },
}
const AS_BEFORE = { a: '0', d: '1' }

/** One way to die: killed at a point, settled by a flag that may be killed too, and settled again until it ends. */
export type Death = {
  readonly plan: 'main' | 'halves'
  readonly first: string
  readonly how: '--resume' | '--revert'
  readonly second?: string
  /** The disk of the first machine is gone: only the shared state is left. */
  readonly moved?: true
  /** The killed process's own child is still at work when recovery begins. */
  readonly lives?: true
  /** Loaded before the toy, which then dies by `DIE_AT` rather than by a toy's own point. */
  readonly preload?: string
}

export const nameOf = ({ plan, first, how, second, moved, lives }: Death) =>
  [plan, first, how, second && `killed again at ${second}`, moved && 'from another machine', lives && 'with a survivor'].filter(Boolean).join(', ')

const says = (what: string, ran: Ran) => `${what} (exit ${ran.code}, ${ran.signal}, last line: ${ran.last})\n${ran.stderr}`

/** Everything that is not as it must be after a run that came to its end. */
function wrongs(world: World, { plan, how }: Death, ran: Ran): string[] {
  const now = JSON.stringify(everything(world.world))
  const wanted = JSON.stringify(how === '--resume' ? PUT[plan] : AS_BEFORE)
  const word = how === '--resume' ? 'DONE' : 'REVERTED'
  const twice = doubled(world.world)
  return [
    ...(ran.code === 0 ? [] : [says('did not settle', ran)]),
    ...(ran.last.startsWith(`${word} toy/local: `) && ran.last.endsWith('(exit 0)') ? [] : [says('other last words', ran)]),
    ...(now === wanted ? [] : [says(`the world is ${now}, not ${wanted}`, ran)]),
    ...(twice.length === 0 ? [] : [says(`done twice: ${twice.join(', ')} in ${effects(world.world).join(', ')}`, ran)]),
    ...(runs(world).length > 0 && isOpen(journal(world)) ? ['the journal is still open'] : []),
  ]
}

function killing(death: Death, point: string): { more: Record<string, string>; node: string[] } {
  const more = { TOY_PLAN: death.plan, ...(death.lives && point === death.first ? { TOY_LIVES: '30' } : {}) }
  return death.preload ? { more: { ...more, DIE_AT: point }, node: ['--import', death.preload] } : { more: { ...more, TOY_KILL: point }, node: [] }
}

/** Dies, recovers, and says what is wrong with the world then; undefined = the first kill never came to pass. */
export async function die(death: Death): Promise<string[] | undefined> {
  const world = newWorld()
  try {
    const first = killing(death, death.first)
    const killed = await invoke(world, ['--yes'], first.more, first.node)
    if (killed.signal !== 'SIGKILL') return undefined
    if (death.moved) rmSync(join(world.home), { recursive: true, force: true })
    if (death.second !== undefined) {
      const second = killing(death, death.second)
      const again = await invoke(world, [death.how], second.more, second.node)
      if (again.signal !== 'SIGKILL') return await settledOrNothing(world, death, again)
    }
    return await settledOrNothing(world, death, await invoke(world, [death.how], { TOY_PLAN: death.plan }))
  } finally {
    removeWorld(world)
  }
}

/** A run that was killed before its first intent is none: there is nothing to settle, and a new one begins. */
async function settledOrNothing(world: World, death: Death, ran: Ran): Promise<string[]> {
  if (ran.code !== 3 || !ran.stderr.includes('There is no unfinished run')) return wrongs(world, death, ran)
  // Killed after its last word was written down: the settled state must stand already.
  const now = JSON.stringify(everything(world.world))
  if (now === JSON.stringify(PUT[death.plan]) && doubled(world.world).length === 0) return []
  if (now !== JSON.stringify(AS_BEFORE)) return [says(`nothing to settle, but the world is ${now}`, ran)]
  const fresh = await invoke(world, ['--yes'], { TOY_PLAN: death.plan })
  return wrongs(world, { ...death, how: '--resume' }, fresh)
}
