import { size, spent } from '../plan/durations.ts'
import type { Json } from '../plan/plan.ts'
import type { Point } from './catalogue.ts'
import { storedBytes } from './manifest.ts'

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
  const label = [manifest.label, manifest.pinned ? 'pinned' : null].filter(Boolean).join(', ')
  return [when(manifest.begun, timezone).padEnd(17), age.padStart(16), size(storedBytes(manifest)).padStart(8), point.status, proof(point), label]
    .filter(Boolean)
    .join('  ')
}

/** The list for people, newest first, in columns. */
export function listLines(points: readonly Point[], timezone: string, now = Date.now()): string[] {
  if (points.length === 0) return ['There is no backup yet.']
  return [`Times are ${timezone}.`, ...[...points].reverse().flatMap(point => [point.id, `  ${pointName(point, timezone, now)}`])]
}

/** The list for machines, oldest first. */
export function listResult(points: readonly Point[]): Json {
  return points.map(point => ({
    id: point.id,
    status: point.status,
    because: point.because ?? null,
    begun: point.manifest?.begun ?? null,
    ended: point.manifest?.ended ?? null,
    storedBytes: point.manifest ? storedBytes(point.manifest) : null,
    recoveryMs: point.recoveryMs ?? null,
    label: point.manifest?.label ?? null,
    pinned: point.manifest?.pinned ?? null,
    parts: Object.keys(point.manifest?.parts ?? {}),
  }))
}
