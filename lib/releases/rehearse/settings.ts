import { Trouble } from '../../plan/outcome.ts'
import type { Doing } from '../../plan/plan.ts'
import { Secret, textOf } from '../../plan/secrets.ts'
import type { Bundle } from '../../platforms/platform.ts'
import type { Given, Instead, RehearsalPlace } from '../../platforms/rehearsal.ts'
import type { Source } from '../../sources/source.ts'
import { platformOf, type Rehearsed, type ReleaseSite } from '../site.ts'

/** Why a release cannot be kept from live data, and what mends it. */
export type Fault = { readonly because: string; readonly mend: string }

/** What a release is given in a rehearsal instead of its own, and why that may not be enough. */
export type LedAway = { readonly instead: Given; readonly faults: readonly Fault[] }

type Told = {
  readonly parts: ReadonlyMap<string, Source>
  readonly rehearse: Readonly<Record<string, Rehearsed>>
  /** What the release would come back with. */
  readonly given: Given
  readonly run: string
}

/** A secret stays one. */
const like = (name: string, before: string | Secret, value: string): string | Secret => (before instanceof Secret ? new Secret(name, value) : value)

/** Leads the settings of a release to copies. Every part must be named, and nothing that leads to a part may be left as it is. */
export function ledAway({ parts, rehearse, given, run }: Told): LedAway {
  const instead: Record<string, string | Secret> = {}
  const faults: Fault[] = []
  for (const [name, how] of Object.entries(rehearse)) {
    const before = given[name]
    if (before === undefined) continue
    if (typeof how !== 'string') {
      instead[name] = like(name, before, how.value)
      continue
    }
    const part = parts.get(how)
    const copy = part?.copyFor?.(textOf(before), run) ?? part?.copyNamed?.(textOf(before), run)
    if (copy !== undefined) instead[name] = like(name, before, copy)
    else faults.push(notLed(name, how, part))
  }
  return { instead, faults: [...faults, ...unnamed({ parts, rehearse, given, run }), ...astray({ parts, rehearse, given, run })] }
}

function notLed(name: string, how: string, part: Source | undefined): Fault {
  const mend = `rehearse: { ${name}: { value: '…', insteadOf: '${how}' } }, a value that leads to no live data`
  if (!part) return { because: `deploy.rehearse leads ${name} to "${how}", which this environment does not have`, mend }
  if (!part.copyFor) return { because: `No application can be led to a copy of ${how} (${part.kind})`, mend }
  return { because: `${name} of the release does not lead to ${how} (${part.where}), so nobody can say what it leads to`, mend }
}

const partOf = (how: Rehearsed): string | undefined => (typeof how === 'string' ? how : how.insteadOf)

/** Parts that no setting of the release is said to lead to. */
function unnamed({ parts, rehearse, given }: Told): Fault[] {
  return [...parts].flatMap(([name, part]) => {
    const settings = Object.keys(rehearse).filter(setting => partOf(rehearse[setting] ?? '') === name)
    if (settings.some(setting => given[setting] !== undefined)) return []
    const because =
      settings.length === 0
        ? `Nothing says by which setting the release finds ${name} (${part.where})`
        : `The release is not given ${settings.join(' or ')}, by which deploy.rehearse keeps it from ${name} (${part.where})`
    const entry = part.copyFor ? `‹setting›: '${name}'` : `‹setting›: { value: '…', insteadOf: '${name}' }`
    return [{ because, mend: `add to deploy of the stack file: rehearse: { ${entry} }` }]
  })
}

/** Settings that lead to a part, or hold an address that does, and would stay as they are. */
function astray({ parts, rehearse, given, run }: Told): Fault[] {
  return Object.entries(given).flatMap(([name, value]) => {
    if (name in rehearse) return []
    for (const [part, { copyFor }] of parts) {
      if (copyFor?.(textOf(value), run) !== undefined)
        return [
          { because: `${name} of the release leads to ${part}, too`, mend: `add to deploy of the stack file: rehearse: { ${name}: '${part}' }` },
        ]
      if (addressesIn(textOf(value)).some(address => copyFor?.(address, run) !== undefined)) {
        const mend = `add to deploy of the stack file: rehearse: { ${name}: { value: '…', insteadOf: '${part}' } }, or give the release that address by a setting of its own`
        return [{ because: `${name} of the release holds an address of ${part}`, mend }]
      }
    }
    return []
  })
}

/** Addresses in a longer text, such as a file of settings. */
const addressesIn = (text: string): readonly string[] => text.match(/[a-z][a-z\d+.-]*:\/\/[^\s"'`<>]*[^\s"'`<>.,;)\]}]/gi) ?? []

/** The place of a run's rehearsal. */
export const rehearsalAt = (site: ReleaseSite, run: string): RehearsalPlace => platformOf(site).rehearsals.at(run)

/** What a release would come back with, led away from live data. */
export async function ledAwayOn(site: ReleaseSite, bundle: Bundle, run: string, doing: Doing): Promise<LedAway> {
  const given = await platformOf(site).rehearsals.given(bundle, doing)
  return ledAway({ parts: site.parts, rehearse: site.deploy.rehearse ?? {}, given, run })
}

/** The same for a place, read when it is needed and looked at again: Trouble(3) for whatever may lead to live data by now. */
export const insteadOn = (site: ReleaseSite, bundle: Bundle, run: string): Instead => ({
  names: Object.keys(site.deploy.rehearse ?? {}),
  async read(doing) {
    const { instead, faults } = await ledAwayOn(site, bundle, run, doing)
    const [first] = faults
    if (first) throw new Trouble(3, first.because, { next: [first.mend] })
    return instead
  },
})

/** Parts whose copies a release works on, and those that it does without. */
export function partsIn(site: ReleaseSite): { readonly copied: readonly string[]; readonly leftOut: readonly string[] } {
  const named = Object.values(site.deploy.rehearse ?? {})
  const copied = [...site.parts.keys()].filter(part => named.includes(part))
  return { copied, leftOut: [...site.parts.keys()].filter(part => !copied.includes(part)) }
}
