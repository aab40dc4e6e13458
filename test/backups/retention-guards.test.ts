import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Point, Status } from '../../lib/backups/catalogue.ts'
import { doubtsOf } from '../../lib/backups/doubts.ts'
import { type Aging, removals } from '../../lib/backups/prune.ts'
import { begunMs, decide, isGood, type Keep } from '../../lib/backups/retention.ts'
import type { DataSite } from '../../lib/backups/site.ts'
import { pointAt } from './retention-made.ts'

/** Histories tried for each of the properties below. */
const HISTORIES = 2_000
const HOUR = 3_600_000
const DAY = 24 * HOUR
const NOW = Date.parse('2026-11-20T12:34:56Z')
const FOLDER = 'shop/local'

const ZONES = ['UTC', 'Europe/Paris', 'America/New_York', 'Asia/Kathmandu', 'Pacific/Apia'] as const
const STATUSES: readonly Status[] = ['CERTIFIED', 'VERIFIED', 'VERIFIED', 'VERIFIED', 'VERIFIED', 'UNVERIFIED', 'CORRUPT', 'INCOMPLETE', 'UNREADABLE']

/** Ages in milliseconds: of the last hours, of the last weeks, of years. */
const age = fc.oneof(fc.integer({ min: 0, max: 40 * HOUR }), fc.integer({ min: 0, max: 60 * DAY }), fc.integer({ min: 0, max: 1500 * DAY }))

const parts = fc.constantFrom<readonly string[]>(['database', 'media'], ['database', 'media'], ['database', 'media'], ['database'], ['media'])

const onePoint = fc.record({
  age,
  status: fc.constantFrom(...STATUSES),
  pinned: fc.constantFrom(false, false, false, false, false, true, null),
  parts,
  restored: fc.constantFrom(false, false, false, false, true),
})

const history = fc.array(onePoint, { maxLength: 40 }).map(all =>
  all
    .map(({ age, status, pinned, parts, restored }, i) =>
      pointAt(NOW - age, {
        status,
        parts,
        mark: `r${String(i).padStart(6, '0')}`,
        // Only a manifest that cannot be read leaves a pin unknown.
        pinned: status === 'UNREADABLE' || status === 'CORRUPT' ? pinned : pinned === true,
        files: restored ? ['restored-20261119T000000Z-restore-rabcdef.json'] : ['database.sqlite.zst'],
      }),
    )
    .sort((a, b) => (a.id < b.id ? -1 : 1)),
)

const some = (max: number) => fc.option(fc.integer({ min: 1, max }), { nil: undefined, freq: 2 })
const keep = fc
  .record({ days: some(400), last: some(20), hourly: some(48), daily: some(30), weekly: some(10), monthly: some(14), yearly: some(5) })
  .map(rules => Object.fromEntries(Object.entries(rules).filter(([, n]) => n !== undefined)) as Keep)
  .filter(rules => Object.keys(rules).length > 0)

const zone = fc.constantFrom(...ZONES)

/** Checks a property over made histories. */
function always(check: (made: { points: Point[]; gone: Point[]; stay: Point[]; keep: Keep; again(points: Point[]): Point[] }) => void): void {
  fc.assert(
    fc.property(history, keep, zone, (points, rules, timezone) => {
      const decisions = decide(points, rules, { timezone, nowMs: NOW })
      const of = (kept: boolean) => decisions.filter(decision => decision.keep === kept).map(decision => decision.point)
      const again = (others: Point[]) =>
        decide(others, rules, { timezone, nowMs: NOW })
          .filter(decision => !decision.keep)
          .map(decision => decision.point)
      check({ points, gone: of(false), stay: of(true), keep: rules, again })
    }),
    { numRuns: HISTORIES },
  )
}

const newest = (points: readonly Point[]) => [...points].sort((a, b) => begunMs(b) - begunMs(a) || (a.id > b.id ? -1 : 1))[0]
const partsOf = (point: Point) => Object.keys(point.manifest?.parts ?? {}).join()

test('every point is decided once, and each decision has its reason', () => {
  fc.assert(
    fc.property(history, keep, zone, (points, rules, timezone) => {
      const decisions = decide(points, rules, { timezone, nowMs: NOW })
      expect(decisions.map(({ point }) => point.id)).toEqual(points.map(point => point.id))
      expect(decisions.every(({ why }) => why.length > 0)).toBe(true)
    }),
    { numRuns: HISTORIES },
  )
})

test('the newest good point of every set of parts stays, and so does the newest certified one', () => {
  always(({ points, gone }) => {
    for (const set of new Set(points.map(partsOf))) {
      const good = points.filter(point => isGood(point) && partsOf(point) === set)
      const best = [newest(good), newest(good.filter(point => point.status === 'CERTIFIED'))]
      expect(best.filter(point => point && gone.includes(point))).toEqual([])
    }
  })
})

test('what is pinned, may be pinned, is of a newer version, or can still be taken back, stays', () => {
  always(({ gone }) => {
    expect(gone.filter(({ pinned, status }) => pinned !== false || status === 'UNREADABLE')).toEqual([])
    expect(gone.filter(point => point.objects.some(({ path }) => path.includes('restored-')))).toEqual([])
  })
})

