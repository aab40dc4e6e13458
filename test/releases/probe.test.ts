import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Before, breachOf } from '../../lib/releases/breach.ts'
import { type Answer, FlightRecord, figuresOf } from '../../lib/releases/flight-record.ts'

const good = (atMs: number, tookMs = 5): Answer => ({ atMs, tookMs, failed: null })
const bad = (atMs: number): Answer => ({ atMs, tookMs: 5, failed: 'status 502' })
const open = (atMs: number, nowMs: number): Answer => ({ atMs, tookMs: nowMs - atMs, failed: null, open: true })

/** An answer each 20 ms for so long, of which `made` makes some special. */
const many = (ms: number, made: (atMs: number, i: number) => Answer = atMs => good(atMs)) =>
  Array.from({ length: ms / 20 }, (_, i) => made(i * 20, i))

const SOUND: Before = { failedShare: 0, p95Ms: 10 }

const answer = fc
  .record({ atMs: fc.nat(120_000), tookMs: fc.nat(10_000), failed: fc.option(fc.constantFrom('status 500', 'socket hang up')), open: fc.boolean() })
  .map(({ open: waits, ...rest }): Answer => (waits ? { ...rest, failed: null, open: true } : rest))
const answers = fc.array(answer, { maxLength: 300 })
const before = fc.record({ failedShare: fc.double({ min: 0, max: 1, noNaN: true }), p95Ms: fc.nat(10_000) })

describe('the front door is worse', () => {
  const rows: readonly [title: string, seen: readonly Answer[], nowMs: number, movedMs: number, before: Before, because: RegExp | null][] = [
    ['not when everything is answered', many(10_000), 10_000, 0, SOUND, null],
    ['not by four failures, however few were asked', [0, 20, 40, 60].map(bad), 100, 0, SOUND, null],
    ['by five failures of five', [0, 20, 40, 60, 80].map(bad), 100, 0, SOUND, /^5 of the last 5 requests failed at the front door \(status 502\)$/],
    ['not by 2 % of failures', many(5_000, (at, i) => (i % 50 === 0 ? bad(at) : good(at))), 5_000, 0, SOUND, null],
    ['by 4 % of failures', many(5_000, (at, i) => (i % 25 === 0 ? bad(at) : good(at))), 5_000, 0, SOUND, /^10 of the last 250 requests failed/],
    [
      'not by 10 % when 5 % failed before',
      many(5_000, (at, i) => (i % 10 === 0 ? bad(at) : good(at))),
      5_000,
      0,
      { ...SOUND, failedShare: 0.05 },
      null,
    ],
    [
      'by 20 % when 5 % failed before',
      many(5_000, (at, i) => (i % 5 === 0 ? bad(at) : good(at))),
      5_000,
      0,
      { ...SOUND, failedShare: 0.05 },
      /failed/,
    ],
    ['not by anything that was asked before the traffic moved', many(2_000, at => bad(at)), 2_500, 2_000, SOUND, null],
    ['not by failures that are longer ago than five seconds', many(10_000, at => (at < 4_000 ? bad(at) : good(at))), 10_000, 0, SOUND, null],
    [
      'by one slow answer in ten',
      many(4_000, (at, i) => good(at, i % 10 === 0 ? 3_000 : 5)),
      4_000,
      0,
      SOUND,
      /one answer in twenty takes 3\.0 s .*before 0\.0 s/,
    ],
    ['not by slow ones that were as slow before', many(4_000, at => good(at, 3_000)), 4_000, 0, { ...SOUND, p95Ms: 1_500 }, null],
    ['not by answers that take 1.9 s', many(4_000, at => good(at, 1_900)), 4_000, 0, SOUND, null],
    ['not when everything failed before, too', many(5_000, at => bad(at)), 5_000, 0, { failedShare: 1, p95Ms: 10 }, null],
    ['when it takes every request and answers none', many(5_000, at => open(at, 5_000)), 5_000, 0, SOUND, /one answer in twenty takes/],
    ['not when nothing is answered for three seconds', many(3_000, at => open(at, 3_000)), 3_000, 0, SOUND, null],
    ['not by a few requests that are still open', many(4_000, (at, i) => (i > 195 ? open(at, 4_000) : good(at))), 4_000, 0, SOUND, null],
  ]
  test.each(rows)('%s', (_, seen, nowMs, movedMs, was, because) => {
    const found = breachOf(seen, nowMs, movedMs, was)
    if (because) expect(found).toMatch(because)
    else expect(found).toBeNull()
  })

  test('never by fewer than five failures and quick answers', () => {
    const few = fc.array(fc.nat(5_000), { maxLength: 4 })
    const quick = fc.array(
      fc.record({ atMs: fc.nat(5_000), tookMs: fc.nat(2_000) }).map(({ atMs, tookMs }) => good(atMs, tookMs)),
      { maxLength: 200 },
    )
    fc.assert(fc.property(few, quick, before, (at, rest, was) => breachOf([...at.map(bad), ...rest], 5_000, 0, was) === null))
  })

  test('whatever came before the move, the verdict is the same', () => {
    fc.assert(
      fc.property(answers, answers, before, fc.nat(60_000), (after, earlier, was, movedMs) => {
        const later = after.map(one => ({ ...one, atMs: one.atMs + movedMs }))
        const gone = earlier.filter(({ atMs }) => atMs < movedMs)
        expect(breachOf([...gone, ...later], movedMs + 4_000, movedMs, was)).toBe(breachOf(later, movedMs + 4_000, movedMs, was))
      }),
    )
  })

  test('what was worse before is judged no harder', () => {
    fc.assert(
      fc.property(answers, before, fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(10_000), (seen, was, more, slower) => {
        const worse = { failedShare: was.failedShare + more, p95Ms: was.p95Ms + slower }
        if (breachOf(seen, 120_000, 0, was) === null) expect(breachOf(seen, 120_000, 0, worse)).toBeNull()
      }),
    )
  })
})

