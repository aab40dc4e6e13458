import { commit, gate, inTurn, result, step, tidy, watching } from '../plan/nodes.ts'
import type { Change, Json, Node, Step } from '../plan/plan.ts'
import { type Bundle, plain } from '../platforms/platform.ts'
import { backOf, type ReleaseFacts, versionsOf } from './facts.ts'
import { downNow } from './preflight.ts'
import type { ReleaseRecord } from './records.ts'
import {
  baseline,
  drainedSlot,
  fetchImages,
  frontDoor,
  healthyRelease,
  measured,
  migrateData,
  moveTraffic,
  reachedRelease,
  recordRelease,
  replaceRelease,
  smokeTested,
  soundRelease,
  stageFiles,
  startRelease,
  stopSlot,
  tidyReleases,
  workersTo,
} from './sentences.ts'
import type { ReleaseSite } from './site.ts'

/** Budgets of the single steps, in milliseconds: each is many times what it took in trials, and short enough that a person still waits. A stack's own budget may be shorter. */
const FETCH_MS = 20 * 60_000
const START_MS = 120_000
const REACH_MS = 30_000
const SMOKE_MS = 60_000
const TRAFFIC_MS = 60_000
const DRAIN_MS = 10 * 60_000
const WORKERS_MS = 120_000

/** What a change of the release is made from. */
export type NewRelease = {
  readonly site: ReleaseSite
  readonly facts: ReleaseFacts
  readonly bundle: Bundle
  readonly run: { readonly id: string; readonly short: string; readonly began: Date }
  readonly record: Pick<ReleaseRecord, 'how' | 'approvedBy' | 'overrides' | 'backup'>
  /** Whether the data is migrated on the way. */
  readonly migrates: boolean
  /** What comes before the release is put there: the recovery point. */
  readonly before: readonly Node[]
}

const nameOf = (bundle: Bundle) => versionsOf(bundle.services)

/** Services of a bundle that must not run in two versions at once. */
function singles({ site, bundle }: NewRelease): string[] {
  return Object.keys(bundle.services).filter(name => site.services.get(name)?.twice === 'never')
}

/** Put a release beside the current one, judge it off traffic, move the traffic under the eyes of the flight recorder, watch, record. */
export function releasePlan(what: NewRelease): Node[] {
  const { site, facts, bundle } = what
  const serves = facts.serving?.is === 'running' ? facts.serving : null
  // The workers of what serves keep running until the new release was judged off traffic.
  const without = serves ? singles(what) : []
  const red = sick(what)
  return [
    ...(red ? [red] : []),
    step('Fetch the images', fetchImages(bundle), { budgetMs: FETCH_MS }),
    step('Put its files and secrets there', stageFiles(bundle), { budgetMs: START_MS }),
    ...what.before,
    ...(site.platform?.split ? besides(what, without) : inPlace(what)),
  ]
}

/** A red production may still get its hotfix; it is judged against no worse, and a person has to mean it. */
function sick({ facts, site }: NewRelease): Node | undefined {
  const down = downNow(site, facts)
  if (down.length === 0) return undefined
  return gate(`${down.map(([name]) => name).join(', ')} of what serves is down. Deploy onto it?`, {
    id: 'onto what is down',
    answer: { typed: `${site.stack}/${site.environment}` },
    unattended: 'undo',
  })
}

function judgedOffTraffic(what: NewRelease, without: readonly string[]): Node[] {
  const { site, facts, bundle } = what
  return [
    step('Wait until it is healthy', healthyRelease({ bundle, without, about: { since: facts.time } }), { budgetMs: site.deploy.budgetMs }),
    ...migrated(what),
    step('Reach it through the front door', reachedRelease(bundle), { budgetMs: REACH_MS }),
    ...(site.deploy.smoke.length > 0 ? [step('Smoke-test it off traffic', smokeTested(bundle, true), { budgetMs: smokeMs(site) })] : []),
  ]
}

function besides(what: NewRelease, without: readonly string[]): Node[] {
  const { site, facts, bundle, run } = what
  const now = facts.serving?.is === 'running' ? facts.serving : null
  const next = nameOf(bundle)
  const start = now ? `Start ${next} beside ${versionsOf(now.services)}` : `Start ${next}, the first release: there is none to go back to`
  const drained =
    now && facts.standing.serving
      ? [step(`Let ${versionsOf(now.services)} finish its last requests`, drainedSlot(facts.standing.serving), { budgetMs: DRAIN_MS })]
      : []
  return [
    watching(watchOf(site), now ? 'Put it beside, then move the traffic' : 'Put it there, then let the traffic in', [
      step(start, startRelease({ bundle, without, back: null }), { budgetMs: START_MS }),
      ...judgedOffTraffic(what, without),
      step('Know the front door as it is', baseline(probeOf(site)), { budgetMs: REACH_MS }),
      // Before the traffic, so that the traffic is the first to go back.
      ...takeOver(what, without),
      step(`Send everything to ${next}`, moveTraffic({ to: bundle.slot, percent: 100, generation: run.short }), { budgetMs: TRAFFIC_MS }),
      ...drained,
      ...(site.deploy.metrics.length > 0 ? [step('Check its metrics', measured(bundle), { budgetMs: smokeMs(site) })] : []),
      step(`Watch it for ${Math.round(site.deploy.bakeMs / 1000)} s`, sounded(what), { budgetMs: site.deploy.bakeMs + START_MS }),
    ]),
    ...recorded(what),
    ...(now && facts.standing.serving
      ? [tidy(`Stop ${versionsOf(now.services)} and keep it ready`, stopSlot(facts.standing.serving, now.release))]
      : []),
    tidy('Let go of old images and files', tidyReleases({ keep: site.deploy.keep, serving: bundle.release })),
  ]
}

