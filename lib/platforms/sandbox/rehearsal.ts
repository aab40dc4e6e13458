import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Action, Doing, Json } from '../../plan/plan.ts'
import { Secret, textOf } from '../../plan/secrets.ts'
import type { Bundle } from '../platform.ts'
import { type Given, REHEARSAL, type RehearsalPlace, type Rehearsals } from '../rehearsal.ts'
import type { Settings } from './draft.ts'
import { onceCommand } from './launch.ts'
import { FILES, type Place, pathsOf, SECRETS, SETTINGS } from './place.ts'
import { createJson, type Kept, readAnyJson } from './records.ts'
import { slotState, verdict } from './seen.ts'
import { removeSlot, startSlot } from './slots.ts'
import { ensureFolders, keptRelease } from './stage.ts'

/** The folder of all rehearsals of a sandbox; each run has one inside, which is a sandbox without a front door. */
const folderOf = ({ paths }: Place): string => join(paths.directory, REHEARSAL)

const act = (prints: string, run: (doing: Doing) => Promise<unknown>): Action => ({
  kind: 'call',
  prints,
  run: async doing => ((await run(doing)) ?? undefined) as Json | undefined,
})

/** Rehearsals in a sandbox: a third slot, in a folder of its own that the proxy does not look into. */
export const rehearsalsOf = (place: Place): Rehearsals => ({
  given: ({ release }) => given(place, release),
  at: run => placeOf(place, run),
})

async function given(place: Place, release: string): Promise<Given> {
  const { settings } = await keptRelease(place, release)
  const folder = join(place.paths.release(release), SECRETS)
  const secrets = (await readdir(folder)).map(async name => [name, new Secret(name, await readFile(join(folder, name), 'utf8'))] as const)
  return { ...settings.environment, ...Object.fromEntries(await Promise.all(secrets)) }
}

function placeOf(live: Place, run: string): RehearsalPlace {
  const place: Place = { ...live, paths: pathsOf(join(folderOf(live), run)) }
  const { releases } = place.paths
  return {
    put: (bundle, instead) => [
      act(
        `copy ${live.paths.release(bundle.release)} to ${place.paths.release(bundle.release)}, with its own ${instead.names.join(', ')}`,
        async doing => put(live, place, bundle, await instead.read(doing)),
      ),
    ],
    there: async () => (await entries(releases)).sort(),
    start: (bundle, without) => [
      act(`start ${bundle.release} in ${place.paths.directory}`, ({ signal }) => startSlot(place, { ...bundle, slot: REHEARSAL }, without, signal)),
    ],
    stop: () => [act(`end what runs in ${place.paths.directory}`, () => removeSlot(place, REHEARSAL))],
    state: () => slotState(place, REHEARSAL),
    verdict: (bundle, without, since) => verdict(place, REHEARSAL, bundle.release, without, since),
    once: (bundle, service, argv) => onceCommand(place.paths.release(bundle.release), service, argv),
    door: service => doorOf(place, service),
    remove: () => [act(`end what runs in ${folderOf(live)}, and remove it`, () => removeAll(live))],
    gone: async () => (await entries(folderOf(live))).length === 0,
  }
}

/** Names of the folders in a folder; none where there is no such folder. */
async function entries(folder: string): Promise<string[]> {
  const found = await readdir(folder, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  return found.filter(entry => entry.isDirectory()).map(({ name }) => name)
}

/** Copies what is kept of a release, without its logs, and gives it other settings. */
async function put(live: Place, place: Place, { release }: Bundle, instead: Given): Promise<void> {
  const [from, to] = [live.paths.release(release), place.paths.release(release)]
  const { settings } = await keptRelease(live, release)
  await mkdir(place.paths.directory, { recursive: true, mode: 0o700 })
  await ensureFolders(place)
  await createJson(join(place.paths.releases, 'package.json'), { type: 'module' })
  await rm(to, { recursive: true, force: true })
  await cp(from, to, { recursive: true, filter: source => !source.startsWith(join(from, 'logs/')) })
  const environment = { ...settings.environment }
  for (const [name, value] of Object.entries(instead)) {
    if (name in environment) environment[name] = textOf(value)
    else await writeFile(join(to, SECRETS, name), textOf(value), { mode: 0o600 })
  }
  await writeFile(join(to, FILES, SETTINGS), `${JSON.stringify({ ...settings, environment } satisfies Settings, null, 2)}\n`, { mode: 0o600 })
}

async function doorOf({ paths }: Place, service: string) {
  const kept = await readAnyJson<Kept>(paths.kept(REHEARSAL))
  const port = kept?.instances.find(one => one.service === service && one.process !== null)?.port ?? null
  return port === null ? null : { url: `http://127.0.0.1:${port}`, headers: {} }
}

async function removeAll(live: Place): Promise<void> {
  for (const run of await entries(folderOf(live))) await removeSlot({ ...live, paths: pathsOf(join(folderOf(live), run)) }, REHEARSAL)
  await rm(folderOf(live), { recursive: true, force: true })
}
