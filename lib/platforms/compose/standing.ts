import type { Doing } from '../../plan/plan.ts'
import type { ServiceState, SlotState, Standing } from '../platform.ts'
import { type Container, containersOf } from './containers.ts'
import { countedAtDoor } from './door.ts'
import { otherOf, pathsOf, projectOf, type Site, SLOTS } from './site.ts'
import { intended } from './split-file.ts'

/** Whether the engine takes a container for one that runs, if only between two restarts. */
export const runs = ({ status }: Container) => ['running', 'restarting', 'paused'].includes(status)

/** Why a container is not healthy, in words; undefined when nothing is wrong with it. */
export function wrongWith(one: Container): string | undefined {
  if (one.oom) return `it was killed for want of memory (OOM), exit ${one.exitCode}`
  if (one.error !== '') return one.error.trim()
  const times = one.restarts > 0 ? `, restarted ${one.restarts} ${one.restarts === 1 ? 'time' : 'times'}` : ''
  if (one.status !== 'running')
    return one.status === 'exited' && one.exitCode === 0 ? `it ended with exit 0${times}` : `${one.status}, exit ${one.exitCode}${times}`
  if (one.probe !== null && one.health !== 'healthy') return `health check: ${one.probe}${times}`
  if (one.health === 'unhealthy') return `its health check fails${times}`
  return one.restarts > 0 ? times.slice(2) : undefined
}

/** What stands in a slot, out of the containers of its project. */
export function slotState(containers: readonly Container[]): SlotState {
  if (containers.length === 0) return { release: null, is: 'absent', services: {} }
  const newest = containers.reduce((a, b) => (b.createdMs > a.createdMs ? b : a))
  const names = [...new Set(containers.map(({ service }) => service))].sort()
  const services = names.map(name => [name, serviceState(containers.filter(({ service }) => service === name))] as const)
  return { release: newest.release ?? 'by hand', is: containers.some(runs) ? 'running' : 'stopped', services: Object.fromEntries(services) }
}

function serviceState(containers: readonly Container[]): ServiceState {
  const [first] = containers as readonly [Container, ...Container[]]
  const because = containers.map(wrongWith).find(Boolean)
  return {
    version: first.version,
    digest: first.digest,
    wanted: containers.length,
    running: containers.filter(({ status }) => status === 'running').length,
    healthy: containers.filter(({ status, health }) => status === 'running' && health === 'healthy').length,
    restarts: containers.reduce((sum, { restarts }) => sum + restarts, 0),
    ...(because === undefined ? {} : { because }),
  }
}

/** One slot. */
export async function slotOf(site: Site, slot: string, doing: Doing): Promise<SlotState> {
  const { containers } = await containersOf(site, pathsOf(site).split, doing)
  return slotState(containers.filter(({ project }) => project === projectOf(site, slot)))
}

/**
 * Everything that stands. What serves is counted in answers; where the front door does not answer, nothing serves, and split.conf still says
 * which slot is not idle: a release that is only cut off must not be overwritten.
 */
export async function standingOf(site: Site, doing: Doing): Promise<Standing> {
  const [{ containers, split }, { share }] = await Promise.all([containersOf(site, pathsOf(site).split, doing), countedAtDoor(site, doing)])
  const slots = Object.fromEntries(SLOTS.map(slot => [slot, slotState(containers.filter(({ project }) => project === projectOf(site, slot)))]))
  const [most] = Object.entries(share).sort(([, a], [, b]) => b - a)[0] ?? []
  const serving = most !== undefined && slots[most]?.is === 'running' ? most : null
  const meant = most ?? intended(split)?.slot
  const taken = meant ?? SLOTS.find(slot => slots[slot]?.is === 'running') ?? 'green'
  return { slots, serving, idle: otherOf(taken) }
}
