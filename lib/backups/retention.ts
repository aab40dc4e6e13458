import { plural } from '../plan/durations.ts'
import { type Buckets, calendarOf } from './calendar.ts'
import type { Point } from './catalogue.ts'
import { readProofName } from './proofs.ts'
import { ASIDE_KEPT_MS } from './restore.ts'

/** What is kept, in the words of `restic forget`: the newest point of each of the last so many hours, days, ISO weeks, months and years that have one, the last so many of all, and everything begun within so many days. */
export type Keep = {
  readonly days?: number
  readonly last?: number
  readonly hourly?: number
  readonly daily?: number
  readonly weekly?: number
  readonly monthly?: number
  readonly yearly?: number
}

/** What becomes of a point, and every reason for it. */
export type Decision = { readonly point: Point; readonly keep: boolean; readonly why: readonly string[] }

/** What the decisions are made in. `written` is the point that this very run wrote. */
export type Now = { readonly timezone: string; readonly nowMs: number; readonly written?: string | undefined }

const DAY_MS = 86_400_000

/** A point without a manifest may still be being written; no backup takes longer than this. */
const INCOMPLETE_KEPT_MS = DAY_MS

/** Milliseconds of the time that begins names such as `20251209T021355Z-r7f3a1c`; NaN for others. */
export function timeInName(name: string): number {
  const found = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z/.exec(name)
  return found ? Date.parse(`${found[1]}-${found[2]}-${found[3]}T${found[4]}:${found[5]}:${found[6]}Z`) : Number.NaN
}

/** When a point was begun, in milliseconds; by its name where no manifest tells. */
export const begunMs = (point: Point) => (point.manifest ? Date.parse(point.manifest.begun) : timeInName(point.id))

/** Read back and found equal, or even restored: what may stand in for others. */
export const isGood = (point: Point) => point.status === 'CERTIFIED' || point.status === 'VERIFIED'

type Timed = { readonly point: Point; readonly ms: number; readonly buckets: Buckets }
type Reasons = Map<Point, string[]>

/** Bucket by bucket as restic does it, newest first: a point is kept when it is the first of its bucket while the count lasts; the oldest of all also, while it lasts. */
function byPolicy(points: readonly Timed[], keep: Keep, { nowMs }: Now): Reasons {
  const rules = (['last', 'hourly', 'daily', 'weekly', 'monthly', 'yearly'] as const).map(name => ({ name, left: keep[name] ?? 0, seen: '' }))
  return new Map(
    points.map(({ point, ms, buckets }, i) => {
      const why = keep.days !== undefined && nowMs - ms <= keep.days * DAY_MS ? [`within ${plural(keep.days, 'day')}`] : []
      for (const rule of rules) {
        if (rule.left === 0) continue
        const bucket = rule.name === 'last' ? String(i) : buckets[rule.name]
        if (bucket === rule.seen && i < points.length - 1) continue
        why.push(bucket === rule.seen ? `oldest ${rule.name}` : rule.name)
        rule.seen = bucket
        rule.left -= 1
      }
      return [point, why]
    }),
  )
}

const order = (a: Timed, b: Timed) => b.ms - a.ms || (a.point.id > b.point.id ? -1 : 1)

function newestFirst(points: readonly Point[], timezone: string): Timed[] {
  const calendar = calendarOf(timezone)
  return points.map(point => ({ point, ms: begunMs(point), buckets: calendar(begunMs(point)) })).sort(order)
}

/** Which parts a point has: a backup of one part must not push out those of the whole stack. */
const group = (point: Point) =>
  Object.keys(point.manifest?.parts ?? {})
    .sort()
    .join(' ')

/** Why a point is kept whatever the policy says. */
function always(point: Point, { nowMs, written }: Now): string[] {
  const restored = point.objects.some(({ path }) => {
    const name = path.slice(path.lastIndexOf('/') + 1)
    return name.startsWith('restored-') && !(nowMs - timeInName(name.slice('restored-'.length)) > ASIDE_KEPT_MS)
  })
  return [
    ...(point.id === written ? ['just written'] : []),
    ...(point.pinned === true ? ['pinned'] : []),
    ...(point.pinned === null ? ['its manifest cannot be read, so it may be pinned'] : []),
    ...(point.status === 'UNREADABLE' ? ['written by a newer version'] : []),
    ...(restored ? ['a restore from it can be taken back'] : []),
  ]
}

