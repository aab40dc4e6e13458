import { type Inside, inService } from '../../exec/place.ts'
import type { Command } from '../../exec/process.ts'
import type { Action, Doing } from '../../plan/plan.ts'
import { redact } from '../../plan/secrets.ts'
import type { Bundle, WriterSwitch } from '../platform.ts'
import { containersOf } from './containers.ts'
import { edgeIsUp } from './edge.ts'
import { pathsOf, projectOf, type Site, SLOTS, slotArgv, variableOf } from './site.ts'
import { intended } from './split-file.ts'
import { runs } from './standing.ts'
import { action, done, looked, typed } from './there.ts'

/**
 * `pin folder count name digest id …` writes images.env: which image is meant by each variable, as the engine's own id, so that a tag that
 * is moved afterwards changes nothing. An image without a registry's digest is known by its id.
 */
export const PIN = `pin() { env=$1/images.env; n=$2; shift 2; : >"$env.new" || return 1
while [ "$n" -gt 0 ]; do
id=$(docker image inspect -f '{{.Id}}' "$2" 2>/dev/null) || id=$(docker image inspect -f '{{.Id}}' "$3" 2>/dev/null) || { echo "the image $2 is not there" >&2; return 3; }
echo "RUNBOOKS_IMAGE_$1='$id'" >>"$env.new"
shift 3; n=$((n-1))
done
mv -- "$env.new" "$env"; }`

/** Arguments of PINNED for a bundle. */
function pinArgs(site: Site, bundle: Bundle): string[] {
  const images = Object.entries(bundle.services).flatMap(([name, { image, version, digest }]) => [
    variableOf(name),
    digest === null ? `${image}:${version}` : `${image}@${digest}`,
    digest ?? `${image}:${version}`,
  ])
  return [bundle.slot, pathsOf(site).release(bundle.release), String(images.length / 3), ...images]
}

/**
 * Pins, takes its arguments away, and then runs docker with the rest. The first one is the slot: a release may come back into another than the one
 * that its files were written for, and images.env is read last.
 */
const PINNED = `${PIN}
slot=$1; shift
pin "$@" && echo "SLOT='$slot'" >>"$1/images.env" || exit 3
shift $(($2*3+2))`

/** Puts a release into its slot; what is there of it and stopped is only started. */
export const start = (site: Site, bundle: Bundle, without: readonly string[]): readonly Action[] => [edgeIsUp(site), up(site, bundle, without)]

/**
 * The same, where the networks of the edge are there. Of services that are left out there is then no container: what a former release has left of
 * them in the slot goes, and those that depend on them do not wait.
 */
export function up(site: Site, bundle: Bundle, without: readonly string[]): Action {
  const argv = slotArgv(site, bundle.release, bundle.slot)
  const words = [...argv, 'up', '--detach', '--no-build', '--remove-orphans', ...without.flatMap(name => ['--scale', `${name}=0`])]
  const what = `starting ${bundle.release} in ${bundle.slot}`
  return action(
    typed('docker', ...words),
    async doing => void (await done(site, what, `${PINNED}\nexec docker "$@"`, doing, [...pinArgs(site, bundle), ...words])),
  )
}

/** Stops or starts single services. */
export function toggle(site: Site, bundle: Bundle, services: readonly string[], to: 'stopped' | 'running'): readonly Action[] {
  const argv = slotArgv(site, bundle.release, bundle.slot)
  const words = to === 'stopped' ? ['stop', ...services] : ['up', '--detach', '--no-build', '--no-deps', ...services]
  const what = `${to === 'stopped' ? 'stopping' : 'starting'} ${services.join(', ')}`
  return [
    action(
      typed('docker', ...argv, ...words),
      async doing => void (await done(site, what, `${PINNED}\nexec docker "$@"`, doing, [...pinArgs(site, bundle), ...argv, ...words])),
    ),
  ]
}

