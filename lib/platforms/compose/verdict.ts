import { Trouble } from '../../plan/outcome.ts'
import type { Doing, Seen } from '../../plan/plan.ts'
import { redact } from '../../plan/secrets.ts'
import { plain, type Service } from '../platform.ts'
import { type Container, LOOKS, parsed } from './containers.ts'
import { projectOf, type Site } from './site.ts'
import { slotState, wrongWith } from './standing.ts'
import { looked, sections } from './there.ts'

/** How long a container must have run, in milliseconds: with a health check, without one, and after it has died once. A container that dies
 * 0.3 s after its start may well have answered a probe before. */
const HOLD_MS = 1_000
const STEADY_MS = 2_000
const RECOVERED_MS = 5_000

/** Lines of a log that are shown. */
const LINES = 25

/** Deaths of one container that are enough: once may be a database that was not ready yet. */
const STRIKES = 2

/**
 * Prints the sections `containers`, `images`, `events`, `now` and, for each container that is not well, `log_<id>`, of project $1; events
 * since $2. Only this project's events: Docker's memory holds 256 of the whole machine, so they add to what a look at the containers says.
 */
const JUDGE = `${LOOKS}
ids=$(of_projects "$1") || exit 9
stood $ids || exit 9
now=$(date -u +%Y-%m-%dT%H:%M:%S.%NZ); case $now in *N*) now=$(date -u +%Y-%m-%dT%H:%M:%SZ) ;; esac
echo @@events
docker events --since "$2" --until "$now" --filter type=container --filter "label=com.docker.compose.project=$1" --filter event=die --filter event=oom \\
  --format '{{.ID}} {{.Action}} {{.Actor.Attributes.exitCode}}' || exit 9
echo @@now; echo "$now"
[ -z "$ids" ] || docker container inspect -f '{{.Id}} {{.State.Status}}.{{.State.ExitCode}}.{{.RestartCount}} {{with index .State "Health"}}{{.Status}}{{end}}' $ids 2>/dev/null |
while read -r id state health; do
case $state.$health in ..*|running.*.0.|running.*.0.healthy|exited.0.0.) continue ;; esac
echo "@@log_$id"; docker logs --tail ${LINES} "$id" 2>&1
echo
done
exit 0`

type Look = {
  readonly containers: readonly Container[]
  readonly deaths: ReadonlyMap<string, number>
  /** Exit code of the last death, as events tell it: a container that runs again has none any more. */
  readonly exits: ReadonlyMap<string, string>
  readonly ooms: ReadonlySet<string>
  readonly logs: ReadonlyMap<string, string>
  readonly nowMs: number
}

async function look(site: Site, slot: string, since: string, doing: Doing): Promise<Look> {
  const parts = sections(await looked(site, JUDGE, doing, [projectOf(site, slot), since]))
  const nowMs = Date.parse((parts.now ?? '').trim())
  if (Number.isNaN(nowMs)) throw new Trouble(8, `${site.where} does not tell the time: ${parts.now}`)
  const events = (parts.events ?? '').split('\n').map(line => line.split(' '))
  const died = events.filter(([, what, code]) => what === 'die' && code !== '0').map(([id = '']) => id)
  return {
    containers: parsed(parts.containers ?? '[]', parts.images ?? ''),
    deaths: new Map(died.map(id => [id, died.filter(one => one === id).length])),
    exits: new Map(events.flatMap(([id = '', what, code]) => (what === 'die' && code !== undefined ? [[id, code] as const] : []))),
    ooms: new Set(events.filter(([, what]) => what === 'oom').map(([id = '']) => id)),
    logs: new Map(Object.entries(parts).flatMap(([name, text]) => (name.startsWith('log_') ? [[name.slice(4), redact(text.trim())] as const] : []))),
    nowMs,
  }
}

/** What is said of one container; absent when it is well. */
type Finding = { readonly is: 'doomed' | 'moving' | 'noted'; readonly because: string; readonly of?: Container }

