import type { Change, Json } from '../plan/plan.ts'
import { type Bundle, plain } from '../platforms/platform.ts'

// The sentences of releases: what plans hold. The verbs behind them are in verbs/.

/** `back`: on a platform that replaces in place, what it goes back to. */
export type StartArgs = { bundle: Bundle; without: readonly string[]; back: Bundle | null }
/** `about.since`: the platform's time from which events count; moving, so no part of what is done. */
export type HealthyArgs = { bundle: Bundle; without: readonly string[]; about: { since: string } }
export type BundleArgs = { bundle: Bundle }
export type SmokeArgs = { bundle: Bundle; track: boolean }
export type TrafficArgs = { to: string; percent: number; generation: string }
export type SlotArgs = { slot: string; release: string | null }
/** `backup`: the recovery point that was taken first, for what a person is told when there is no way back. */
export type MigrateArgs = { bundle: Bundle; to: string | null; backup: string | null }
export type WorkersArgs = { bundle: Bundle; services: readonly string[]; to: 'stopped' | 'running' }
export type SoundArgs = { bundle: Bundle; bakeMs: number; about: { since: string } }
export type RecordArgs = { record: Json; about: { began: string } }
export type TidyArgs = { keep: number; serving: string }
export type DoorArgs = { path: string; perSecond: number }

const said = (verb: string, of: string, args: unknown): Change => ({ verb, of, args: plain(args) })

export const fetchImages = (bundle: Bundle) => said('release.fetch', bundle.release, { bundle })
export const stageFiles = (bundle: Bundle) => said('release.stage', bundle.release, { bundle })
export const startRelease = (args: StartArgs) => said('release.start', args.bundle.slot, args)
/** The same, where it takes the place of what serves. */
export const replaceRelease = (args: StartArgs) => said('release.replace', args.bundle.slot, args)
export const healthyRelease = (args: HealthyArgs) =>
  said('release.healthy', args.without.length === 0 ? args.bundle.slot : `${args.bundle.slot} but ${args.without.join(', ')}`, args)
export const reachedRelease = (bundle: Bundle) => said('release.reached', bundle.slot, { bundle })
export const migrateData = (bundle: Bundle, backup: string | null) => said('release.migrate', bundle.release, { bundle, to: null, backup })
export const smokeTested = (bundle: Bundle, track: boolean) => said('release.smoke', track ? 'off traffic' : 'front door', { bundle, track })
export const measured = (bundle: Bundle) => said('release.metrics', 'front door', { bundle, track: false })
export const moveTraffic = (args: TrafficArgs) => said('traffic', 'front door', args)
export const drainedSlot = (slot: string) => said('drained', slot, { slot, release: null })
export const workersTo = (args: WorkersArgs) => said('workers', `${args.services.join(', ')} in ${args.bundle.slot}`, args)
export const soundRelease = (args: SoundArgs) => said('release.sound', args.bundle.slot, args)
export const recordRelease = (release: string, args: RecordArgs) => said('release.record', release, args)
export const stopSlot = (slot: string, release: string | null) => said('slot.stop', slot, { slot, release })
export const tidyReleases = (args: TidyArgs) => said('releases.tidy', 'images and files', args)
/** A reader beside the move of the traffic. */
export const frontDoor = (args: DoorArgs) => said('front-door', 'the front door', args)
/** A second of the front door before anything moves, to judge against. */
export const baseline = (args: DoorArgs) => said('front-door.baseline', 'front door', args)
