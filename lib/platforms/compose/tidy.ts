import type { Action, Doing } from '../../plan/plan.ts'
import type { Bundle } from '../platform.ts'
import { containersOf } from './containers.ts'
import { pathsOf, projectOf, type Site, SLOTS } from './site.ts'
import { runs } from './standing.ts'
import { action, done, looked } from './there.ts'

/** Prints the names of the releases that are kept in folder $1. */
const RELEASES = 'cd -- "$1" 2>/dev/null || exit 0; for one in *; do [ -d "$one" ] && echo "$one"; done; exit 0'

/** Removes the folders $2 … of $1, and prints them. */
const REMOVE = 'cd -- "$1" 2>/dev/null || exit 0; shift; for one; do rm -rf -- "./$one" && echo "$one"; done; exit 0'

/**
 * Prints the images of repositories that no kept release and no container needs, stopped ones included; with `remove` as $1 it removes them.
 * Then the number of references to keep, these, and the repositories. A tag and a digest of one image are two names.
 */
const IMAGES = `what=$1 n=$2; shift 2; keep=' '
names=; while [ "$n" -gt 0 ]; do names="$names $1"; shift; n=$((n-1)); done
[ -z "$names" ] || for id in $(docker image inspect -f '{{.Id}}' $names 2>/dev/null); do keep="$keep$id "; done
used=$(docker ps -aq --no-trunc) || exit 9
[ -z "$used" ] || for id in $(docker container inspect -f '{{.Image}}' $used 2>/dev/null | sort -u); do keep="$keep$id "; done
for repository; do
docker images --digests --no-trunc --format '{{.ID}} {{.Repository}} {{.Tag}} {{.Digest}}' "$repository" | while read -r id name tag digest; do
case $keep in *" $id "*) continue ;; esac
for ref in "$name:$tag" "$name@$digest"; do
case $ref in *'<none>') continue ;; esac
[ "$what" != remove ] || docker rmi "$ref" >/dev/null 2>&1 || docker image inspect "$ref" >/dev/null 2>&1 || continue
echo "$ref"
done
done
done
exit 0`

/** What no kept release needs: slots that stand still, releases with files, and images of the stack's own repositories. */
async function surplusOf(site: Site, keep: readonly Bundle[], doing: Doing) {
  const names = new Set(keep.map(({ release }) => release))
  const [{ containers }, kept] = await Promise.all([
    containersOf(site, pathsOf(site).split, doing),
    looked(site, RELEASES, doing, [pathsOf(site).releases]),
  ])
  const there = (slot: string) => containers.filter(({ project }) => project === projectOf(site, slot))
  const isOld = (slot: string) =>
    there(slot).length > 0 && !there(slot).some(runs) && there(slot).every(one => one.release !== null && !names.has(one.release))
  const slots = SLOTS.filter(isOld)
  const standing = new Set(SLOTS.filter(slot => !isOld(slot)).flatMap(slot => there(slot).map(({ release }) => release)))
  return { slots, releases: kept.split('\n').filter(name => name !== '' && !names.has(name) && !standing.has(name)) }
}

/** Names of what `tidy` would remove. */
export async function surplus(site: Site, keep: readonly Bundle[], doing: Doing): Promise<readonly string[]> {
  const { slots, releases } = await surplusOf(site, keep, doing)
  const images = await looked(site, IMAGES, doing, ['list', ...imageArgs(site, keep)])
  // Docker lists images by the second in which they were made, and those of one second in any order: two looks must say the same.
  const names = images.split('\n').filter(Boolean).sort()
  return [...slots.map(slot => `what stands still in ${slot}`), ...releases.map(name => `files of ${name}`), ...names]
}

/** Removes the surplus; says what went. */
export function tidy(site: Site, keep: readonly Bundle[]): readonly Action[] {
  return [
    action(`remove releases but ${keep.map(({ release }) => release).join(', ') || 'none'}`, async doing => {
      const { slots, releases } = await surplusOf(site, keep, doing)
      for (const slot of slots)
        await done(site, `removing ${slot}`, 'exec docker compose -p "$1" down --remove-orphans', doing, [projectOf(site, slot)])
      const files =
        releases.length === 0 ? '' : await done(site, 'removing files of old releases', REMOVE, doing, [pathsOf(site).releases, ...releases])
      const images = await done(site, 'removing images of old releases', IMAGES, doing, ['remove', ...imageArgs(site, keep)])
      return { slots, files: files.split('\n').filter(Boolean), images: images.split('\n').filter(Boolean) }
    }),
  ]
}

function imageArgs({ setting }: Site, keep: readonly Bundle[]): string[] {
  const references = keep.flatMap(({ services }) =>
    Object.values(services).flatMap(({ image, version, digest }) => (digest === null ? [`${image}:${version}`] : [`${image}@${digest}`, digest])),
  )
  return [String(references.length), ...references, ...new Set(setting.services.map(({ image }) => image))]
}
