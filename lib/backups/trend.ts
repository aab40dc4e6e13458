import { count, size } from '../plan/durations.ts'
import type { Point } from './catalogue.ts'
import type { Manifest, ManifestPart } from './manifest.ts'
import { storedBytes } from './manifest.ts'
import { itemsIn } from './point.ts'

/** So many earlier points tell what is usual: enough for a median, few enough to follow a growing application. */
const USUAL_OF = 10

const median = (figures: readonly number[]) => [...figures].sort((a, b) => a - b)[Math.floor(figures.length / 2)] ?? 0

const sound = (point: Point): point is Point & { manifest: Manifest } => point.manifest !== null && point.status !== 'CORRUPT'

/** Earlier points that hold the part, oldest first; only the last few. */
function before(points: readonly Point[], point: Point, part: string): ManifestPart[] {
  const earlier = points.slice(0, points.indexOf(point)).filter(sound)
  return earlier.flatMap(({ manifest }) => manifest.parts[part] ?? []).slice(-USUAL_OF)
}

/** What of the newest sound point is less than half of what the point before held, or of what is usual: a sentence a part. `points` are oldest first. */
export function shrunkSince(points: readonly Point[]): string[] {
  const newest = points.findLast(sound)
  if (!newest) return []
  return Object.entries(newest.manifest.parts).flatMap(([name, part]) => {
    const earlier = before(points, newest, name)
    const figures = [
      { of: (one: ManifestPart) => itemsIn(one.content), say: (n: number) => `${count(n)} items` },
      { of: (one: ManifestPart) => one.plain.bytes, say: size },
    ]
    const small = figures.flatMap(({ of, say }) => {
      const usual = Math.max(of(earlier.at(-1) ?? part), median(earlier.map(of)))
      return of(part) * 2 < usual ? [`${say(usual)} before, ${say(of(part))} in ${newest.id}`] : []
    })
    return small.length > 0 ? [`${name} SHRANK by more than half: ${small.join('; ')}`] : []
  })
}

/** Size against the previous point with the same parts. `half` says that it is less than half of the usual. */
export type Trend = { readonly change: number; readonly half: boolean }

/** The trend of every sound point that has one before it, by id. `points` are oldest first. */
export function trendsOf(points: readonly Point[]): Map<string, Trend> {
  const earlier = new Map<string, number[]>()
  const trends = new Map<string, Trend>()
  for (const point of points.filter(sound)) {
    const parts = Object.keys(point.manifest.parts).sort().join(' ')
    const sizes = earlier.get(parts) ?? []
    const now = storedBytes(point.manifest)
    const last = sizes.at(-1)
    if (last !== undefined && last > 0) trends.set(point.id, { change: now / last - 1, half: now * 2 < median(sizes) })
    earlier.set(parts, [...sizes, now].slice(-USUAL_OF))
  }
  return trends
}
