import { plural } from '../plan/durations.ts'
import type { Finding } from './check.ts'

/** How a service stands on its platform. `healthy` counts those whose own health check says so; one that has none is never counted. */
export type ServiceStanding = {
  readonly service: string
  /** How many should run. */
  readonly instances: number
  readonly healthy: number
  /** Those that run, healthy or not, where the platform tells. */
  readonly running?: number
  /** Since its release was put there. */
  readonly restarts: number
  /** Why it is not healthy: exit code, OOM, the failing probe's answer. */
  readonly why?: string
}

/** What the states of a platform's services mean for the health of the stack. */
export function serviceFindings(states: readonly ServiceStanding[]): Finding[] {
  return states.map(state => {
    const { service, instances, healthy, restarts } = state
    return { name: service, kind: 'service', ...judged(state), measured: { instances, healthy, restarts }, tookMs: 0 }
  })
}

function judged({ instances, healthy, running = 0, restarts, why }: ServiceStanding): Pick<Finding, 'is' | 'says'> {
  const said = `${healthy} of ${instances} healthy${restarts > 0 ? `, ${plural(restarts, 'restart')}` : ''}`
  if (instances > 0 && healthy >= instances) return { is: 'healthy', says: said }
  if (why) return { is: 'unhealthy', says: `${said}: ${why}` }
  // Running is no proof of health, and no proof of the contrary.
  if (instances > 0 && running >= instances) return { is: 'unknown', says: `${running} running, no health check` }
  return { is: 'unhealthy', says: said }
}
