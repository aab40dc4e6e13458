import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { mustRun } from '../../../lib/exec/process.ts'
import type { Action, Doing, Json, Seen } from '../../../lib/plan/plan.ts'
import type { Bundle, Platform, Wanted } from '../../../lib/platforms/platform.ts'
import type { World } from '../conformance.ts'

/** What surrounds a call, with nobody watching. */
export const doing = (): Doing => ({ run: 'r-conformance', signal: new AbortController().signal, progress() {}, spawned() {} })

/** Longest time that a fact waits for something to become so, in milliseconds: long, because only untruth may fail it, never a busy machine. */
export const PATIENCE_MS = 60_000

/** Carries actions out in turn; gives what the last one measured. */
export async function perform(actions: readonly Action[]): Promise<Json | undefined> {
  let gave: Json | undefined
  for (const action of actions) gave = await action.run(doing())
  return gave
}

/** An id like that of a run. */
export const releaseId = (): string => `20261121t095658zr${randomBytes(3).toString('hex')}`

/** The version of every service when `main` has this one: a bad one is that of `main` alone. */
export function versionsOf(world: World, version: string): Record<string, string> {
  const [first] = world.versions.good
  const good = world.versions.good.includes(version)
  return Object.fromEntries(world.services.map(({ name }) => [name, good || name === world.main ? version : first]))
}

/** What a release of a version would run, as a look at the images says it. */
export async function wantedOf(world: World, platform: Platform, version: string): Promise<Record<string, Wanted>> {
  const versions = versionsOf(world, version)
  const asked = Object.fromEntries(world.services.map(({ name, image }) => [name, { image, version: versions[name] ?? '' }]))
  const facts = await platform.images(asked, doing())
  return Object.fromEntries(facts.map(({ service, image, version, digest }) => [service, { image, version, digest }]))
}

/** A bundle of a version for a slot, as a deploy makes it. */
export async function bundleOf(world: World, version: string, slot?: string, platform = world.platform()): Promise<Bundle> {
  return {
    release: releaseId(),
    slot: slot ?? (await platform.standing(doing())).idle,
    services: await wantedOf(world, platform, version),
    ...(await platform.draft(doing())),
  }
}

/** Fetches, stages and starts a bundle; gives the platform's time from right before the start. */
export async function started(platform: Platform, bundle: Bundle, without: readonly string[] = []): Promise<string> {
  await perform(platform.fetch(bundle))
  await perform(platform.stage(bundle))
  const since = await platform.time(doing())
  await perform(platform.start(bundle, without))
  return since
}

/** Asks until the answer will do; gives the last answer when the time is up. */
export async function until<T>(ask: () => Promise<T>, enough: (answer: T) => boolean, patienceMs = PATIENCE_MS): Promise<T> {
  const deadline = performance.now() + patienceMs
  for (;;) {
    const answer = await ask()
    if (enough(answer) || performance.now() > deadline) return answer
    await sleep(50)
  }
}

/** Waits for a verdict on a release that has just been started. */
export function judged(platform: Platform, bundle: Bundle, since: string, without: readonly string[] = []): Promise<Seen> {
  return until(
    () => platform.verdict(bundle.slot, bundle.release, without, since, doing()),
    seen => seen.is !== 'moving',
  )
}

/** A release of a good version that stands and is healthy; throws what the verdict says when it is not. */
export async function healthy(world: World, version: string, slot?: string, platform = world.platform()): Promise<Bundle> {
  const bundle = await bundleOf(world, version, slot, platform)
  const since = await started(platform, bundle)
  const seen = await judged(platform, bundle, since)
  if (seen.is !== 'settled') throw new Error(`${version} is ${seen.is}: ${seen.because}\n${seen.look ?? ''}`)
  return bundle
}

/** A healthy release that has all of the traffic. */
export async function serving(world: World, version: string, platform = world.platform()): Promise<Bundle> {
  const bundle = await healthy(world, version, undefined, platform)
  if (platform.split) await move(platform, bundle.slot, 100)
  return bundle
}

let generations = 0

/** Moves traffic under a new generation, which is given. */
export async function move(platform: Platform, to: string, percent: number): Promise<string> {
  generations += 1
  const generation = `g${process.pid}x${generations}`
  await perform(platform.split?.move(to, percent, generation) ?? [])
  return generation
}

/** Takes everything away that stands in a slot. */
export async function emptied(world: World): Promise<Platform> {
  const platform = world.platform()
  const { slots } = await platform.standing(doing())
  for (const [slot, state] of Object.entries(slots)) if (state.is !== 'absent') await perform(platform.remove(slot))
  return platform
}

/** Runs a command to a good end; gives its stdout. */
export const output = async (command: Parameters<typeof mustRun>[0]): Promise<string> => (await mustRun(command, doing())).stdout
