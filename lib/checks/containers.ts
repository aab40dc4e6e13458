import { spent } from '../plan/durations.ts'
import { type Check, LIMIT_MS, type Look } from './check.ts'
import { type Container, type Containers, inspected, serviceOf, withDocker } from './docker.ts'
import { isElsewhere, saidOf } from './place.ts'

/** What a team writes of the containers of a Compose project. */
export type ContainersOptions = Containers & {
  readonly name?: string
  /** Services that must have a running container. */
  readonly services?: readonly string[]
  /** Services without a health check of which running is enough. */
  readonly runningIsEnough?: readonly string[]
  /** Restarts that a container may have had when it began less than ten minutes ago; none unless said. */
  readonly restarts?: number
}

type Wanted = Pick<ContainersOptions, 'project' | 'services' | 'runningIsEnough' | 'restarts'>

/** A restart that is longer ago is history: the counter goes back to 0 only with a new container. */
const RECENT_MS = 10 * 60_000

/** The containers of a Compose project: running, healthy by their own checks, not restarting, not out of memory. */
export function containers(options: ContainersOptions): Check {
  const { project, host } = options
  return {
    name: options.name ?? `containers of ${saidOf(options)}${project}`,
    kind: 'containers',
    limitMs: isElsewhere(options) ? 2 * LIMIT_MS : LIMIT_MS,
    async look(doing) {
      const found = containersVerdict(await withDocker(options, doing, ask => inspected(ask, project)), options)
      if (found.is === 'healthy') return found
      const ps = `docker ps -a --filter label=com.docker.compose.project=${project}`
      return { ...found, look: [host === undefined ? ps : `ssh ${host} ${ps}`] }
    },
  }
}

/** What is said of one container. */
type Said = Pick<Look, 'is' | 'says'> & { readonly service: string; readonly plain: boolean }

/** The verdict on a project: its worst container's, with the cause of each that is not well. */
export function containersVerdict(all: readonly Container[], wanted: Wanted, nowMs = Date.now()): Look {
  if (all.length === 0) return { is: 'unhealthy', says: `there is no container of the project ${wanted.project}`, measured: { containers: 0 } }
  const said = all.map(container => judged(container, wanted, nowMs))
  const running = new Set(all.filter(({ State }) => State.Status === 'running').map(serviceOf))
  const missing = (wanted.services ?? []).filter(service => !running.has(service))
  // A service that is missing may be in the list as ended; then its own words are the cause.
  const absent = missing.filter(service => !said.some(one => one.service === service && one.is === 'unhealthy'))
  const bad = [...said.filter(({ is }) => is === 'unhealthy').map(line), ...absent.map(service => `${service}: no container of it runs`)]
  const unsure = said.filter(({ is }) => is === 'unknown').map(line)
  const measured = {
    containers: all.length,
    running: all.filter(({ State }) => State.Status === 'running').length,
    restarts: all.reduce((sum, { RestartCount }) => sum + RestartCount, 0),
    outOfMemory: all.filter(({ State }) => State.OOMKilled).length,
  }
  if (bad.length > 0) return { is: 'unhealthy', says: [...bad, ...unsure].join('; '), measured }
  if (unsure.length > 0) return { is: 'unknown', says: unsure.join('; '), measured }
  const healthy = said.filter(({ plain }) => !plain).length
  const others = said.filter(({ plain }) => plain).map(line)
  return { is: 'healthy', says: [...(healthy > 0 ? [`${healthy} healthy`] : []), ...others].join('; '), measured }
}

const line = ({ service, says }: Said) => `${service}: ${says}`

function judged(container: Container, wanted: Wanted, nowMs: number): Said {
  const service = serviceOf(container)
  const { Status, Health, StartedAt } = container.State
  const said = (is: Look['is'], says: string, plain = true): Said => ({ service, is, says, plain })
  if (Status !== 'running') return { service, plain: true, ...ended(container, nowMs) }
  const up = nowMs - Date.parse(StartedAt)
  const { RestartCount } = container
  if (RestartCount > (wanted.restarts ?? 0) && up < RECENT_MS) {
    return said('unhealthy', `restarted ${times(RestartCount)}, the last time ${spent(up)} ago${why(container)}`)
  }
  if (Health === undefined || Health.Status === 'none') {
    return said(wanted.runningIsEnough?.includes(service) ? 'healthy' : 'unknown', 'running, no health check')
  }
  if (Health.Status === 'starting') return said('unknown', `started ${spent(up)} ago, and its health check has not passed yet`)
  if (Health.Status !== 'healthy') return said('unhealthy', `its health check fails${answerOf(container)}`)
  return said('healthy', 'healthy', false)
}

/** Ended well is right for what runs once, and for nothing else. */
function ended(container: Container, nowMs: number): Pick<Look, 'is' | 'says'> {
  const { Status, ExitCode, FinishedAt, Error: because = '' } = container.State
  const policy = container.HostConfig?.RestartPolicy?.Name ?? 'no'
  const ago = Date.parse(FinishedAt) > 0 ? ` ${spent(nowMs - Date.parse(FinishedAt))} ago` : ''
  if (Status === 'exited' && ExitCode === 0 && (policy === 'no' || policy === '' || policy === 'on-failure')) {
    return { is: 'healthy', says: `ran once and ended with 0${ago}` }
  }
  if (Status === 'exited' && ExitCode === 0) return { is: 'unhealthy', says: `stopped${ago}, though it is to run always` }
  if (Status === 'exited' || Status === 'dead') return { is: 'unhealthy', says: `exited ${ExitCode}${ago}${why(container)}` }
  if (Status === 'restarting') return { is: 'unhealthy', says: `restarts again and again, exited ${ExitCode}${why(container)}` }
  return { is: 'unhealthy', says: `${Status}, not running${because ? `: ${because}` : ''}` }
}

/** Why a container ended, as far as Docker knows. */
function why({ State }: Container): string {
  if (State.OOMKilled) return ', out of memory (OOM killed)'
  return State.Error ? `: ${State.Error}` : ', not out of memory'
}

function answerOf({ State }: Container): string {
  const last = State.Health?.Log?.at(-1)
  return last ? ` (exit ${last.ExitCode}): ${last.Output.trim().slice(0, 200) || 'it says nothing'}` : ''
}

const times = (n: number) => (n === 1 ? 'once' : `${n} times`)