/** One docker command on the host, that prints as it is typed there. */
export const plainDocker = (site: Site, what: string, argv: readonly string[]): Action =>
  action(typed('docker', ...argv), async doing => void (await done(site, what, 'exec docker "$@"', doing, argv)))

/** Stops a slot; its containers stay. */
export const stop = (site: Site, slot: string): readonly Action[] => [
  plainDocker(site, `stopping ${slot}`, ['compose', '-p', projectOf(site, slot), 'stop']),
]

/** Removes the containers of a slot, whatever made them. */
export const remove = (site: Site, slot: string): readonly Action[] => [
  plainDocker(site, `removing ${slot}`, ['compose', '-p', projectOf(site, slot), 'down', '--remove-orphans']),
]

/** A command in a throw-away container of a release: its image, files, secrets and networks, but no name that anybody asks for. */
export function once(site: Site, bundle: Bundle, service: string, argv: readonly string[]): Command {
  const words = ['--progress', 'quiet', ...slotArgv(site, bundle.release, bundle.slot).slice(1), 'run', '--rm', '--no-deps', '-T', service, ...argv]
  const script = `${PINNED}\nexec docker compose "$@"`
  return site.host.on({
    file: 'sh',
    argv: ['-c', script, 'sh', ...pinArgs(site, bundle), ...words],
    typed: { file: 'docker', argv: ['compose', ...words] },
  })
}

/** Finds out at the time of the call which slot serves, and puts its project in front; $1 is the project, $2 split.conf. */
const IN_SERVING = `slot=$(sed -n '1s/^# [^ ]*: \\([a-z]*\\) .*/\\1/p' "$2") && project=$1-$slot && shift 2 && exec docker compose -p "$project" "$@"`

/** A command inside a service: of the edge, or of the slot that most of the traffic is meant for. */
export function inside(site: Site, service: string, command: Command, how: Inside): Command {
  const { project } = site.options
  const routed = site.setting.services.some(({ name }) => name === service)
  const there = inService({ compose: { project }, service }, command, how)
  if (!routed) return site.host.on(there, { input: how.input })
  const script = ['-c', IN_SERVING, 'sh', project, pathsOf(site).split, ...there.argv.slice(3)]
  return site.host.on({ ...there, file: 'sh', argv: script, ...(there.typed ? { typed: there.typed } : {}) }, { input: how.input })
}

const LOG = `ids=$(docker ps -aq --filter "label=com.docker.compose.project=$1" --filter "label=com.docker.compose.service=$2" --filter label=com.docker.compose.oneoff=False) || exit 9
for id in $ids; do docker logs --tail "$3" "$id" 2>&1; done`

/** The last lines of a service, also of one that has stopped. */
export async function logOf(site: Site, slot: string, service: string, lines: number, doing: Doing): Promise<string> {
  return redact(await looked(site, LOG, doing, [projectOf(site, slot), service, String(lines)]))
}

/** Stops and starts all services of the slot that the traffic is meant for; the other slot has nothing that runs, or nothing that is asked. */
export function writers(site: Site): WriterSwitch {
  const serving = async (doing: Doing) => {
    const { containers, split } = await containersOf(site, pathsOf(site).split, doing)
    const standing = SLOTS.filter(slot => containers.some(({ project }) => project === projectOf(site, slot)))
    const meant = intended(split)?.slot
    const slot = standing.find(one => one === meant) ?? standing[0]
    return { slot, runs: containers.some(one => slot !== undefined && one.project === projectOf(site, slot) && runs(one)) }
  }
  const to = (word: 'stop' | 'start') =>
    action(typed('docker', 'compose', '-p', `${site.options.project}-…`, word), async doing => {
      const { slot } = await serving(doing)
      if (slot === undefined) return
      await done(site, `${word === 'stop' ? 'stopping' : 'starting'} what writes`, 'exec docker compose -p "$1" "$2"', doing, [
        projectOf(site, slot),
        word,
      ])
    })
  return { running: async doing => (await serving(doing)).runs, stop: () => [to('stop')], start: () => [to('start')] }
}
