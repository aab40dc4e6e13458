import { rm } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type Detached, detached, endDetached } from '../../exec/detached.ts'
import { carriers, ended, isAlive } from '../../exec/survivors.ts'
import { Trouble } from '../../plan/outcome.ts'
import type { Bundle } from '../platform.ts'
import { holderOf } from './hold.ts'
import { GRACE_MS } from './instance.ts'
import { markOf } from './launch.ts'
import { beside, type Place } from './place.ts'
import { type Instance, type Kept, readAnyJson, readJson, type Wish, writeJson } from './records.ts'
import { ensureFolders, fetched, keptRelease } from './stage.ts'
import { lastLines } from './tail.ts'

/** Longest time from starting a keeper or a proxy until it says something, in milliseconds; long, for a machine that is busy with other things. */
export const ANSWER_MS = 30_000

/** Longest time from wanting a slot to stop until its keeper has done so. */
const STOP_MS = GRACE_MS + 10_000

/** Between two looks at what others do. */
export const LOOK_MS = 20

const KEEPER = fileURLToPath(new URL('keeper.ts', import.meta.url))

/** Starts a script of ours as a process of its own that stays when we end. */
export function ours(script: string, args: readonly string[], log: string): Promise<Detached> {
  return detached({ file: process.execPath, argv: [script, ...args], cwd: '/' }, log)
}

/** Waits until something is so; false when it is not within the time. */
export async function awaited(so: () => Promise<boolean>, withinMs: number, signal?: AbortSignal): Promise<boolean> {
  const deadline = Date.now() + withinMs
  while (!(await so())) {
    if (Date.now() > deadline) return false
    await sleep(LOOK_MS, undefined, signal ? { signal } : {})
  }
  return true
}

/** The living keeper of a slot. */
export const keeperOf = ({ paths }: Place, slot: string): Promise<Detached | null> => holderOf(paths.directory, paths.holder(slot))

/** Puts a bundle into its slot and sees to it that somebody keeps it running; what runs there already goes on. */
export async function startSlot(place: Place, bundle: Bundle, without: readonly string[], signal: AbortSignal): Promise<void> {
  const { paths } = place
  const { settings } = await keptRelease(place, bundle.release)
  const wrong = Object.entries(await fetched(place, bundle)).filter(([, there]) => !there)
  if (wrong.length > 0) throw new Trouble(3, `the script of ${wrong.map(([name]) => name).join(' and ')} is not the one of release ${bundle.release}`)
  await ensureFolders(place)
  const before = await readAnyJson<Wish>(paths.wish(bundle.slot))
  const same = before?.release === bundle.release && before.run === 'running'
  if (before && !same) await stopSlot(place, bundle.slot)
  const services = Object.entries(bundle.services).map(([name, { version, digest }]) => {
    const { instances = 1, health = null } = settings.services[name] ?? {}
    return [name, { version, digest, instances, health: health !== null }] as const
  })
  const wish: Wish = {
    release: bundle.release,
    run: 'running',
    begun: same ? before.begun : new Date().toISOString(),
    off: without,
    services: Object.fromEntries(services),
  }
  await writeJson(paths.wish(bundle.slot), wish)
  await ensureKeeper(place, bundle.slot, bundle.release, signal)
}

/** Sees to it that a slot that is to run has a keeper which has begun; throws Trouble(4) with the keeper's last words when it does not. */
export async function ensureKeeper(place: Place, slot: string, release: string, signal?: AbortSignal): Promise<void> {
  const { paths } = place
  let startedAt = 0
  const begun = async () => {
    const wish = await readJson<Wish>(paths.wish(slot))
    if (wish?.release !== release || wish.run !== 'running')
      throw new Trouble(4, `somebody else changed ${slot} at the same time; look what stands there`)
    const kept = await readAnyJson<Kept>(paths.kept(slot))
    // One that is just ending, for a start that somebody else has replaced, holds the place a moment longer.
    if (Date.now() - startedAt > AGAIN_MS && !(await keeperOf(place, slot))) {
      await ours(KEEPER, [paths.directory, slot], paths.keeperLog(slot))
      startedAt = Date.now()
    }
    if (kept?.begun !== wish.begun || !isAlive(kept.keeper)) return false
    const wanted = Object.keys(wish.services).filter(name => !wish.off.includes(name))
    return wanted.every(name => kept.instances.some(one => one.service === name && begunOnce(one)))
  }
  if (await awaited(begun, ANSWER_MS, signal)) return
  const words = await lastLines(paths.keeperLog(slot), 5)
  throw new Trouble(4, `the keeper of ${slot} does not begin: ${words || 'it wrote nothing'}`, { look: [`less ${paths.keeperLog(slot)}`] })
}

