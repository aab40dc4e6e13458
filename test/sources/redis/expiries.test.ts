import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Digest } from '../../../lib/sources/digest.ts'
import { Expiries } from '../../../lib/sources/redis/expiries.ts'

const SINCE = 1_800_000_000_000
const MINUTE = 60_000
const all = new Digest().items()

type Key = { readonly expiresMs: number; readonly digest: string }
const keys = fc.array(
  fc.record({ expiresMs: fc.integer({ min: SINCE + 1, max: SINCE + 30 * 86_400_000 }), digest: fc.stringMatching(/^[0-9a-f]{16}$/) }),
  {
    minLength: 1,
    maxLength: 40,
  },
)

function of(found: readonly Key[]): Expiries {
  const expiries = new Expiries(SINCE)
  for (const { expiresMs, digest } of found) expiries.add(expiresMs, digest)
  return expiries
}

it('takes what is left at any moment for what was loaded', () => {
  fc.assert(
    fc.property(keys, fc.integer({ min: 0, max: 40 * 86_400_000 }), (loaded, laterMs) => {
      const now = SINCE + laterMs
      expect(of(loaded.filter(({ expiresMs }) => expiresMs > now)).fits(of(loaded).timetable(all), now)).toBe(true)
    }),
  )
})

it('misses every key that cannot have expired, and finds every key too many', () => {
  fc.assert(
    fc.property(keys, fc.nat(), fc.integer({ min: 0, max: 86_400_000 }), (loaded, which, laterMs) => {
      const now = SINCE + laterMs
      const gone = loaded[which % loaded.length]!
      const rest = loaded.filter(key => key !== gone)
      // A key is compared exactly while all of its span, which is half of its time, lies ahead.
      if (gone.expiresMs - SINCE > 2 * (laterMs + MINUTE) + 2000) expect(of(rest).fits(of(loaded).timetable(all), now)).toBe(false)
      expect(of(loaded).fits(of(rest).timetable(all), now)).toBe(false)
    }),
  )
})
