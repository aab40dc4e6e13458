import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { decide, type Keep } from '../../lib/backups/retention.ts'
import { idAt, pointAt } from './retention-made.ts'

const DAY = 86_400_000
const HOUR = 3_600_000
const NOON = Date.parse('2026-11-20T12:00:00Z')

const kept = (points: Parameters<typeof decide>[0], keep: Keep, nowMs = NOON, timezone = 'Europe/Paris') =>
  decide(points, keep, { timezone, nowMs })
    .filter(decision => decision.keep)
    .map(decision => decision.point.id)

const why = (points: Parameters<typeof decide>[0], keep: Keep, id: string, nowMs = NOON) =>
  decide(points, keep, { timezone: 'Europe/Paris', nowMs }).find(decision => decision.point.id === id)

describe('restic forget, as restic itself decided it', () => {
  type Golden = { snapshots: string[]; cases: { keep: Keep; kept: number[] }[]; timezone: string }
  const golden = JSON.parse(readFileSync(join(import.meta.dirname, 'golden/restic-forget.json'), 'utf8')) as Golden
  const points = golden.snapshots.map((line, i) => {
    const [time = '', pinned] = line.split(' ')
    return pointAt(Date.parse(time), { pinned: pinned !== undefined, mark: `r${String(i).padStart(6, '0')}` })
  })
  const times = (ids: readonly string[]) => ids.map(id => id.slice(0, 16)).sort()

  test.each(golden.cases.map(({ keep, kept }) => [JSON.stringify(keep), keep, kept] as const))('%s', (_, keep, indexes) => {
    const decisions = decide(points, keep, { timezone: golden.timezone, nowMs: NOON + DAY })
    // Newer versions of restic keep the oldest as well while a count lasts; the one that was recorded does not yet.
    const ours = decisions.filter(({ keep, why }) => keep && !why.every(reason => /^oldest|^the newest/.test(reason)))
    expect(times(ours.map(({ point }) => point.id))).toEqual(times(indexes.map(i => (points[i] as { id: string }).id)))
    const oldest = decisions.filter(({ why }) => why.some(reason => reason.startsWith('oldest')))
    expect(oldest.every(({ point }) => point.id === points[0]?.id)).toBe(true)
  })
})

test('days keeps everything begun within them, and the last one before, so that each moment within can be gone back to', () => {
  const points = [10, 9, 8.5, 6.9, 3, 1, 0.1].map(days => pointAt(NOON - days * DAY))
  expect(kept(points, { days: 7 })).toEqual(points.slice(2).map(point => point.id))
  expect(why(points, { days: 7 }, points[2]?.id ?? '')?.why).toEqual(['the last before the 7 days'])
})

test('when no backup was made for longer than the window, the newest stays all the same', () => {
  const points = [90, 80, 70].map(days => pointAt(NOON - days * DAY))
  expect(kept(points, { days: 7 })).toEqual([points[2]?.id])
})

test('a point says every rule that keeps it', () => {
  const points = [40, 2, 1, 0.2].map(days => pointAt(NOON - days * DAY))
  expect(why(points, { days: 1, daily: 2, weekly: 1 }, points[3]?.id ?? '')?.why).toEqual(['within 1 day', 'daily', 'weekly', 'the newest good one'])
})

test('days are those of the time zone of the stack', () => {
  // 23:30 and 00:30 in Paris; the same day in UTC.
  const points = ['2026-11-18T22:30:00Z', '2026-11-18T23:30:00Z', '2026-11-20T01:00:00Z'].map(time => pointAt(Date.parse(time)))
  expect(kept(points, { daily: 3 })).toEqual(points.map(point => point.id))
  expect(kept(points, { daily: 2 }, NOON, 'UTC')).toEqual(points.slice(1).map(point => point.id))
})

test('the night that has an hour twice, and the one that lacks one, have one day each', () => {
  const autumn = ['2026-10-24T22:30:00Z', '2026-10-25T00:30:00Z', '2026-10-25T01:30:00Z', '2026-10-25T22:30:00Z', '2026-10-26T01:00:00Z'].map(time =>
    pointAt(Date.parse(time)),
  )
  expect(kept(autumn, { daily: 2 })).toEqual([autumn[3]?.id, autumn[4]?.id])
  const spring = ['2026-03-29T00:30:00Z', '2026-03-29T01:30:00Z', '2026-03-29T21:59:00Z', '2026-03-29T22:01:00Z'].map(time =>
    pointAt(Date.parse(time)),
  )
  expect(kept(spring, { daily: 2 })).toEqual([spring[2]?.id, spring[3]?.id])
})

test('ISO weeks belong to the year of their Thursday', () => {
  // Monday 30 December 2024 and Wednesday 1 January 2025 are both in week 1 of 2025; Sunday the 29th is in week 52.
  const points = ['2024-12-29T12:00:00Z', '2024-12-30T12:00:00Z', '2025-01-01T12:00:00Z', '2025-01-06T12:00:00Z'].map(time =>
    pointAt(Date.parse(time)),
  )
  expect(kept(points, { weekly: 3 })).toEqual([points[0]?.id, points[2]?.id, points[3]?.id])
})

test('a backup of one part never pushes out those of the whole stack', () => {
  const whole = pointAt(NOON - 3 * DAY, { parts: ['database', 'media'] })
  const parts = [2, 1].map(days => pointAt(NOON - days * DAY, { parts: ['database'] }))
  expect(kept([whole, ...parts], { last: 1 })).toEqual([whole.id, parts[1]?.id])
})

test('what could not be proven, or is damaged, does not take the place of what was', () => {
  const good = pointAt(NOON - 10 * HOUR)
  const later = (['UNVERIFIED', 'CORRUPT'] as const).map((status, i) => pointAt(NOON - (9 - i) * HOUR, { status }))
  expect(kept([good, ...later], { daily: 1 })).toContain(good.id)
  expect(kept([good, ...later], { daily: 1 })).toHaveLength(3)
  const newer = pointAt(NOON - HOUR)
  expect(kept([good, ...later, newer], { daily: 1 })).toEqual([newer.id])
})

test('a point without a manifest goes after a day, whether its name or its objects tell of its age', () => {
  const good = pointAt(NOON - HOUR)
  const at = (hours: number, touched = hours) =>
    pointAt(NOON - hours * HOUR, { status: 'INCOMPLETE', files: ['database.sqlite.zst'], touched: NOON - touched * HOUR, mark: 'rffffff' })
  expect(kept([at(23), good], { last: 1 })).toHaveLength(2)
  expect(kept([at(25), good], { last: 1 })).toEqual([good.id])
  // A copy into another store that is under way has an old name and young objects.
  expect(kept([at(500, 1), good], { last: 1 })).toHaveLength(2)
})

test('a point from which a restore can still be taken back stays for its week', () => {
  const good = pointAt(NOON - HOUR)
  const restored = (days: number) => pointAt(NOON - 30 * DAY, { files: [`restored-${idAt(NOON - days * DAY).slice(0, 16)}-restore-rabcdef.json`] })
  expect(kept([restored(6), good], { last: 1 })).toHaveLength(2)
  expect(kept([restored(8), good], { last: 1 })).toEqual([good.id])
})

test('a point whose manifest cannot be read may be pinned, so it stays until somebody says that it is not', () => {
  const good = pointAt(NOON - HOUR)
  const broken = (pinned: boolean | null) => ({ ...pointAt(NOON - 30 * DAY, { status: 'CORRUPT' }), manifest: null, pinned })
  expect(kept([broken(null), good], { last: 1 })).toHaveLength(2)
  expect(kept([broken(false), good], { last: 1 })).toEqual([good.id])
})
