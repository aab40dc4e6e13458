import { Trouble } from '../../../plan/outcome.ts'
import type { Doing } from '../../../plan/plan.ts'
import { redact } from '../../../plan/secrets.ts'
import type { Bundle } from '../../platform.ts'
import type { Site } from '../site.ts'
import { lastWords, looked, said, typedThere } from '../there.ts'
import type { Composed } from './draft.ts'
import { configuredArgv, type Place, placeOf } from './place.ts'

/** What Compose makes of the files of a folder. */
export async function composedFrom(site: Site, place: Place, folder: string, doing: Doing): Promise<Composed> {
  return JSON.parse(await looked(site, 'docker "$@"', doing, [...configuredArgv(place, folder), 'config', '--format', 'json'])) as Composed
}

/** Names of an image that the engine may know: with the digest of its registry, and by the digest alone, which of an image without a registry is its id. */
export function imageNames(bundle: Bundle): readonly [string, string] {
  const { image = '', version = '', digest = null } = bundle.services[bundle.slot] ?? {}
  return digest === null ? [`${image}:${version}`, `${image}:${version}`] : [`${image}@${digest}`, digest]
}

const IMAGE_ID = `docker image inspect -f '{{.Id}}' "$1" 2>/dev/null || docker image inspect -f '{{.Id}}' "$2"`

/** How many lines of a tool's answer are shown. */
const TOLD_LINES = 8

/** Runs the service's own tool on staged files, in a container that has no network and nothing else of the service. */
export async function refused(site: Site, bundle: Bundle, doing: Doing): Promise<string | null> {
  const place = placeOf(site, bundle.slot)
  const { check, name } = place.service
  if (!check) return null
  const folder = place.kept(bundle.release)
  const service = (await composedFrom(site, place, folder, doing)).services?.[name]
  const mounts = (service?.volumes ?? []).flatMap(({ type, source, target }) =>
    type === 'bind' && source?.startsWith(`${folder}/files/`) ? ['--volume', `${source}:${target}:ro`] : [],
  )
  const [tool = '', ...argv] = check
  const closed = ['--network', 'none', '--read-only', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges', '--pull', 'never']
  const user = service?.user ? ['--user', service.user] : []
  const image = (await looked(site, IMAGE_ID, doing, imageNames(bundle))).trim()
  const words = ['run', '--rm', ...closed, ...user, ...mounts, '--entrypoint', tool, image, ...argv]
  const { code, stdout, stderr } = await said(site, 'exec docker "$@"', doing, words)
  if (code === 0) return null
  // What docker itself could not do says nothing of the files.
  if (code === 125 || code === null)
    throw new Trouble(8, `${check.join(' ')} could not be run: ${redact(lastWords(stderr))}`, { look: [typedThere(site, 'docker', 'info')] })
  const told = redact(`${stdout}\n${stderr}`).trim().split('\n').slice(-TOLD_LINES).join('\n')
  return `${check.join(' ')} exited ${code}:\n${told}`
}
