import { setTimeout as sleep } from 'node:timers/promises'
import type { Doing } from '../../plan/plan.ts'
import { type Site, SLOTS } from './site.ts'
import { looked, sections } from './there.ts'

/** A container as `docker container inspect` shows it, as far as it is needed here. */
type Inspected = {
  readonly Id: string
  readonly Created: string
  readonly Image: string
  readonly RestartCount: number
  readonly State: {
    readonly Status: string
    readonly ExitCode: number
    readonly OOMKilled: boolean
    readonly Error: string
    readonly StartedAt: string
    readonly FinishedAt: string
    readonly Health?: { readonly Status: string; readonly Log: readonly { readonly ExitCode: number; readonly Output: string }[] | null }
  }
  readonly Config: { readonly Image: string; readonly Labels: Readonly<Record<string, string>> | null }
  readonly HostConfig: { readonly RestartPolicy: { readonly Name: string } }
  readonly NetworkSettings: { readonly Networks: Readonly<Record<string, { readonly IPAddress: string }>> }
}

/** A container of a slot or of the edge. */
export type Container = {
  readonly id: string
  readonly project: string
  readonly service: string
  /** What the toolkit wrote on it; null on one that somebody else made. */
  readonly release: string | null
  readonly version: string
  /** Of its image: what the release said where that is true, else what the engine calls it. */
  readonly digest: string
  readonly createdMs: number
  readonly startedMs: number
  readonly finishedMs: number
  readonly status: string
  readonly exitCode: number
  readonly oom: boolean
  readonly error: string
  readonly restarts: number
  readonly restarted: boolean
  /** `none` without a health check. */
  readonly health: 'none' | 'starting' | 'healthy' | 'unhealthy'
  /** The last answer of a probe that failed. */
  readonly probe: string | null
  readonly addresses: readonly string[]
}

/**
 * Functions of a look. `of_projects` prints the ids of the containers of projects but for those of `docker compose run`; `stood` prints the
 * sections `containers` and `images`, what is known of ids and of their images: one that has gone in between is no failure, and a Docker that does
 * not answer is never an empty list. A call of docker costs more than all that is done with its answer, here and above all on a busy host.
 */
export const LOOKS = `of_projects() { all=$(docker ps -a --no-trunc --filter label=com.docker.compose.project --filter label=com.docker.compose.oneoff=False \\
  --format '{{.ID}} {{.Label "com.docker.compose.project"}}') || return 9
for p; do printf '%s\\n' "$all" | while read -r id of; do [ "$of" != "$p" ] || echo "$id"; done; done; }
inspected() { [ $# -gt 0 ] || { echo '[]'; return 0; }
e=$( { docker container inspect "$@" >&3; } 2>&1 ) || case $e in *'No such container'*) ;; *) echo "$e" >&2; return 9 ;; esac; } 3>&1
stood() { known=$(inspected "$@") || return 9
echo @@containers; printf '%s\\n' "$known"; echo @@images
images=$(printf '%s\\n' "$known" | sed -n 's/^ *"Image": "\\(sha256:[0-9a-f]*\\)",*$/\\1/p' | sort -u)
[ -z "$images" ] || docker image inspect -f '{{.Id}} {{range .RepoDigests}}{{.}} {{end}}' $images 2>/dev/null; return 0; }`

/** Prints the sections `containers`, `images` and `split` of projects $2 …; $1 is split.conf. */
const STAND = `${LOOKS}
split=$1; shift
ids=$(of_projects "$@") || exit 9
stood $ids || exit 9
echo @@split; cat "$split" 2>/dev/null
exit 0`

/** What stands on a host, and how the traffic is meant to go. */
type Found = { readonly containers: readonly Container[]; readonly split: string }

/** Looks that have been asked for and have not begun, each with the signal of who asked first. */
const coming = new WeakMap<Site, { readonly found: Promise<Found>; readonly signal: AbortSignal }>()

/** How long a look waits for others who want the same, in milliseconds. */
const GATHER_MS = 2

/**
 * The containers of both slots and of the edge, with the text of split.conf. Those who ask at the same time get one look, which begins after the
 * last of them has asked: nobody is told what was before.
 */
export async function containersOf(site: Site, split: string, doing: Doing): Promise<Found> {
  const look = coming.get(site) ?? begin(site, split, doing)
  try {
    return await look.found
  } catch (error) {
    doing.signal.throwIfAborted()
    // It was somebody else's look, who was stopped in the middle of it.
    if (look.signal.aborted) return await lookAt(site, split, doing)
    throw error
  }
}

function begin(site: Site, split: string, doing: Doing) {
  const found = sleep(GATHER_MS).then(() => {
    coming.delete(site)
    return lookAt(site, split, doing)
  })
  const look = { found, signal: doing.signal }
  coming.set(site, look)
  return look
}

const lookAt = (site: Site, split: string, doing: Doing): Promise<Found> =>
  containersIn(site, [...SLOTS.map(slot => `${site.options.project}-${slot}`), site.options.project], split, doing)

/** The containers of projects, with the text of split.conf. */
export async function containersIn(site: Site, projects: readonly string[], split: string, doing: Doing): Promise<Found> {
  const parts = sections(await looked(site, STAND, doing, [split, ...projects]))
  return { containers: parsed(parts.containers ?? '[]', parts.images ?? ''), split: parts.split ?? '' }
}

/** Containers from the sections that `stood` prints. */
export function parsed(inspected: string, images: string): readonly Container[] {
  const digests = new Map(
    images
      .split('\n')
      .filter(Boolean)
      .map(line => {
        const [id = '', ...repositories] = line.trim().split(' ')
        return [id, repositories.map(name => name.slice(name.indexOf('@') + 1))] as const
      }),
  )
  return (JSON.parse(inspected) as readonly Inspected[]).map(one => containerOf(one, digests.get(one.Image) ?? []))
}

function containerOf(one: Inspected, digests: readonly string[]): Container {
  const labels = one.Config.Labels ?? {}
  const said = labels['runbooks.digest']
  const log = one.State.Health?.Log ?? []
  const failed = log.findLast(({ ExitCode }) => ExitCode !== 0)
  const health = one.State.Health?.Status ?? 'none'
  return {
    id: one.Id,
    project: labels['com.docker.compose.project'] ?? '',
    service: labels['com.docker.compose.service'] ?? '',
    release: labels['runbooks.release'] ?? null,
    version: labels['runbooks.version'] ?? /:([^/:@]+)(@|$)/.exec(one.Config.Image)?.[1] ?? 'unknown',
    digest: said !== undefined && (said === one.Image || digests.includes(said)) ? said : (digests[0] ?? one.Image),
    createdMs: Date.parse(one.Created),
    startedMs: Date.parse(one.State.StartedAt),
    finishedMs: Date.parse(one.State.FinishedAt),
    status: one.State.Status,
    exitCode: one.State.ExitCode,
    oom: one.State.OOMKilled,
    error: one.State.Error,
    restarts: one.RestartCount,
    restarted: ['always', 'unless-stopped', 'on-failure'].includes(one.HostConfig.RestartPolicy.Name),
    health: ['starting', 'healthy', 'unhealthy'].includes(health) ? (health as Container['health']) : 'none',
    probe: failed && log.at(-1)?.ExitCode !== 0 ? failed.Output.trim().slice(-300) : null,
    addresses: Object.values(one.NetworkSettings.Networks).flatMap(({ IPAddress }) => (IPAddress ? [IPAddress] : [])),
  }
}
