import { canonical } from '../../../plan/nodes.ts'
import type { Action, Doing } from '../../../plan/plan.ts'
import type { Bundle } from '../../platform.ts'
import { edgeIsUp } from '../edge.ts'
import { PLACE, placed } from '../place-files.ts'
import { type Site, variableOf } from '../site.ts'
import { PIN } from '../slots.ts'
import { action, done, looked, typed } from '../there.ts'
import { composedFrom, imageNames } from './check.ts'
import { configuredParts } from './draft.ts'
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

/**
 * Puts release $2 of folder $1 into use, file by file inside folders that stay, because containers keep what they have mounted and not its name.
 * Nothing is said to be of a release before all of it is there. Then PIN, with its arguments behind project, service and the way to tell.
 */
const APPLY = `${PIN}
base=$1 release=$2 project=$3 service=$4 how=$5; shift 5
umask 077
cd -- "$base" || exit 1
[ -f "kept/$release/service.yaml" ] || { echo "the files of $release are not there" >&2; exit 3; }
mkdir -p live && rm -f live/release || exit 1
(cd "kept/$release" && find . -type d) | while IFS= read -r one; do mkdir -p -- "live/$one" || exit 1; done || exit 1
find live -mindepth 1 -type d -exec chmod 755 {} + || exit 1
(cd "kept/$release" && find . -type f) | while IFS= read -r one; do cp -p -- "kept/$release/$one" .part && mv -f -- .part "live/$one" || exit 1; done || exit 1
(cd live && find files secrets -type f 2>/dev/null) | while IFS= read -r one; do [ -e "kept/$release/$one" ] || rm -f -- "live/$one" || exit 1; done || exit 1
date +%s.%N >live/applied
running() { for id in $(docker ps -q --no-trunc --filter status=running --filter "label=com.docker.compose.project=$project" --filter "label=com.docker.compose.service=$service" --filter label=com.docker.compose.oneoff=False); do
docker container inspect -f '{{.Id}} {{.State.StartedAt}}' "$id"; done; }
pin "$@" || exit 3
shift $(($2*3+2))
before=$(running)
docker "$@" up --detach --no-build --no-deps "$service" || exit 1
after=$(running)
if [ -n "$after" ] && [ "$before" = "$after" ]; then
case $how in HUP) docker kill --signal HUP "\${after%% *}" ;; restart) docker restart "\${after%% *}" ;; esac >/dev/null || exit 1
fi
echo "$release" >live/release`

/** Puts a release of a service into use and tells the service. */
export function apply(site: Site, bundle: Bundle): readonly Action[] {
  const place = placeOf(site, bundle.slot)
  const { name, apply: how } = place.service
  const argv = [...configuredArgv(place, place.live, ['images.env']), '-f', `${place.live}/service.yaml`]
  const args = [place.base, bundle.release, place.project, name, how, place.live, '1', variableOf(name), ...imageNames(bundle), ...argv]
  const tell = how === 'HUP' ? 'docker kill --signal HUP' : 'docker restart'
  const prints = `${place.kept(bundle.release)} → ${place.live}; ${typed('docker', ...argv, 'up', '--detach', '--no-deps', name)}; ${tell} ${name}`
  return [
    action(prints, async doing => {
      await needsEdge(site, place, bundle.release, doing)
      await done(site, `configuring ${name}`, APPLY, doing, args)
      return undefined
    }),
  ]
}

const NETWORKS = 'for name; do docker network inspect "$name" >/dev/null 2>&1 || echo "$name"; done'

/** A network of the edge is there as soon as the edge is. */
async function needsEdge(site: Site, place: Place, release: string, doing: Doing): Promise<void> {
  const { services, networks = {} } = await composedFrom(site, place, place.kept(release), doing)
  const own = Object.keys(services?.[place.service.name]?.networks ?? {})
  const external = own.flatMap(name => (networks[name]?.external ? [networks[name].name ?? name] : []))
  if (external.length === 0) return
  if ((await looked(site, NETWORKS, doing, external)).trim() !== '') await edgeIsUp(site).run(doing)
}

/** Ends the containers of service $2 of project $1, and removes folder $3. */
const REMOVE = `ids=$(docker ps -aq --filter "label=com.docker.compose.project=$1" --filter "label=com.docker.compose.service=$2" --filter label=com.docker.compose.oneoff=False) || exit 1
[ -z "$ids" ] || docker rm --force $ids >/dev/null || exit 1
rm -rf -- "$3"`

/** Ends a service and removes the files that it has in use. */
export function remove(site: Site, name: string): readonly Action[] {
  const { project, live } = placeOf(site, name)
  return [
    action(
      typed('docker', 'compose', '-p', project, 'rm', '--stop', '--force', name),
      async doing => void (await done(site, `removing ${name}`, REMOVE, doing, [project, name, live])),
    ),
  ]
}

const KEPT = 'cd -- "$1" 2>/dev/null || exit 0; for one in *; do [ -d "$one" ] && echo "$one"; done; exit 0'

/** Releases of which files are kept, but for those to keep and what is in use. */
export async function surplus(site: Site, name: string, keep: readonly string[], doing: Doing): Promise<readonly string[]> {
  const kept = await looked(site, KEPT, doing, [`${placeOf(site, name).base}/kept`])
  return kept.split('\n').filter(one => one !== '' && !keep.includes(one))
}
