import { randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { Trouble } from '../../plan/outcome.ts'
import type { Bundle } from '../platform.ts'
import { digestOf, draft, filesNow, type Settings, scriptOf, secretsNow } from './draft.ts'
import { BUNDLE, FILES, LOGS, type Place, SECRETS, SETTINGS } from './place.ts'
import { createJson, readJson, sha256 } from './records.ts'

/** Makes the folders of a sandbox, for its owner only. */
export async function ensureFolders({ paths }: Pick<Place, 'paths'>): Promise<void> {
  for (const folder of [paths.slots, paths.releases]) await mkdir(folder, { recursive: true, mode: 0o700 })
}

/** Writes the files and secrets of a bundle into its release's folder, which appears whole or not at all; Trouble(3) when they are not those of the bundle any more. */
export async function stage(place: Place, bundle: Bundle): Promise<void> {
  const kept = await staged(place, bundle.release)
  if (kept && differing(bundle.files, kept).length === 0) return
  const now = await draft(place)
  const changed = [...differing(bundle.files, now.files), ...differing(bundle.secrets, now.secrets)]
  if (changed.length > 0) {
    throw new Trouble(3, `changed since the plan was made: ${changed.join(', ')}`, {
      next: ['the same command again, to plan with what is there now'],
    })
  }
  await ensureFolders(place)
  // Node takes a script for an ES module when the nearest package.json says so, and these folders have no other.
  await createJson(join(place.paths.releases, 'package.json'), { type: 'module' })
  const temporary = join(place.paths.releases, `.tmp-${randomUUID()}`)
  try {
    await fill(place, bundle, temporary)
    await rm(place.paths.release(bundle.release), { recursive: true, force: true })
    await rename(temporary, place.paths.release(bundle.release))
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
}

async function fill(place: Place, bundle: Bundle, folder: string): Promise<void> {
  for (const part of [FILES, SECRETS, LOGS]) await mkdir(join(folder, part), { recursive: true, mode: 0o700 })
  for (const [name, bytes] of await filesNow(place)) {
    const file = join(folder, FILES, name)
    await mkdir(dirname(file), { recursive: true, mode: 0o700 })
    await writeFile(file, bytes, { mode: 0o600, flush: true })
  }
  for (const [name, value] of secretsNow(place)) await writeFile(join(folder, SECRETS, name), value, { mode: 0o600, flush: true })
  await writeFile(join(folder, BUNDLE), `${JSON.stringify(bundle, null, 2)}\n`, { mode: 0o600, flush: true })
}

function differing(wanted: Readonly<Record<string, string>>, found: Readonly<Record<string, string>>): string[] {
  return [...new Set([...Object.keys(wanted), ...Object.keys(found)])].filter(name => wanted[name] !== found[name]).sort()
}

/** Names and hashes of what is kept of a release, from the bytes that are there; null when nothing is. */
export async function staged({ paths }: Pick<Place, 'paths'>, release: string): Promise<Readonly<Record<string, string>> | null> {
  const folder = join(paths.release(release), FILES)
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => null)
  if (entries === null) return null
  const files = entries.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name))
  const hashed = files.map(async file => [file.slice(folder.length + 1), sha256(await readFile(file))] as const)
  return Object.fromEntries((await Promise.all(hashed)).sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** Removes what is kept of a release; nothing there is fine. */
export const unstage = ({ paths }: Place, release: string): Promise<void> => rm(paths.release(release), { recursive: true, force: true })

/** Which services' scripts are there in the version that the bundle names: kept with the release, or where the stack file says. */
export async function fetched(place: Place, bundle: Bundle): Promise<Readonly<Record<string, boolean>>> {
  const all = Object.entries(bundle.services).map(async ([service, { version, digest }]) => {
    const { script } = scriptOf(place, service)
    const copies = [join(place.paths.release(bundle.release), FILES, service, basename(script)), script]
    const found = await Promise.all(copies.map(file => readFile(file).catch(() => null)))
    return [service, found.some(bytes => bytes !== null && (digest === null || digestOf(bytes, version) === digest))] as const
  })
  return Object.fromEntries(await Promise.all(all))
}

/** What a staged release is, and how it is run; Trouble(3) when nothing is staged. */
export async function keptRelease(
  { paths }: Pick<Place, 'paths'>,
  release: string,
): Promise<{ readonly bundle: Bundle; readonly settings: Settings }> {
  const folder = paths.release(release)
  const [bundle, settings] = [await readJson<Bundle>(join(folder, BUNDLE)), await readJson<Settings>(join(folder, FILES, SETTINGS))]
  if (bundle && settings) return { bundle, settings }
  throw new Trouble(3, `nothing is kept of release ${release}, so it cannot be started`, { look: [`ls ${paths.releases}`] })
}
