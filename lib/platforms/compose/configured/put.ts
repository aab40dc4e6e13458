import { canonical } from '../../../plan/nodes.ts'
import type { Action, Doing } from '../../../plan/plan.ts'
import { redact } from '../../../plan/secrets.ts'
import type { Bundle } from '../../platform.ts'
import { edgeIsUp } from '../edge.ts'
import { PLACE, placed } from '../place-files.ts'
import { type Site, variableOf } from '../site.ts'
import { PIN } from '../slots.ts'
import { action, done, looked, said, typed } from '../there.ts'
import { type Composed, configuredParts } from './draft.ts'
import { configuredArgv, type Place, placeOf } from './place.ts'

/** Prints the SHA-256 of the files of folder $1, and `none` when there is none. */
export const FILES = `files_of() { [ -f "$1/service.yaml" ] || { echo none; return 0; }
(cd -- "$1" && sha256sum environment && cd files && find . -type f -exec sha256sum {} +) || return 1; }`

/** Hashes from what FILES prints; null where there is nothing. */
export function filesFrom(stdout: string): Readonly<Record<string, string>> | null {
  if (stdout.trim() === 'none' || stdout.trim() === '') return null
  const lines = stdout.split('\n').filter(Boolean)
  return Object.fromEntries(lines.map(line => [line.slice(66).replace(/^\.\//, ''), line.slice(0, 64)] as const).sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** What is kept of a release of a service. */
export const stagedOf = async (site: Site, name: string, release: string, doing: Doing) =>
  filesFrom(await looked(site, `${FILES}\nfiles_of "$1"`, doing, [placeOf(site, name).kept(release)]))

/** Writes a release beside what is in use. */
export function stage(site: Site, bundle: Bundle): readonly Action[] {
  const folder = placeOf(site, bundle.slot).kept(bundle.release)
  return [
    action(
      `${site.options.files} → ${site.where}:${folder}`,
      async doing => {
        const kept = await stagedOf(site, bundle.slot, bundle.release, doing)
        if (kept && canonical(kept) === canonical(bundle.files)) return undefined
        const input = placed(await configuredParts(site, bundle))
        await done(site, `writing the files of ${bundle.slot}`, PLACE, doing, [folder], input)
        return undefined
      },
      'transfer',
    ),
  ]
}

/** Removes what is kept of a release of a service. */
export function unstage(site: Site, name: string, release: string): readonly Action[] {
  const folder = placeOf(site, name).kept(release)
  return [action(`rm -rf ${folder}`, async doing => void (await done(site, 'removing files', 'rm -rf -- "$1"', doing, [folder])))]
}

/** What Compose makes of the files of a folder. */
async function composed(site: Site, place: Place, folder: string, doing: Doing): Promise<Composed> {
  return JSON.parse(await looked(site, 'docker "$@"', doing, [...configuredArgv(place, folder), 'config', '--format', 'json'])) as Composed
}

/** Exit 91: Docker itself failed, so nothing is known of the files. The first argument is the image by its name, the second by what the engine knows. */
const CHECK = `image=$1; docker image inspect "$image" >/dev/null 2>&1 || image=$2; docker image inspect "$image" >/dev/null || exit 91
n=$3; shift 3; i=0; while [ $i -lt $n ]; do set -- "$@" "$1"; shift; i=$((i+1)); done
tool=$1; shift
i=0; rest=$(($#-n)); while [ $i -lt $rest ]; do set -- "$@" "$1"; shift; i=$((i+1)); done
exit 0`

/** Runs the service's own tool on staged files, in a container that has no network and nothing else of the service. */
export async function refused(site: Site, bundle: Bundle, doing: Doing): Promise<string | null> {
  const place = placeOf(site, bundle.slot)
  const { check, name } = place.service
  if (!check) return null
  const folder = place.kept(bundle.release)
  const service = (await composed(site, place, folder, doing)).services?.[name]
  const mounts = (service?.volumes ?? []).flatMap(({ type, source, target }) =>
    type === 'bind' && source?.startsWith(`${folder}/files/`) ? ['--volume', `${source}:${target}:ro`] : [],
  )
  const [tool = '', ...argv] = check
  const closed = ['--network', 'none', '--read-only', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges', '--pull', 'never']
  const user = service?.user ? ['--user', service.user] : []
  const image = await imageId(site, bundle, doing)
  const words = ['run', '--rm', ...closed, ...user, ...mounts, '--entrypoint', tool, image, ...argv]
  const { code, stdout, stderr } = await said(site, 'exec docker "$@"', doing, words)
  if (code === 0) return null
  const told = redact(`${stdout}\n${stderr}`).trim().split('\n').slice(-8).join('\n')
  return `${check.join(' ')} exited ${code}:\n${told}`
}
