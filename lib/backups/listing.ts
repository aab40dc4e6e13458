import { size, spent } from '../plan/durations.ts'
import type { Json } from '../plan/plan.ts'
import type { Point } from './catalogue.ts'
import { skewMs, storedBytes } from './manifest.ts'
import { isGood } from './retention.ts'
import { type Trend, trendsOf } from './trend.ts'

/** A moment as an operator of the stack reads it: `Tue 9 Dec 03:12`. */
export function when(iso: string, timezone: string): string {
  const parts = Object.fromEntries(
    new Intl.DateTimeFormat('en-GB', {
      timeZone: timezone,
      weekday: 'short',
      day: 'numeric',
      month: 'short',
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
    })
      .formatToParts(new Date(iso))
      .map(({ type, value }) => [type, value]),
  )
  return `${parts.weekday} ${parts.day} ${parts.month} ${parts.hour}:${parts.minute}`
}

/** What stands behind the status: the measured recovery, or the reason of the damage. */
function proof(point: Point): string {
  if (point.because) return point.because
  return point.recoveryMs === undefined ? '' : `restored in ${spent(point.recoveryMs)}`
}

/** One line of a list: when, age, size, status. `now` in milliseconds. */
export function pointName(point: Point, timezone: string, now = Date.now()): string {
  const { manifest } = point
  if (!manifest) return `${point.id}  ${point.status}: ${point.because ?? ''}`
  const age = `${spent(now - Date.parse(manifest.begun))} old`
  const label = [manifest.label, point.pinned ? 'pinned' : null].filter(Boolean).join(', ')
  return [when(manifest.begun, timezone).padEnd(17), age.padStart(16), size(storedBytes(manifest)).padStart(8), point.status, proof(point), label]
    .filter(Boolean)
    .join('  ')
}

/** The same in a sentence: `Tue 9 Dec 03:12, 3 h 12 min old, 4.1 GB, CERTIFIED`. */
export const pointPhrase = (point: Point, timezone: string, now = Date.now()) => pointName(point, timezone, now).replace(/ {2,}/g, ', ')

/** How big a point is against the one before it: `+3 %`; less than half of the usual is marked. */
function trendText(trend: Trend | undefined): string {
  if (!trend) return ''
  const percent = Math.round(trend.change * 100)
  const change = percent === 0 ? '' : `${percent > 0 ? '+' : '−'}${Math.abs(percent)} %`
  return trend.half ? `${change} ! half the usual size`.trim() : change
}

/** The list for people, newest first, in columns. */
export function listLines(points: readonly Point[], timezone: string, now = Date.now()): string[] {
  if (points.length === 0) return ['There is no backup yet.']
  const trends = trendsOf(points)
  const line = (point: Point) => [pointName(point, timezone, now), trendText(trends.get(point.id))].filter(Boolean).join('  ')
  return [`Times are ${timezone}.`, ...[...points].reverse().flatMap(point => [point.id, `  ${line(point)}`])]
}

/** Why the newest proven point is too old for what the stack allows, in milliseconds; undefined while it is not. */
export function stale(points: readonly Point[], dataLossMs: number | undefined, now = Date.now()): string | undefined {
  const newest = points.findLast(isGood)?.manifest
  if (dataLossMs === undefined) return undefined
  if (!newest) return `There is no proven backup; the stack allows a loss of ${spent(dataLossMs)}`
  const age = now - Date.parse(newest.begun)
  return age > dataLossMs ? `The newest proven backup is ${spent(age)} old; the stack allows ${spent(dataLossMs)}` : undefined
}

/** The list for machines, oldest first. */
export function listResult(points: readonly Point[]): Json {
  const trends = trendsOf(points)
  return points.map(point => ({
    id: point.id,
    status: point.status,
    because: point.because ?? null,
    begun: point.manifest?.begun ?? null,
    ended: point.manifest?.ended ?? null,
    storedBytes: point.manifest ? storedBytes(point.manifest) : null,
    recoveryMs: point.recoveryMs ?? null,
    skewMs: point.manifest ? skewMs(point.manifest) : null,
    release: point.manifest?.release ?? null,
    label: point.manifest?.label ?? null,
    pinned: point.pinned,
    change: trends.get(point.id)?.change ?? null,
    halfTheUsual: trends.get(point.id)?.half ?? false,
    parts: Object.keys(point.manifest?.parts ?? {}),
  }))
}