describe('the figures of the front door', () => {
  test('count every answer once, and only those of the time that is asked for', () => {
    fc.assert(
      fc.property(answers, fc.nat(120_000), (seen, sinceMs) => {
        const within = seen.filter(({ atMs }) => atMs >= sinceMs)
        const figures = figuresOf(seen, sinceMs)
        expect(figures.requests).toBe(within.filter(one => !one.open).length)
        expect(figures.failed).toBe(within.filter(({ failed }) => failed !== null).length)
        expect(figures.because === null).toBe(figures.failed === 0)
        expect(figures.p95Ms).toBeLessThanOrEqual(Math.max(0, ...within.map(({ tookMs }) => tookMs)))
      }),
    )
  })
})

/** A record of these answers, taken in as they came. */
function recordOf(seen: readonly Answer[], counts?: 'all' | 'first good'): FlightRecord {
  const record = new FlightRecord(counts)
  const came = seen.filter(({ open: waits }) => !waits).sort((a, b) => a.atMs + a.tookMs - (b.atMs + b.tookMs))
  for (const one of came) record.add(one)
  return record
}

describe('the record of a whole flight', () => {
  test('has the figures of all its answers', () => {
    fc.assert(
      fc.property(answers, seen => {
        const { because: _, ...figures } = figuresOf(seen.filter(({ open: waits }) => !waits))
        expect(recordOf(seen).figures()).toMatchObject(figures)
      }),
    )
  })

  test.each([
    ['the time between two good answers', [good(0), good(20), good(320), good(340)], 300],
    ['a failure does not end the time without a good answer', [good(0), bad(100), good(300)], 300],
    ['nothing was seen', [], 0],
  ])('longest gap: %s', (_, seen, gap) => expect(recordOf(seen).figures().longestGapMs).toBe(gap))

  test('keeps what may still be judged by, and nothing older', () => {
    fc.assert(
      fc.property(answers, fc.nat(150_000), (seen, nowMs) => {
        const came = seen.filter(({ open: waits }) => !waits)
        const kept = recordOf(seen).recent(nowMs)
        expect(kept.length).toBe(came.filter(({ atMs }) => atMs >= nowMs - 20_000).length)
      }),
    )
  })

  test('of a first release begins with its first good answer, and counts what fails afterwards', () => {
    const figures = recordOf([bad(0), bad(20), good(40), bad(60), good(80)], 'first good').figures()
    expect(figures).toMatchObject({ requests: 3, failed: 1 })
    expect(recordOf([bad(0), bad(20)], 'first good').figures()).toMatchObject({ requests: 0, failed: 0 })
  })
})

describe('the chart', () => {
  test('has at most 240 bars without a hole, and every answer is in one of them', () => {
    fc.assert(
      fc.property(answers, seen => {
        const came = seen.filter(({ open: waits }) => !waits)
        const quarters = recordOf(seen).quarters()
        expect(quarters.length).toBeLessThanOrEqual(240)
        expect(quarters.reduce((sum, one) => sum + one.answers, 0)).toBe(came.length)
        expect(quarters.reduce((sum, one) => sum + one.failed, 0)).toBe(came.filter(({ failed }) => failed !== null).length)
        const widths = new Set(quarters.slice(1).map((one, i) => one.atMs - (quarters[i]?.atMs ?? 0)))
        expect(widths.size).toBeLessThanOrEqual(1)
      }),
    )
  })

  test('a minute that fills every bar is no bar too many', () => {
    expect(recordOf([...many(60_000), good(60_000)]).quarters().length).toBeLessThanOrEqual(240)
  })

  test('begins with quarters of a second', () => {
    expect(recordOf([good(0), good(260), bad(270), good(900, 42)]).quarters()).toEqual([
      { atMs: 0, answers: 1, failed: 0, slowestMs: 5 },
      { atMs: 250, answers: 2, failed: 1, slowestMs: 5 },
      { atMs: 500, answers: 0, failed: 0, slowestMs: 0 },
      { atMs: 750, answers: 1, failed: 0, slowestMs: 42 },
    ])
  })
})
