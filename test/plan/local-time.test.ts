import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseLocalTime } from '../../lib/plan/local-time.ts'

const iso = (text: string, zone = 'Europe/Paris') => {
  const found = parseLocalTime(text, zone)
  return found === undefined ? undefined : new Date(found).toISOString().slice(0, 16)
}

/** A moment as people of a zone write it. */
const written = (moment: number, zone: string) =>
  new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'short' }).format(moment)

describe('a time as it is written in a zone', () => {
  test.each([
    ['2026-01-15 06:00', '2026-01-15T05:00'],
    ['2026-07-15 06:00', '2026-07-15T04:00'],
    ['2026-07-15T06:00', '2026-07-15T04:00'],
    [' 2026-07-15 ', '2026-07-14T22:00'],
    // The hour that is left out: neither reading exists, and the earlier moment is meant.
    ['2026-03-29 01:59', '2026-03-29T00:59'],
    ['2026-03-29 02:30', '2026-03-29T00:30'],
    ['2026-03-29 03:00', '2026-03-29T01:00'],
    // The hour that happens twice: the first one is meant.
    ['2026-10-25 01:59', '2026-10-24T23:59'],
    ['2026-10-25 02:30', '2026-10-25T00:30'],
    ['2026-10-25 03:00', '2026-10-25T02:00'],
    ['2028-02-29 00:00', '2028-02-28T23:00'],
  ])('%s is %s', (text, utc) => expect(iso(text)).toBe(utc))

  test.each([
    '',
    'tomorrow',
    '2026-13-01',
    '2026-02-29',
    '2026-02-30 10:00',
    '2026-05-14 24:00',
    '2026-05-14 10:60',
    '2026-5-14',
    '14.05.2026',
    '2026-05-14 10',
  ])('%j is none', text => expect(iso(text)).toBeUndefined())

  test('reads back as it was written, in any zone', () => {
    const zones = fc.constantFrom('Europe/Paris', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kathmandu', 'Pacific/Apia', 'UTC')
    const minutes = fc.integer({ min: Date.UTC(2020, 0) / 60_000, max: Date.UTC(2040, 0) / 60_000 })
    fc.assert(
      fc.property(minutes, zones, (minute, zone) => {
        const text = written(minute * 60_000, zone)
        const found = parseLocalTime(text, zone) ?? Number.NaN
        expect(written(found, zone)).toBe(text)
        // Of two moments that read the same it is the first.
        expect(found).toBeLessThanOrEqual(minute * 60_000)
      }),
      { numRuns: 300 },
    )
  })
})