/** Also of a point that is damaged now, because a listing may show it worse than it is. */
const wasCertified = ({ objects }: Point) =>
  objects.some(({ path }) => {
    const proof = readProofName(path.slice(path.lastIndexOf('/') + 1))
    return proof?.kind === 'drill' && proof.good
  })

const NEWEST = 'the newest good one'

/** Good points: the policy, and what no policy lets go of. */
function whyGood(good: readonly Timed[], keep: Keep, now: Now): Reasons {
  const reasons = byPolicy(good, keep, now)
  const add = (found: Timed | undefined, why: string) => found && reasons.get(found.point)?.push(why)
  add(good[0], NEWEST)
  add(
    good.find(({ point }) => wasCertified(point)),
    'the newest certified one',
  )
  // Without it the first moments of the window could not be gone back to.
  const { days } = keep
  if (days !== undefined)
    add(
      good.find(({ ms }) => now.nowMs - ms > days * DAY_MS),
      `the last before the ${plural(days, 'day')}`,
    )
  return reasons
}

/** One decision for each of the points with the same parts. Good ones compete among themselves only, so that a damaged one never takes a good one's place; a damaged one stays as long as it would if it were good. */
function decideGroup(all: readonly Timed[], keep: Keep, now: Now): Decision[] {
  const good = all.filter(({ point }) => isGood(point))
  const reasons = whyGood(good, keep, now)
  return all.map(one => {
    const { point } = one
    const asIfGood = () =>
      whyGood([...good, one].sort(order), keep, now)
        .get(point)
        ?.map(reason => (reason === NEWEST ? 'no newer good one stands' : reason))
    const why = [...always(point, now), ...((isGood(point) ? reasons.get(point) : asIfGood()) ?? [])]
    if (why.length > 0) return { point, keep: true, why }
    return { point, keep: false, why: [isGood(point) ? 'beyond what is kept' : `${point.status}, and newer good ones stand`] }
  })
}

/** What has no manifest is no backup; it goes once nobody can be writing it any more. */
function decideIncomplete(point: Point, now: Now, anyGood: boolean): Decision {
  // What is copied into another store has the name of an old run and is young all the same.
  const touched = Math.max(timeInName(point.id), ...point.objects.map(object => Date.parse(object.modified)))
  const why = [
    ...always(point, now),
    ...(now.nowMs - touched > INCOMPLETE_KEPT_MS ? [] : ['it may still be being written']),
    ...(anyGood ? [] : ['there is no good backup']),
  ]
  return why.length > 0 ? { point, keep: true, why } : { point, keep: false, why: [point.because ?? 'no manifest, so it is no backup'] }
}

/** What the policy and the guards say of every point of one store, oldest first. Pure. */
export function decide(points: readonly Point[], keep: Keep, now: Now): Decision[] {
  const [undated, dated] = [points.filter(point => Number.isNaN(begunMs(point))), points.filter(point => !Number.isNaN(begunMs(point)))]
  const all = newestFirst(
    dated.filter(point => point.status !== 'INCOMPLETE'),
    now.timezone,
  )
  const newest = all.find(({ point }) => isGood(point))
  const usual = newest ? group(newest.point) : ''
  const groups = Map.groupBy(all, ({ point }) => (point.manifest ? group(point) : usual))
  const decisions: Decision[] = [
    ...undated.map(point => ({ point, keep: true, why: ['its time cannot be read'] })),
    ...[...groups.values()].flatMap(members => decideGroup(members, keep, now)),
    ...dated.filter(point => point.status === 'INCOMPLETE').map(point => decideIncomplete(point, now, newest !== undefined)),
  ]
  return decisions.sort((a, b) => (a.point.id < b.point.id ? -1 : 1))
}

/** The policy in words: `daily 7, weekly 4`. */
export const keepInWords = (keep: Keep) =>
  Object.entries(keep)
    .map(([name, n]) => `${name} ${n}`)
    .join(', ')
