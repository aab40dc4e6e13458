import { plural, spent } from '../plan/durations.ts'
import type { Point } from './catalogue.ts'
import { begunMs, type Decision, isGood } from './retention.ts'

/** A clock that is further off says nothing about ages; less is the usual drift of machines without a time server. */
const CLOCK_TOLERANCE_MS = 5 * 60_000

/** More unreadable manifests than this, of all, speak of the store or of the listing rather than of single points. */
const UNREADABLE_SHARE = 0.1

/** Objects in an unknown place that look like a part of a recovery point. */
const looksLikePoint = (path: string, folder: string) => /^\d{8}T/.test(path.slice(folder.length + 1)) || path.endsWith('/manifest.json')

/** Why a listing, or the clock, is not to be trusted with a removal; empty when both are. */
export function doubtsOf(
  points: readonly Point[],
  strays: readonly string[],
  folder: string,
  clock: { nowMs: number; skewMs: number | null },
): string[] {
  const strange = strays.filter(path => looksLikePoint(path, folder))
  const unreadable = points.filter(point => point.manifest === null && point.status !== 'INCOMPLETE')
  const ahead = points.filter(point => begunMs(point) > clock.nowMs + CLOCK_TOLERANCE_MS)
  const skew = clock.skewMs ?? 0
  return [
    ...(strange.length > 0 ? [`${plural(strange.length, 'object')} in unknown places look like backups, such as ${strange[0]}`] : []),
    ...(unreadable.length > 1 && unreadable.length > points.length * UNREADABLE_SHARE
      ? [
          `the manifests of ${unreadable.length} of ${points.length} backups cannot be read, such as that of ${unreadable[0]?.id}: ${unreadable[0]?.because}`,
        ]
      : []),
    ...(ahead.length > 0 ? [`${ahead[0]?.id} begins after now: a clock was set, so no age can be trusted`] : []),
    ...(Math.abs(skew) > CLOCK_TOLERANCE_MS
      ? [`this machine's clock is ${spent(Math.abs(skew))} ${skew > 0 ? 'ahead of' : 'behind'} the store's`]
      : []),
  ]
}

/** Whether more than half of the good points would go at once: a typo in a policy or a clock that leapt, more often than a wish. */
export function goesFar(decisions: readonly Decision[]): boolean {
  const good = decisions.filter(({ point }) => isGood(point))
  const gone = good.filter(({ keep }) => !keep)
  return gone.length > FEW && gone.length * 2 > good.length
}

/** So few removals are no flood, whatever their share. */
const FEW = 3
