import fc from 'fast-check'
import { expect, test } from 'vitest'
import { drawer } from '../../lib/platforms/sandbox/weights.ts'

const percent = fc.integer({ min: 0, max: 100 })

function counts(draws: readonly (string | null)[]): Record<string, number> {
  const sums: Record<string, number> = {}
  for (const slot of draws) sums[slot ?? 'none'] = (sums[slot ?? 'none'] ?? 0) + 1
  return sums
}

test('every hundred draws have exactly the weights, whatever they are', () => {
  fc.assert(
    fc.property(percent, fc.integer(), fc.integer({ min: 1, max: 5 }), (blue, seed, blocks) => {
      const draw = drawer({ blue, green: 100 - blue }, seed)
      for (let block = 0; block < blocks; block += 1) {
        const seen = counts(Array.from({ length: 100 }, draw))
        expect([seen.blue ?? 0, seen.green ?? 0]).toEqual([blue, 100 - blue])
      }
    }),
  )
})

test('the order has no pattern: of two clients that take turns, both meet both slots', () => {
  fc.assert(
    fc.property(fc.integer(), seed => {
      const draws = Array.from({ length: 1_000 }, drawer({ blue: 50, green: 50 }, seed))
      const mine = counts(draws.filter((_, n) => n % 2 === 0))
      // Four standard deviations of 500 fair draws are 45.
      expect(Math.abs((mine.blue ?? 0) - 250)).toBeLessThan(100)
    }),
  )
})

test('the same seed draws the same', () => {
  const [one, other] = [drawer({ blue: 30, green: 70 }, 7), drawer({ blue: 30, green: 70 }, 7)]
  expect(Array.from({ length: 300 }, one)).toEqual(Array.from({ length: 300 }, other))
})

test('without any weight nobody is drawn', () => {
  expect(drawer({}, 1)()).toBeNull()
  expect(drawer({ blue: 0, green: 0 }, 1)()).toBeNull()
})