/** One platform replaces in place and moves the traffic itself, instance by instance. */
function inPlace(what: NewRelease): Node[] {
  const { site, facts, bundle } = what
  const next = nameOf(bundle)
  return [
    ...migrated(what),
    watching(watchOf(site), 'Roll it out', [
      step('Know the front door as it is', baseline(probeOf(site)), { budgetMs: REACH_MS }),
      step(
        facts.serving ? `Replace ${versionsOf(facts.serving.services)} by ${next}` : `Start ${next}, the first release`,
        replaceRelease({ bundle, without: [], back: backOf(facts) }),
        {
          budgetMs: START_MS,
        },
      ),
      step('Wait until it is healthy', healthyRelease({ bundle, without: [], about: { since: facts.time } }), { budgetMs: site.deploy.budgetMs }),
      step('Reach it through the front door', reachedRelease(bundle), { budgetMs: REACH_MS }),
      ...(site.deploy.smoke.length > 0 ? [step('Smoke-test it', smokeTested(bundle, false), { budgetMs: smokeMs(site) })] : []),
      ...(site.deploy.metrics.length > 0 ? [step('Check its metrics', measured(bundle), { budgetMs: smokeMs(site) })] : []),
      step(`Watch it for ${Math.round(site.deploy.bakeMs / 1000)} s`, sounded(what), { budgetMs: site.deploy.bakeMs + START_MS }),
    ]),
    ...recorded(what),
    tidy('Let go of old releases', tidyReleases({ keep: site.deploy.keep, serving: bundle.release })),
  ]
}

const smokeMs = ({ deploy }: ReleaseSite) => Math.min(SMOKE_MS, deploy.budgetMs)
const probeOf = (site: ReleaseSite) => site.deploy.probe
const watchOf = (site: ReleaseSite): Change => frontDoor(probeOf(site))
const sounded = ({ bundle, site, facts }: NewRelease) => soundRelease({ bundle, bakeMs: site.deploy.bakeMs, about: { since: facts.time } })

const migrationOf = (what: NewRelease): Step | undefined => {
  const { migrate } = what.site.deploy
  if (!what.migrates || !migrate) return undefined
  const change = migrateData(what.bundle, what.record.backup)
  const title = migrate.down ? 'Migrate the data' : 'Migrate the data; there is no way back from it'
  return step(title, migrate.down ? change : { ...change, verb: 'release.migrate.for-good' })
}

function migrated(what: NewRelease): Node[] {
  const found = migrationOf(what)
  return found ? [found] : []
}

/** What must not run twice stops in the old slot before it starts in the new one, and is judged there before the traffic follows. */
function takeOver({ site, facts, bundle }: NewRelease, services: readonly string[]): Node[] {
  if (services.length === 0) return []
  const old = served(facts)
  const hand = (of: Bundle, to: 'stopped' | 'running') =>
    step(`${to === 'stopped' ? 'Stop' : 'Start'} ${services.join(', ')} of ${nameOf(of)}`, workersTo({ bundle: of, services, to }), {
      budgetMs: WORKERS_MS,
    })
  const fit = step(
    `Wait until ${services.join(', ')} of ${nameOf(bundle)} is fit`,
    healthyRelease({ bundle, without: [], about: { since: facts.time } }),
    {
      budgetMs: site.deploy.budgetMs,
    },
  )
  return [inTurn('Hand the workers over', [...(old ? [hand(old, 'stopped')] : []), hand(bundle, 'running'), fit])]
}

/** What serves now as a bundle; of what was put there by hand only its services are known. */
function served({ serving, current, standing }: ReleaseFacts): Bundle | undefined {
  if (!serving || serving.release === null || standing.serving === null) return undefined
  const slot = standing.serving
  if (current) return { ...current.bundle, slot }
  const services = Object.entries(serving.services).map(([name, { version, digest }]) => [name, { image: name, version, digest }])
  return { release: serving.release, slot, services: Object.fromEntries(services), files: {}, secrets: {} }
}

function recorded(what: NewRelease): Node[] {
  const { site, facts, bundle, run, record } = what
  const door = { later: 'front-door/the front door' }
  const migration = migrationOf(what)
  const known: Json = plain({
    ...record,
    release: bundle.release,
    run: run.id,
    bundle,
    previous: facts.serving?.release ?? null,
    by: site.by,
    migration: migration
      ? { before: result(migration, 'was'), after: result(migration, 'at'), reversible: site.deploy.migrate?.down !== undefined }
      : null,
    door,
  })
  return [commit('Record the release', recordRelease(bundle.release, { record: known, about: { began: run.began.toISOString() } }))]
}
