import type { Verb } from '../../plan/plan.ts'
import { type BackArgs, holdPart, releasePart, type SwapArgs, swapPart, swapPartBack } from '../sentences.ts'
import { type DataSite, partOf } from '../site.ts'

type Stands = { live: number; beside: number; aside: number }
async function look({ part, run }: { part: string; run: string }, site: DataSite, doing: Parameters<typeof swapped.look>[2]) {
  const { live, beside, aside } = await partOf(site, part).presence(run, doing)
  return { state: { live, beside, aside }, is: 'settled' as const }
}

/** Swap what was loaded beside with the live data. */
export const swapped: Verb<SwapArgs, Stands, DataSite> = {
  effect: 'destroy',
  // Name by name, so a half-done swap simply goes on.
  half: 'again',
  undone: 'swap back',
  look,
  goal: (_, before) => ({ live: before.beside, beside: 0, aside: before.live }),
  does: ({ part, run, names }, site) => [partOf(site, part).swap(run, names)],
  undo: ({ part, run, names }, before) => swapPartBack(part, run, names, before),
}

/** Swap back: what was set aside becomes live again, what was restored stands beside. */
export const swappedBack: Verb<BackArgs, Stands, DataSite> = {
  effect: 'destroy',
  half: 'again',
  undone: 'swap again',
  look,
  goal: ({ live, beside }, before) => ({ live: live < 0 ? before.aside : live, beside: beside < 0 ? { atLeast: 1 } : beside, aside: 0 }),
  does: ({ part, run, names }, site) => [partOf(site, part).swapBack(run, names)],
  undo: ({ part, run, names }) => swapPart(part, run, names),
}

/** Lock writers out of a part that can do so itself. */
export const held: Verb<{ part: string; run: string }, { by: string | null }, DataSite> = {
  effect: 'write',
  half: 'again',
  undone: 'let them in',
  look: async ({ part }, site, doing) => ({ state: { by: (await partOf(site, part).lock?.held(doing)) ?? null }, is: 'settled' }),
  goal: ({ run }) => ({ by: run }),
  does: ({ part, run }, site) => [partOf(site, part).lock?.hold(run)].filter(action => action !== undefined),
  undo: ({ part, run }) => releasePart(part, run),
}

/** Let writers in again. */
export const released: Verb<{ part: string; run: string }, { by: string | null }, DataSite> = {
  effect: 'write',
  half: 'again',
  undone: 'lock again',
  look: async ({ part }, site, doing) => ({ state: { by: (await partOf(site, part).lock?.held(doing)) ?? null }, is: 'settled' }),
  goal: () => ({ by: null }),
  does: ({ part, run }, site) => [partOf(site, part).lock?.release(run)].filter(action => action !== undefined),
  undo: ({ part, run }) => holdPart(part, run),
}

/** Let go of what earlier restores set aside or left beside. */
export const forgotten: Verb<{ part: string; runs: readonly string[] }, { left: number }, DataSite> = {
  effect: 'destroy',
  half: 'again',
  async look({ part, runs }, site, doing) {
    const remains = await partOf(site, part).remains(doing)
    return { state: { left: remains.filter(remain => runs.includes(remain.run)).length }, is: 'settled' }
  },
  goal: () => ({ left: 0 }),
  does: ({ part, runs }, site) =>
    runs.flatMap(run => [partOf(site, part).forget(run), partOf(site, part).unload('beside', run), partOf(site, part).unload('scratch', run)]),
  undo: () => ({ none: 'what was set aside is gone for good' }),
}