/** Between two tries to start a keeper, in milliseconds: longer than one takes to begin, also on a busy machine. */
const AGAIN_MS = 3_000

const begunOnce = ({ process, exits, failed, done }: Instance) => process !== null || exits.length > 0 || failed !== undefined || done === true

/** Brings a keeper that died back to every slot that is to run. */
export async function ensureKeepers(place: Place): Promise<void> {
  for (const slot of ['blue', beside('blue')]) {
    const wish = await readAnyJson<Wish>(place.paths.wish(slot))
    if (wish?.run === 'running' && !(await keeperOf(place, slot))) await ensureKeeper(place, slot, wish.release)
  }
}

/** Ends all that runs in a slot and keeps what it was; nothing there is fine. */
export async function stopSlot(place: Place, slot: string, run: 'stopped' | 'paused' = 'stopped'): Promise<void> {
  const wish = await readJson<Wish>(place.paths.wish(slot))
  if (!wish) return
  if (wish.run !== run) await writeJson(place.paths.wish(slot), { ...wish, run })
  await quiet(place, slot)
}

/** Takes away what stands in a slot, whatever its files say. */
export async function removeSlot(place: Place, slot: string): Promise<void> {
  await rm(place.paths.wish(slot), { force: true })
  await quiet(place, slot)
  await rm(place.paths.kept(slot), { force: true })
}

/** Waits until a slot's keeper has ended with all of its instances, and ends what a keeper that is gone has left. */
async function quiet(place: Place, slot: string): Promise<void> {
  await awaited(async () => !(await keeperOf(place, slot)), STOP_MS)
  const keeper = await keeperOf(place, slot)
  if (keeper) await endDetached(keeper, 0)
  const kept = await readAnyJson<Kept>(place.paths.kept(slot))
  const left = (kept?.instances ?? []).flatMap(({ process }) => (process ? [endDetached(process, GRACE_MS)] : []))
  await Promise.all(left)
  const strays = await ended(async () => carriers(markOf(place.paths.directory, slot)))
  if (strays.length === 0) return
  throw new Trouble(5, `could not end ${strays.map(one => `${one.prints} (process ${one.pid})`).join(', ')} of ${slot}`, {
    next: strays.map(one => `sudo kill -9 ${one.pid}`),
  })
}

/** Stops or starts single services of a slot; Trouble(3) when another release stands there. */
export async function toggleServices(
  place: Place,
  bundle: Bundle,
  services: readonly string[],
  to: 'stopped' | 'running',
  signal: AbortSignal,
): Promise<void> {
  const { paths } = place
  const wish = await readJson<Wish>(paths.wish(bundle.slot))
  if (wish?.release !== bundle.release || wish.run !== 'running') {
    throw new Trouble(3, `${bundle.slot} does not run release ${bundle.release}${wish ? `, but has ${wish.release} (${wish.run})` : ''}`)
  }
  const off = [...new Set(to === 'stopped' ? [...wish.off, ...services] : wish.off.filter(name => !services.includes(name)))]
  const next = { ...wish, off }
  await writeJson(paths.wish(bundle.slot), next)
  await ensureKeeper(place, bundle.slot, bundle.release, signal)
  if (to === 'running') return
  const gone = async () => {
    const kept = await readAnyJson<Kept>(paths.kept(bundle.slot))
    return kept?.instances.every(({ service }) => !services.includes(service)) ?? true
  }
  if (!(await awaited(gone, STOP_MS, signal)))
    throw new Trouble(4, `${services.join(', ')} of ${bundle.slot} did not stop`, { look: [`less ${paths.keeperLog(bundle.slot)}`] })
}
