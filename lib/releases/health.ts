import { type Check, LIMIT_MS, type Look } from '../checks/check.ts'
import { serviceFindings } from '../checks/service-findings.ts'
import type { Doing } from '../plan/plan.ts'
import type { ServiceState } from '../platforms/platform.ts'
import { ask } from './ask.ts'
import { configuredChecks } from './configured/health.ts'
import { lookAtReleases, type ReleaseFacts, versionsOf } from './facts.ts'
import { platformOf, type ReleaseSite } from './site.ts'

/** A platform is asked in one go; over ssh, and on a busy host, that takes longer than a single check. */
const PLATFORM_LIMIT_MS = 3 * LIMIT_MS

/** What follows from a platform without being said: every service that serves is healthy, the front door answers, and what runs is what was verified. */
export function releaseChecks(site: ReleaseSite): readonly Check[] {
  if (!site.platform) return []
  const facts = askedOnce(site)
  const services = [...site.services.keys()].map(
    (name): Check => ({ name, kind: 'service', limitMs: PLATFORM_LIMIT_MS, look: async doing => serviceLook(name, await facts(doing)) }),
  )
  return [
    ...services,
    ...configuredChecks(site),
    ...(site.platform.surroundings
      ? [{ name: 'platform', kind: 'platform', limitMs: PLATFORM_LIMIT_MS, look: (doing: Doing) => platformLook(site, doing) }]
      : []),
    { name: 'front door', kind: 'http', limitMs: PLATFORM_LIMIT_MS, look: doing => doorLook(site, doing) },
    { name: 'release', kind: 'image-drift', limitMs: PLATFORM_LIMIT_MS, look: async doing => releaseLook(await facts(doing)) },
  ]
}

/** All checks of a platform share one look at it. */
function askedOnce(site: ReleaseSite): (doing: Doing) => Promise<ReleaseFacts> {
  let asked: Promise<ReleaseFacts> | undefined
  return doing => {
    asked ??= lookAtReleases(site, doing)
    return asked
  }
}

const blind = ({ platform }: ReleaseFacts): Look | undefined =>
  platform.state === 'answers'
    ? undefined
    : {
        is: 'unknown',
        says: `could not look at ${platform.where}: ${platform.because ?? platform.state}`,
        ...(platform.mend ? { look: [platform.mend] } : {}),
      }

function serviceLook(name: string, facts: ReleaseFacts): Look {
  const unseen = blind(facts)
  if (unseen) return unseen
  const state: ServiceState | undefined = facts.serving?.services[name]
  if (!state) return { is: 'unhealthy', says: facts.serving ? `${versionsOf(facts.serving.services)} serves without it` : 'nothing serves' }
  const { wanted, healthy, running, restarts, because } = state
  const [finding] = serviceFindings([{ service: name, instances: wanted, healthy, running, restarts, ...(because ? { why: because } : {}) }])
  return { is: finding?.is ?? 'unknown', says: `${state.version}: ${finding?.says ?? ''}`, measured: finding?.measured ?? null }
}

async function doorLook(site: ReleaseSite, doing: Doing): Promise<Look> {
  const door = await platformOf(site).door(doing)
  const { path } = site.deploy.probe
  const { status, tookMs, failed } = await ask(door, path, { withinMs: LIMIT_MS, signal: doing.signal })
  const where = new URL(path, door.url).href
  if (failed !== undefined) return { is: 'unhealthy', says: `${where}: ${failed}`, measured: { tookMs } }
  return { is: status >= 500 ? 'unhealthy' : 'healthy', says: `${where}: ${status} in ${tookMs} ms`, measured: { status, tookMs } }
}

/** What the services stand on, and what keeps others from their work: databases, volumes, budgets, autoscalers, periodic jobs. */
async function platformLook(site: ReleaseSite, doing: Doing): Promise<Look> {
  const found = await platformOf(site).surroundings?.(doing)
  if (!found) return { is: 'unknown', says: 'it cannot tell' }
  const { faults, unseen, counted: measured, look } = found
  if (faults.length > 0) return { is: 'unhealthy', says: faults.join('; '), measured, look }
  if (unseen.length > 0) return { is: 'unknown', says: unseen.join('; '), measured, look }
  const all = Object.entries(measured).map(([name, n]) => `${n} ${name}`)
  return { is: 'healthy', says: `besides its services ${all.join(', ')}`, measured }
}

/** Whether what runs is what was recorded: nobody changed it by hand. */
export function releaseLook(facts: ReleaseFacts): Look {
  const unseen = blind(facts)
  if (unseen) return unseen
  if (!facts.serving?.release) return { is: 'unhealthy', says: 'nothing serves' }
  if (!facts.current) return { is: 'unhealthy', says: `${versionsOf(facts.serving.services)} serves, and was never verified` }
  const wanted = facts.current.bundle.services
  const drifted = Object.entries(facts.serving.services).filter(
    ([name, { digest, version }]) => wanted[name] !== undefined && (wanted[name].digest !== digest || wanted[name].version !== version),
  )
  if (drifted.length > 0)
    return {
      is: 'unhealthy',
      says: drifted.map(([name, { version }]) => `${name} runs another image than was verified as ${wanted[name]?.version} (${version})`).join('; '),
    }
  return { is: 'healthy', says: `${versionsOf(facts.serving.services)}, verified ${facts.current.at.slice(0, 16)}Z by ${facts.current.by.user}` }
}