test('the point just written stays, whatever it is', () => {
  fc.assert(
    fc.property(history, keep, zone, fc.nat(), (points, rules, timezone, n) => {
      const written = points[n % Math.max(1, points.length)]?.id
      const decisions = decide(points, rules, { timezone, nowMs: NOW, written })
      expect(decisions.find(({ point }) => point.id === written)?.keep ?? true).toBe(true)
    }),
    { numRuns: HISTORIES },
  )
})

test('without a good point nothing goes at all', () => {
  always(({ points, again }) => expect(again(points.filter(point => !isGood(point)))).toEqual([]))
})

test('a damaged or unproven point goes only when a newer good one stays, and never counts as a good one', () => {
  always(({ points, gone, stay, again }) => {
    for (const point of gone.filter(({ status }) => status === 'CORRUPT' || status === 'UNVERIFIED'))
      expect(stay.some(other => isGood(other) && partsOf(other) === partsOf(point) && begunMs(other) > begunMs(point))).toBe(true)
    expect(again(points.filter(isGood))).toEqual(gone.filter(isGood))
  })
})

test('a point without a manifest goes only when it is older than a day', () => {
  always(({ gone }) => expect(gone.filter(point => point.status === 'INCOMPLETE' && NOW - begunMs(point) <= DAY)).toEqual([]))
})

test('at each moment of the days that are kept one can go back to the same good point as before', () => {
  always(({ points, gone, keep }) => {
    if (keep.days === undefined) return
    const start = NOW - keep.days * DAY
    const whole = points.filter(point => isGood(point) && partsOf(point) === 'database,media')
    const asOf = (all: readonly Point[], ms: number) => newest(all.filter(point => begunMs(point) <= ms))?.id
    for (const ms of [start, NOW, ...whole.map(begunMs).filter(ms => ms > start)])
      expect(
        asOf(
          whole.filter(point => !gone.includes(point)),
          ms,
        ),
      ).toBe(asOf(whole, ms))
  })
})

test('a listing that leaves out points, or objects of points, never lets go of what the whole listing keeps', () => {
  fc.assert(
    fc.property(history, keep, zone, fc.infiniteStream(fc.constantFrom('seen', 'seen', 'unseen', 'partly')), (points, rules, timezone, fates) => {
      const now = { timezone, nowMs: NOW }
      const fate = (point: Point): Point[] => {
        const { value } = fates.next()
        if (value === 'unseen') return []
        return value === 'partly' && isGood(point) ? [{ ...point, status: 'CORRUPT' as const }] : [point]
      }
      const goneOf = (all: Point[]) => decide(all, rules, now).flatMap(({ point, keep }) => (keep ? [] : [point.id]))
      const whole = new Set(goneOf(points))
      expect(goneOf(points.flatMap(fate)).filter(id => !whole.has(id))).toEqual([])
    }),
    { numRuns: HISTORIES },
  )
})

test('deciding again about what stayed lets go of nothing more', () => {
  always(({ stay, again }) => expect(again(stay)).toEqual([]))
})

const site = { stack: 'shop', environment: 'local' } as DataSite

/** What goes when the listing and the clock are as given. */
function goneWith(points: readonly Point[], rules: Keep, timezone: string, strays: readonly string[], skewMs: number | null): string[] {
  const aging: Aging = {
    store: 'a',
    where: '/a',
    decisions: decide(points, rules, { timezone, nowMs: NOW }),
    doubts: doubtsOf(points, strays, FOLDER, { nowMs: NOW, skewMs }),
    shrunk: [],
  }
  return removals(site, aging).map(({ id }) => id)
}

test('nothing goes when a point begins after now, when clocks differ, or when strays look like backups', () => {
  fc.assert(
    fc.property(history, keep, zone, fc.integer({ min: 6 * 60_000, max: 400 * DAY }), (points, rules, timezone, ahead) => {
      expect(goneWith([...points, pointAt(NOW + ahead)], rules, timezone, [], null)).toEqual([])
      expect(goneWith(points, rules, timezone, [], ahead)).toEqual([])
      expect(goneWith(points, rules, timezone, [], -ahead)).toEqual([])
      expect(goneWith(points, rules, timezone, [`${FOLDER}/20261101T000000Z-r1/deeper/manifest.json`], null)).toEqual([])
      expect(goneWith(points, rules, timezone, [`${FOLDER}/20261101T000000Z copy/database.sqlite.zst`], null)).toEqual([])
    }),
    { numRuns: HISTORIES },
  )
})

test('nothing goes when more than one manifest in ten cannot be read', () => {
  fc.assert(
    fc.property(history, keep, zone, (points, rules, timezone) => {
      const unreadable = points.filter(point => point.manifest === null && point.status !== 'INCOMPLETE').length
      const gone = goneWith(points, rules, timezone, [], null)
      if (unreadable > 1 && unreadable * 10 > points.length) expect(gone).toEqual([])
    }),
    { numRuns: HISTORIES },
  )
})