/** The verdict on a release in its slot: what dooms it first, then what it waits for. */
export async function verdictOn(site: Site, slot: string, release: string, without: readonly string[], since: string, doing: Doing): Promise<Seen> {
  const seen = await look(site, slot, since, doing)
  const state = plain(slotState(seen.containers))
  const others = seen.containers.find(one => one.release !== null && one.release !== release)
  if (others) return { state, is: 'doomed', because: `${others.service} in ${slot} is of release ${others.release}, not of ${release}` }
  const wanted = site.setting.services.filter(({ name }) => !without.includes(name))
  const missing = wanted.find(({ name }) => !seen.containers.some(({ service }) => service === name))
  if (missing)
    return {
      state,
      is: 'doomed',
      because: `${missing.name} of ${release} does not stand in ${slot}: its container was never made, or was removed by hand`,
    }
  const services = new Map(site.setting.services.map(service => [service.name, service]))
  const judged = seen.containers.filter(({ service }) => !without.includes(service))
  const findings = judged.flatMap(one => findingOf(one, services.get(one.service), seen, Date.parse(since)) ?? [])
  return { state, ...summed(findings, seen.logs) }
}

function summed(findings: readonly Finding[], logs: ReadonlyMap<string, string>): Omit<Seen, 'state'> {
  for (const is of ['doomed', 'moving'] as const) {
    const first = findings.find(finding => finding.is === is)
    if (!first) continue
    const words = first.of && logs.get(first.of.id)
    return { is, because: redact(first.because), ...(words ? { look: `${first.of?.service}, its last lines:\n${words}` } : {}) }
  }
  const notes = findings.map(({ because }) => because)
  return { is: 'settled', ...(notes.length > 0 ? { because: notes.join('; ') } : {}) }
}

function findingOf(one: Container, service: Service | undefined, seen: Look, sinceMs: number): Finding | undefined {
  const said = `${one.service}: `
  const doomed = (because: string): Finding => ({ is: 'doomed', because: said + because, of: one })
  const moving = (because: string): Finding => ({ is: 'moving', because: said + because, of: one })
  const log = seen.logs.get(one.id) ?? ''
  const deaths = deathsOf(one, seen, sinceMs)
  if (one.oom || seen.ooms.has(one.id))
    return doomed(`it was killed for want of memory (OOM)${one.status === 'running' ? '' : `, exit ${one.exitCode}`}`)
  if (one.status === 'created' && one.error !== '') return doomed(one.error.trim())
  if (deaths > 0 && /exec format error/.test(log)) return doomed('its image is for another kind of processor (exec format error)')
  if (deaths >= STRIKES)
    return doomed(
      `it crashed ${deaths} times, the last time with exit ${one.status === 'running' ? (seen.exits.get(one.id) ?? 'unknown') : one.exitCode}`,
    )
  if (one.status === 'exited' || one.status === 'dead') return ended(one, service, doomed, moving)
  if (one.status !== 'running') return moving(`${one.status}${one.status === 'restarting' ? ` after exit ${one.exitCode}` : ''}`)
  const ranMs = seen.nowMs - one.startedMs
  const hold = one.restarts > 0 && deaths > 0 ? RECOVERED_MS : one.health === 'none' ? STEADY_MS : HOLD_MS
  if (one.health === 'starting' || one.health === 'unhealthy') return moving(wrongWith(one) ?? `its health check has not answered yet`)
  if (ranMs < hold) return moving(deaths > 0 ? `it died once and has run for ${seconds(ranMs)} since` : `it has run for ${seconds(ranMs)}`)
  return one.health === 'none' ? { is: 'noted', because: `${said}it has no health check; that it runs is all that is known` } : undefined
}

const seconds = (ms: number) => `${(Math.max(0, ms) / 1_000).toFixed(1)} s`

/** What ended and will not be started again: fine for a task that is done, the end for what should serve. */
function ended(
  one: Container,
  service: Service | undefined,
  doomed: (because: string) => Finding,
  moving: (because: string) => Finding,
): Finding | undefined {
  if (one.exitCode !== 0) return doomed(`it ended with exit ${one.exitCode}`)
  if (one.restarted) return moving('it ended with exit 0, and is started again')
  if (service?.port !== undefined || service?.health !== undefined) return doomed('it ended with exit 0, though it should serve')
  return undefined
}

/** Deaths since a moment. What was started after it has died as often as it was restarted; of anything older only what happened since counts. */
function deathsOf(one: Container, seen: Look, sinceMs: number): number {
  const heard = seen.deaths.get(one.id) ?? 0
  const now = one.status === 'exited' && one.exitCode !== 0 ? 1 : 0
  if (one.createdMs >= sinceMs) return Math.max(heard, one.restarts + now)
  return Math.max(heard, one.restarts > 0 && one.finishedMs >= sinceMs ? 1 : 0, one.finishedMs >= sinceMs ? now : 0)
}
