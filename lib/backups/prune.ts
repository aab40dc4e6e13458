import { commit, inTurn, tidy } from '../plan/nodes.ts'
import type { Change, Doing, Json, Node } from '../plan/plan.ts'
import { redact } from '../plan/secrets.ts'
import type { Store } from '../stores/store.ts'
import { catalogue, type Point } from './catalogue.ts'
import { doubtsOf } from './doubts.ts'
import { lastPin } from './pins.ts'
import { begunMs, type Decision, decide, isGood, type Keep, type Now, timeInName } from './retention.ts'
import { type DataSite, folderOf } from './site.ts'
import type { Gap } from './stores.ts'
import { shrunkSince } from './trend.ts'

/** A point that is let go of. `stands` is the good point that makes that safe; `manifest` says whether it was a backup at all. */
export type PruneArgs = { store: string; folder: string; id: string; manifest: boolean; stands: string }
/** `after` is what the writing of the manifest gave: nothing is looked at, and nothing goes, before. */
export type PruneOldArgs = { keep: Json; written: string; after: Json }
export type PinArgs = { store: string; folder: string; id: string; run: string; pinned: boolean }

/** The sentence: let go of one point. */
const prunePoint = (args: PruneArgs): Change => ({ verb: 'prune', of: `${args.id} in ${args.store}`, args })

/** The sentence: let go of what the policy does not keep, as things stand when its turn comes. */
const pruneOld = (args: PruneOldArgs): Change => ({ verb: 'prune.old', of: 'every store', args })

/** The sentence: pin a point, or let it go again. */
export const pinPoint = (args: PinArgs): Change => ({ verb: 'pin', of: `${args.id} in ${args.store}`, args })

/** What is to become of the points of one store. With `failed` it could not be looked at; with `doubts` nothing may be removed there. */
export type Aging = {
  readonly store: string
  readonly where: string
  readonly failed?: string
  readonly decisions: readonly Decision[]
  readonly doubts: readonly string[]
  /** What of the newest point is suspiciously small. */
  readonly shrunk: readonly string[]
}

type Found = { readonly points: readonly Point[]; readonly strays: readonly string[] }

/** What a pin in any store says counts in all: a store may have been down when it was written. */
function withPins(found: readonly (Found | undefined)[], folder: string): (points: readonly Point[]) => Point[] {
  const names = new Map<string, string[]>()
  for (const point of found.flatMap(one => one?.points ?? []))
    names.set(point.id, [...(names.get(point.id) ?? []), ...point.objects.map(object => object.path.slice(`${folder}/${point.id}/`.length))])
  return points => points.map(point => ({ ...point, pinned: lastPin(names.get(point.id) ?? [])?.pinned ?? point.pinned }))
}

async function lookInto(store: Store, folder: string, doing: Doing) {
  try {
    return { ...(await catalogue(store, folder, doing)), skewMs: (await store.facts(doing)).skewMs }
  } catch (error) {
    doing.signal.throwIfAborted()
    return { failed: redact(error instanceof Error ? error.message : String(error)) }
  }
}

/** Decides for each store by what that store itself holds; a store that cannot be looked at keeps everything. */
export async function agingOf(site: DataSite, keep: Keep, now: Omit<Now, 'timezone'>, doing: Doing): Promise<Aging[]> {
  const stores = [...site.stores.values()]
  const found = await Promise.all(stores.map(store => lookInto(store, folderOf(site), doing)))
  const pins = withPins(
    found.map(one => ('points' in one ? one : undefined)),
    folderOf(site),
  )
  return stores.map(({ name: store, where }, i) => {
    const one = found[i] as (typeof found)[number]
    if (!('points' in one)) return { store, where, failed: one.failed, decisions: [], doubts: [], shrunk: [] }
    return {
      store,
      where,
      decisions: decide(pins(one.points), keep, { ...now, timezone: site.timezone }),
      doubts: doubtsOf(one.points, one.strays, folderOf(site), { nowMs: Date.now(), skewMs: one.skewMs }),
      shrunk: shrunkSince(one.points),
    }
  })
}

/** The removals of one store, oldest first; none where there is a doubt. */
export function removals(site: DataSite, { store, decisions, doubts }: Aging): PruneArgs[] {
  const stands = decisions.findLast(({ point, keep }) => keep && isGood(point))?.point.id
  if (stands === undefined || doubts.length > 0) return []
  return decisions
    .filter(({ keep }) => !keep)
    .map(({ point }) => ({ store, folder: `${folderOf(site)}/${point.id}`, id: point.id, manifest: point.status !== 'INCOMPLETE', stands }))
}

/** Let go point by point; each is a commit, because nothing brings a removed backup back. */
export function prunePlan(site: DataSite, agings: readonly Aging[]): Node[] {
  return agings.flatMap((aging): Node[] => {
    const steps = removals(site, aging).map(args => commit(`Let go of ${args.id}`, prunePoint(args)))
    return steps.length === 0 ? [] : site.stores.size > 1 ? [inTurn(`Let go in ${aging.store}`, steps)] : steps
  })
}

/** After a backup, by the policy of the stack file; a failure only warns. */
export function letGoOfOld(site: DataSite, written: string): Node[] {
  return site.keep ? [tidy('Let go of old backups', pruneOld({ keep: { ...site.keep }, written, after: { later: `manifest/${written}` } }))] : []
}

/** Why something stayed that the policy does not keep, from the results of a run. */
export function oldWarnings(results: { get(step: string): Json }): readonly string[] {
  const gave = results.get('prune.old/every store') as { warnings?: readonly string[] } | null
  return gave?.warnings ?? []
}

/** Copies into stores that lack a point, without those that the policy would let go of there at once: what one store has let go of must not come back from another. */
export function worthCopying(site: DataSite, points: readonly Point[], gaps: readonly Gap[], nowMs: number): readonly Gap[] {
  const { keep, timezone } = site
  const usual = points.findLast(isGood)
  if (!keep || !usual?.manifest) return gaps
  const { manifest } = usual
  const standIn = (id: string): Point => ({ ...usual, id, pinned: false, manifest: { ...manifest, begun: new Date(timeInName(id)).toISOString() } })
  return gaps.filter(({ id }) => {
    const point = points.find(one => one.id === id) ?? standIn(id)
    const decisions = decide([...points.filter(one => one.id !== id), point], keep, { timezone, nowMs })
    return decisions.find(one => one.point.id === id)?.keep
  })
}

/** What pruning a point gave: how much went, and what the store would not let go of. */
export type Pruned = { readonly left: number; readonly bytes: number; readonly refused: string | null }

/** Decisions for machines. */
export function decisionsResult(agings: readonly Aging[]): Json {
  return agings.map(({ store, failed, decisions, doubts, shrunk }) => ({
    store,
    failed: failed ?? null,
    doubts,
    shrunk,
    points: decisions.map(({ point, keep, why }) => ({
      id: point.id,
      status: point.status,
      begun: new Date(begunMs(point)).toJSON(),
      storedBytes: bytesOf(point),
      keep,
      why,
    })),
  }))
}

/** Bytes of everything that a point has in its store. */
export const bytesOf = (point: Point) => point.objects.reduce((sum, object) => sum + object.bytes, 0)
