import { type Command, run } from '../exec/process.ts'
import type { Doing } from '../plan/plan.ts'
import type { Bundle, ImageFacts, Platform, PlatformFacts, SlotState, Standing, Wanted } from '../platforms/platform.ts'
import { type ReleaseRecord, recordOf, releasesOf } from './records.ts'
import type { ReleaseSite } from './site.ts'
import { platformOf } from './site.ts'

/** What a command of the stack on this machine came to; `said` is its last line. */
export type Ran = { readonly argv: readonly string[]; readonly code: number | null; readonly said: string }

/** Everything that is known of an environment before a release. */
export type ReleaseFacts = {
  readonly platform: PlatformFacts
  readonly standing: Standing
  readonly records: readonly ReleaseRecord[]
  /** What serves now, or is meant to and is down; null when nothing does. */
  readonly serving: SlotState | null
  /** The record of what serves; undefined when it was never verified, as after a change by hand. */
  readonly current: ReleaseRecord | undefined
  /** The platform's time, ISO 8601. */
  readonly time: string
}

/** Looks at an environment; where the platform cannot be looked at, all else is empty and `platform` says why. */
export async function lookAtReleases(site: ReleaseSite, doing: Doing): Promise<ReleaseFacts> {
  const platform = platformOf(site)
  // All at once, and what is of no use any more is ended: one that does not answer would keep us for as long as its patience is.
  const idle = new AbortController()
  const eager = { ...doing, signal: AbortSignal.any([doing.signal, idle.signal]) }
  const looks = Promise.all([platform.standing(eager), releasesOf(platform), platform.time(eager)])
  looks.catch(() => undefined)
  const facts = await platform.facts(doing)
  if (facts.state !== 'answers') {
    idle.abort()
    return {
      platform: facts,
      standing: { slots: {}, serving: null, idle: '' },
      records: [],
      serving: null,
      current: undefined,
      time: new Date().toISOString(),
    }
  }
  const [observed, records, time] = await looks
  const standing = { ...observed, serving: observed.serving ?? meantToServe(observed) }
  const serving = standing.serving === null ? null : (standing.slots[standing.serving] ?? null)
  return { platform: facts, standing, records, serving, current: recordOf(records, serving?.release), time }
}

/** The slot that runs and answers nobody, because all of it is down: a hotfix goes beside it, and a rollback goes behind it. */
function meantToServe({ slots, idle }: Standing): string | null {
  return Object.keys(slots).find(slot => slot !== idle && slots[slot]?.is === 'running') ?? null
}

/**
 * What is put back where a release replaces in place: what serves, or, when that was never verified because somebody changed it or a release was
 * applied by half, the newest that was. Null where nothing serves, or nothing was ever verified.
 */
export const backOf = ({ serving, current, records }: ReleaseFacts): Bundle | null => (serving ? ((current ?? records[0])?.bundle ?? null) : null)

/** The versions that every service of the release will have: what is asked for, and for the rest what serves. */
export function wantedOf(
  site: ReleaseSite,
  facts: ReleaseFacts,
  asked: { readonly version: string | undefined; readonly set: readonly string[]; readonly service: readonly string[] },
): Readonly<Record<string, string | undefined>> {
  const set = new Map(asked.set.map(pair => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]))
  return Object.fromEntries(
    [...site.services.keys()].map(name => {
      const chosen = asked.service.length === 0 || asked.service.includes(name) ? asked.version : undefined
      return [name, set.get(name) ?? chosen ?? facts.serving?.services[name]?.version]
    }),
  )
}

/** The images of these versions, as the platform finds them. */
export async function imagesOf(
  site: ReleaseSite,
  wanted: Readonly<Record<string, string | undefined>>,
  doing: Doing,
): Promise<readonly ImageFacts[]> {
  const asked = Object.entries(wanted).flatMap(([name, version]) =>
    version === undefined ? [] : [[name, { image: site.services.get(name)?.image ?? name, version }] as const],
  )
  return platformOf(site).images(Object.fromEntries(asked), doing)
}

/** The files and secrets that a release made now would have. */
export const draftOf = (site: ReleaseSite, doing: Doing) => platformOf(site).draft(doing)

/** What the stack's scanner says of each image. */
export function scansOf(site: ReleaseSite, wanted: Readonly<Record<string, string | undefined>>, doing: Doing): Promise<readonly Ran[]> {
  const { scan } = site.deploy
  if (!scan) return Promise.resolve([])
  const named = Object.entries(wanted).flatMap(([name, version]) => (version === undefined ? [] : [`${site.services.get(name)?.image}:${version}`]))
  return Promise.all(named.map(image => runOnce([...scan, image], doing)))
}

/** Label of the recovery point that is taken before a release. */
export const beforeDeploy = ({ services }: Bundle) => `before-${versionsOf(services).replace(/[^\w.]+/g, '-')}`.slice(0, 60)

/** The bundle of a new release in the idle slot. */
export function bundleOf(release: string, slot: string, images: readonly ImageFacts[], draft: Awaited<ReturnType<Platform['draft']>>): Bundle {
  const services = Object.fromEntries(images.map(({ service, image, version, digest }): [string, Wanted] => [service, { image, version, digest }]))
  return { release, slot, services, ...draft }
}

const ran = new Map<string, Promise<Ran>>()

/** Runs a command of the stack on this machine once, whatever number of times it is looked at: tests take long. */
export function runOnce(argv: readonly string[], doing: Doing): Promise<Ran> {
  const key = argv.join('\0')
  const command: Command = { file: argv[0] ?? '', argv: argv.slice(1) }
  const made = ran.get(key) ?? run(command, doing).then(({ code, stdout, stderr }) => ({ argv, code, said: lastLine(stderr) || lastLine(stdout) }))
  ran.set(key, made)
  return made
}

const lastLine = (text: string) => text.trimEnd().split('\n').at(-1) ?? ''

/** A release in words: its version, or those of its services where they differ. */
export function versionsOf(services: Readonly<Record<string, { readonly version: string }>>): string {
  const versions = [...new Set(Object.values(services).map(({ version }) => version))]
  if (versions.length <= 1) return versions[0] ?? 'nothing'
  return Object.entries(services)
    .map(([name, { version }]) => `${name} ${version}`)
    .join(', ')
}
