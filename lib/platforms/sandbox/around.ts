import { readFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { type Inside, secretLines, WITH_INPUT, WITHOUT_INPUT } from '../../exec/place.ts'
import type { Command } from '../../exec/process.ts'
import type { Json } from '../../plan/plan.ts'
import { Secret } from '../../plan/secrets.ts'
import type { Bundle } from '../platform.ts'
import { ensureProxy } from './front.ts'
import { environmentIn } from './launch.ts'
import { type Place, SLOTS } from './place.ts'
import { readAnyJson, readJson, type SplitFile, type Wish, writeJson } from './records.ts'
import { slotState } from './seen.ts'
import { ensureKeeper, removeSlot, stopSlot } from './slots.ts'
import { unstage } from './stage.ts'

/** Whether any instance runs: each of them may write. */
export async function writersRun(place: Place): Promise<boolean> {
  const states = await Promise.all(SLOTS.map(slot => slotState(place, slot)))
  return states.some(({ services }) => Object.values(services).some(({ running }) => running > 0))
}

/** Stops every slot that runs, and remembers that it ran. */
export async function stopWriters(place: Place): Promise<void> {
  for (const slot of SLOTS) {
    const wish = await readJson<Wish>(place.paths.wish(slot))
    if (wish?.run === 'running') await stopSlot(place, slot, 'paused')
  }
}

/** Starts again what was stopped for writers. */
export async function startWriters(place: Place, signal: AbortSignal): Promise<void> {
  await ensureProxy(place, signal)
  for (const slot of SLOTS) {
    const wish = await readJson<Wish>(place.paths.wish(slot))
    if (!wish || wish.run === 'stopped') continue
    const next: Wish = wish.run === 'running' ? wish : { ...wish, run: 'running', begun: new Date().toISOString() }
    await writeJson(place.paths.wish(slot), next)
    await ensureKeeper(place, slot, wish.release, signal)
  }
}

/** Slot with the most weight, as far as the file of the front door says. */
export const heaviest = (split: SplitFile | undefined): string | null =>
  Object.entries(split?.weights ?? {}).reduce<readonly [string | null, number]>(
    (most, [slot, weight]) => (weight > most[1] ? [slot, weight] : most),
    [null, 0],
  )[0]

/** Releases that something is kept of though they are not to be kept, and that do not run; with the slots that have them. */
async function surplusOf(
  place: Place,
  keep: readonly Bundle[],
): Promise<{ readonly releases: readonly string[]; readonly slots: readonly string[] }> {
  const kept = new Set(keep.map(({ release }) => release))
  const serving = heaviest(await readAnyJson<SplitFile>(place.paths.split))
  const stopped: { readonly slot: string; readonly release: string }[] = []
  for (const slot of SLOTS) {
    const { release, is } = await slotState(place, slot)
    if (release === null || kept.has(release)) continue
    if (is === 'running' || slot === serving) kept.add(release)
    else stopped.push({ slot, release })
  }
  const entries = await readdir(place.paths.releases, { withFileTypes: true }).catch(() => [])
  const folders = entries.filter(entry => entry.isDirectory() && !kept.has(entry.name)).map(({ name }) => name)
  return { releases: [...new Set([...folders, ...stopped.map(({ release }) => release)])].sort(), slots: stopped.map(({ slot }) => slot) }
}

/** Names of releases that something is kept of though they are not to be kept. */
export async function surplus(place: Place, keep: readonly Bundle[]): Promise<readonly string[]> {
  return (await surplusOf(place, keep)).releases
}

/** Removes the surplus; says what went. */
export async function tidy(place: Place, keep: readonly Bundle[]): Promise<Json> {
  const { releases, slots } = await surplusOf(place, keep)
  for (const slot of slots) await removeSlot(place, slot)
  for (const release of releases) await unstage(place, release)
  return { removed: releases }
}

/** The folder of the release that serves; undefined when none does, or its files cannot be read. */
function servingFolder({ paths }: Place): string | undefined {
  try {
    const slot = heaviest(JSON.parse(readFileSync(paths.split, 'utf8')) as SplitFile)
    return slot === null ? undefined : paths.release((JSON.parse(readFileSync(paths.wish(slot), 'utf8')) as Wish).release)
  } catch {
    return undefined
  }
}

/** A command with the environment of a service that serves; its secrets go in by stdin and are variables of that one process. */
export function insideService(place: Place, service: string, command: Command, inside: Inside): Command {
  const folder = servingFolder(place)
  const env = { ...(folder === undefined ? {} : environmentIn(folder, service)), ...command.env }
  if (Object.keys(inside.secrets ?? {}).length === 0) return { ...command, env }
  const { count, text } = secretLines(inside.secrets)
  return {
    file: 'sh',
    argv: ['-c', inside.input ? WITH_INPUT : WITHOUT_INPUT, 'sh', count, command.file, ...command.argv],
    env,
    preface: new Secret(`secrets for ${service}`, text),
    typed: { file: command.file, argv: command.argv },
    ...(command.cwd === undefined ? {} : { cwd: command.cwd }),
  }
}
