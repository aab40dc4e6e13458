import { expect, test } from 'vitest'
import { done, measured, Pace } from '../../../lib/run/show/figures.ts'

test.each([1, 40, 250, 3000])('a rate is right however often progress is told, here every %i ms', every => {
  const pace = new Pace()
  let t = 0
  for (; t <= 30_000; t += every) pace.add({ done: t * 1000, total: 60_000_000 }, t)
  expect(pace.rate(t - every)).toBeCloseTo(1_000_000, -4)
  expect(pace.says(t - every)).toMatch(/of 60\.0 MB, 1\.0 MB\/s, 30 s left$/)
})

test('a stall lowers the rate while it lasts', () => {
  const pace = new Pace()
  for (let t = 0; t <= 10_000; t += 100) pace.add({ done: t }, t)
  expect(pace.rate(20_000)).toBeLessThan(pace.rate(10_000)! * 0.6)
})

test('a new attempt starts with its own rate, and nothing is claimed before there is evidence', () => {
  const pace = new Pace()
  expect(pace.says(0)).toBe('')
  pace.add({ done: 5_000_000, total: 9_000_000 }, 0)
  pace.add({ done: 100, total: 9_000_000 }, 1000)
  expect(pace.says(1000)).toBe('100 B of 9.0 MB')
})

test('a step says its own words first, then its bytes, then its items, then its last progress', () => {
  expect(measured({ says: '44 of 44 equal', bytes: 5 })).toBe('44 of 44 equal')
  expect(measured({ bytes: 4_100_000_000 })).toBe('4.1 GB')
  expect(measured({ items: 1 })).toBe('1 item')
  expect(measured(null, { done: 2_000_000 })).toBe('2.0 MB')
  expect(measured({ other: [] }, { done: 1303, unit: 'items' })).toBe('1,303 items')
  expect(measured(null)).toBe('')
})

test('a step that was done before says so instead of a time', () => {
  expect([done('did', 61_000), done('was', 5), done('found', 5)]).toEqual(['1 min 01 s', 'was so already', 'found done'])
})
