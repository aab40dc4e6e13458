import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Point } from '../../../lib/backups/catalogue.ts'
import { movedSince, pointBefore } from '../../../lib/releases/rehearse/facts.ts'
import type { Back, Judged } from '../../../lib/releases/rehearse/sentences.ts'
import { type Found, verdictOf } from '../../../lib/releases/rehearse/verdict.ts'
import { recordOf } from '../made.ts'

const judged = (good: boolean, more: Partial<Judged> = {}): Judged => ({
  judged: true,
  good,
  because: good ? null : 'it crashed',
  tookMs: 1_000,
  asked: 1,
  unasked: [],
  log: null,
  ...more,
})
const back = (worked: boolean): Back => ({ was: 'm2', at: worked ? 'm1' : 'm2', worked, because: worked ? null : 'no' })
const restore = { id: 'point', begun: '2026-11-21T09:46:00.000Z' }
const now = '2026-11-21T10:00:00.000Z'

test.each<[string, Omit<Found, 'now'>, object]>([
  ['it is fit', { first: judged(true), migrated: true, restore }, { is: 'safe' }],
  [
    'it is fit after a migration back',
    { first: judged(false), back: back(true), second: judged(true), migrated: true, restore },
    { is: 'down', from: 'm2', to: 'm1' },
  ],
  ['there is no way back', { first: judged(false), migrated: true, restore }, { is: 'restore', point: restore, lostMs: 14 * 60_000 }],
  ['the way back fails', { first: judged(false), back: back(false), second: null, migrated: true, restore }, { is: 'restore', lostMs: 14 * 60_000 }],
  ['it is not fit after it, either', { first: judged(false), back: back(true), second: judged(false), migrated: true, restore }, { is: 'restore' }],
  ['no point is old enough', { first: judged(false), migrated: true }, { is: 'none', why: 'no point' }],
  ['nothing was migrated since', { first: judged(false), migrated: false, restore }, { is: 'none', why: 'no migration' }],
])('where %s', (_, found, verdict) => {
  expect(verdictOf({ ...found, now })).toMatchObject(verdict)
})

test('it is called safe exactly when the release was seen to be fit on today’s data', () => {
  const some = fc.record({ judged: fc.boolean(), good: fc.boolean() })
  const opinion = some.map(({ judged: is, good }) => judged(good, { judged: is }))
  const found = fc.record({
    first: opinion,
    back: fc.option(fc.boolean().map(back)),
    second: fc.option(opinion),
    migrated: fc.boolean(),
    restore: fc.option(fc.constant(restore), { nil: undefined }),
    now: fc.constant(now),
  })
  fc.assert(
    fc.property(found, what => {
      expect(verdictOf(what).is === 'safe').toBe(what.first.judged && what.first.good)
    }),
  )
})

test('a point of the future loses nothing', () => {
  expect(verdictOf({ first: judged(false), migrated: true, restore, now: '2026-11-21T09:00:00Z' })).toMatchObject({ lostMs: 0 })
})

const migration = (before: string, after: string) => ({ migration: { before, after, reversible: true } })
const point = (id: string, begun: string, status: Point['status'] = 'VERIFIED') => ({ id, status, manifest: { begun } }) as unknown as Point

describe('what lies between', () => {
  const [one, two, three, four] = [
    recordOf('one', migration('m0', 'm1')),
    recordOf('two', { ...migration('m1', 'm2'), at: '2026-11-21T10:00:00.000Z', tookMs: 60_000, backup: 'taken' }),
    recordOf('three', migration('m2', 'm2')),
    recordOf('four', migration('m2', 'm3')),
  ]

  test('are the migrations of newer records that changed something', () => {
    expect(movedSince([four, three, two, one], one).map(({ release }) => release)).toEqual(['four', 'two'])
    expect(movedSince([three, two, one], two)).toEqual([])
  })

  test('the point to go back to is from before the first of them', () => {
    const old = point('old', '2026-11-21T08:00:00Z')
    const older = point('older', '2026-11-21T07:00:00Z')
    const during = point('during', '2026-11-21T09:59:30Z')
    const taken = point('taken', '2026-11-21T09:59:10Z')
    expect(pointBefore([four, two], [older, old, during, taken])?.id).toBe('taken')
    expect(pointBefore([four, two], [older, old, during])?.id).toBe('old')
    expect(pointBefore([four, two], [older, { ...old, status: 'CORRUPT' }, { ...taken, status: 'CORRUPT' }])?.id).toBe('older')
    expect(pointBefore([four, two], [during])).toBeUndefined()
    expect(pointBefore([], [old])).toBeUndefined()
  })
})
