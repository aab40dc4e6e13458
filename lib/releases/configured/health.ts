import { type Check, LIMIT_MS, type Look } from '../../checks/check.ts'
import type { Doing } from '../../plan/plan.ts'
import { recordOf } from '../records.ts'
import { platformOf, type ReleaseSite } from '../site.ts'
import { configuredOn, driftOf } from './facts.ts'
import { configurationsOf, ofService } from './records.ts'

/** A host is asked in one go; over ssh, and on a busy one, that takes longer than a single check. */
const HOST_LIMIT_MS = 3 * LIMIT_MS

/** Every configured service runs, answers, and says that it runs the configuration that was recorded. */
export const configuredChecks = (site: ReleaseSite): readonly Check[] =>
  [...(site.configured ?? [])].map(name => ({
    name,
    kind: 'configured',
    limitMs: HOST_LIMIT_MS,
    look: (doing: Doing) => lookAt(site, name, doing),
  }))

async function lookAt(site: ReleaseSite, name: string, doing: Doing): Promise<Look> {
  const platform = platformOf(site)
  const facts = await platform.facts(doing)
  if (facts.state !== 'answers')
    return {
      is: 'unknown',
      says: `could not look at ${facts.where}: ${facts.because ?? facts.state}`,
      ...(facts.mend ? { look: [facts.mend] } : {}),
    }
  const [records, state] = await Promise.all([configurationsOf(platform), configuredOn(platform).state(name, doing)])
  const current = recordOf(ofService(records, name), state.release)
  const drift = driftOf({ state, current })
  if (drift.length > 0) return { is: 'unhealthy', says: drift.join('; '), ...(state.log ? { look: [state.log] } : {}) }
  if (!current) return { is: 'unhealthy', says: 'it was never deployed' }
  return { is: 'healthy', says: `${state.version} runs its configuration, verified ${current.at.slice(0, 16)}Z by ${current.by.user}` }
}
