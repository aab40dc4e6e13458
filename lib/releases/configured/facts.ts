import { canonical } from '../../plan/nodes.ts'
import { Trouble } from '../../plan/outcome.ts'
import type { Doing } from '../../plan/plan.ts'
import type { Configured, ConfiguredState } from '../../platforms/configured.ts'
import type { Bundle, ImageFacts, Platform, PlatformFacts, Wanted } from '../../platforms/platform.ts'
import { namedRelease, recordOf, targetOf } from '../records.ts'
import { platformOf, type ReleaseSite } from '../site.ts'
import { type ConfiguredRecord, configurationsOf, ofService } from './records.ts'

/** One configured service: how it stands, what was recorded of that, and what it is to become. */
export type ServiceFacts = {
  readonly name: string
  readonly state: ConfiguredState
  /** The record of what it has in use; undefined for what was never verified. */
  readonly current: ConfiguredRecord | undefined
  readonly bundle: Bundle
  readonly own: Pick<Wanted, 'image' | 'version'>
  /** What it must say, where that is known: it said so before. */
  readonly says: string | null
  readonly image: ImageFacts | null
}

/** What is known of configured services before something is done with them. */
export type ConfiguredFacts = { readonly platform: PlatformFacts; readonly services: readonly ServiceFacts[]; readonly missing: readonly string[] }

type Asked = { readonly version?: string | undefined; readonly set: readonly string[]; readonly service: readonly string[] }

/** Whether a version is said as `<service>=<version>`. */
export const wellSaid = (pair: string): boolean => /^[^=]+=.+$/.test(pair)

const nameOf = (pair: string) => pair.split('=')[0] ?? ''

/** Every service that is named, and whether any of them is configured instead of released. */
export function namedServices(site: Pick<ReleaseSite, 'configured'>, { set, service }: Pick<Asked, 'set' | 'service'>) {
  const names = [...new Set([...service, ...set.map(nameOf)])]
  return { names, configures: names.some(name => site.configured?.has(name)) }
}

/** The configured services of a platform; Trouble(1) where it has none. */
export function configuredOn(platform: Platform): Configured {
  if (platform.configured) return platform.configured
  throw new Trouble(1, `${platform.kind} has no configured services`)
}

/** Looks at named services and makes what they are to become out of the files of today. */
export async function lookAtConfigured(site: ReleaseSite, asked: Asked, release: string, doing: Doing): Promise<ConfiguredFacts> {
  const names = asked.set.every(wellSaid) ? namedServices(site, asked).names : []
  return looking(site, names, doing, async (name, platform, now) => {
    const draft = await configuredOn(platform).draft(name, doing)
    const wanted = versionOf(name, asked, now.current, draft.own)
    const [image = null] = await platform.images({ [name]: wanted }, doing)
    const services = { [name]: { ...wanted, digest: image?.digest ?? null } }
    return { ...now, own: draft.own, image, says: null, bundle: { release, slot: name, services, files: draft.files, secrets: draft.secrets } }
  })
}

/** Looks at named services and finds what they go back to: the verified configuration before the one in use, or the one that is named. */
export async function lookBack(site: ReleaseSite, names: readonly string[], to: string | undefined, doing: Doing): Promise<ConfiguredFacts> {
  return looking(site, names, doing, async (name, platform, now, records) => {
    const target = to === undefined ? targetOf(records, now.state.release) : namedRelease(records, to)
    if (!target) return undefined
    const kept = await configuredOn(platform).staged(name, target.release, doing)
    if (canonical(kept) !== canonical(target.bundle.files)) return undefined
    return { ...now, own: target.own, image: null, says: target.says, bundle: target.bundle }
  })
}

type Now = Pick<ServiceFacts, 'name' | 'state' | 'current'>

async function looking(
  site: ReleaseSite,
  names: readonly string[],
  doing: Doing,
  make: (name: string, platform: Platform, now: Now, records: readonly ConfiguredRecord[]) => Promise<ServiceFacts | undefined>,
): Promise<ConfiguredFacts> {
  const platform = platformOf(site)
  const facts = await platform.facts(doing)
  const known = names.filter(name => site.configured?.has(name))
  if (facts.state !== 'answers' || known.length < names.length) return { platform: facts, services: [], missing: [] }
  const all = await configurationsOf(platform)
  const made = await Promise.all(
    known.map(async name => {
      const records = ofService(all, name)
      const state = await configuredOn(platform).state(name, doing)
      return make(name, platform, { name, state, current: recordOf(records, state.release) }, records)
    }),
  )
  return { platform: facts, services: made.filter(one => one !== undefined), missing: known.filter((_, i) => made[i] === undefined) }
}

/**
 * The image that is asked for; else the one that was chosen last, unless the Compose file has come to name another since; else the one that the
 * Compose file names.
 */
function versionOf(name: string, { version, set }: Asked, current: ConfiguredRecord | undefined, own: Pick<Wanted, 'image' | 'version'>) {
  const pair = set.find(one => nameOf(one) === name)
  const chosen = pair === undefined ? version : pair.slice(pair.indexOf('=') + 1)
  if (chosen !== undefined) return { image: own.image, version: chosen }
  const last = current?.bundle.services[name]
  return last && canonical(current.own) === canonical(own) ? { image: last.image, version: last.version } : own
}

/** What a service has that is other than recorded: changed by hand. */
export function driftOf({ state, current }: Pick<ServiceFacts, 'state' | 'current'>): string[] {
  if (!current) return state.runs ? ['it runs what was never verified here'] : []
  const files = [...new Set([...Object.keys(state.files ?? {}), ...Object.keys(current.bundle.files)])]
  const changed = files.filter(name => state.files?.[name] !== current.bundle.files[name])
  const { version, digest } = Object.values(current.bundle.services)[0] ?? {}
  const other = state.version !== version || (digest != null && state.digest !== digest)
  return [
    ...(changed.length > 0 ? [`files were changed by hand: ${changed.join(', ')}`] : []),
    ...(state.runs && other ? [`it runs another image than was verified as ${version} (${state.version})`] : []),
    ...(state.runs && state.says !== null && state.says !== current.says ? ['it says that it runs another configuration than was verified'] : []),
    ...(state.runs && state.says === null ? [state.wrong ?? 'it does not answer'] : []),
    ...(state.runs ? [] : [state.wrong ?? 'it does not run']),
  ]
}

/** Whether a service is to become just what it is. */
export function isAsWanted(facts: ServiceFacts): boolean {
  const { current, bundle } = facts
  if (!current || driftOf(facts).length > 0) return false
  const bones = ({ services, files, secrets }: Bundle) => canonical({ services, files, secrets })
  return bones(current.bundle) === bones(bundle)
}
