import { inspect } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Duration, ms, parseDuration, size, spent } from '../../lib/plan/durations.ts'
import { EXITS, wordOf } from '../../lib/plan/outcome.ts'
import { redact, Secret } from '../../lib/plan/secrets.ts'

describe('a duration', () => {
  it.each([
    ['250ms', 250],
    ['30s', 30_000],
    ['1.5h', 5_400_000],
    ['5min', 300_000],
    ['30d', 2_592_000_000],
  ] as const)('%s is read', (text, value) => {
    expect(ms(text)).toBe(value)
  })

  it.each(['', '5', '5 min', '5m', '-5s', '1e3s', '5minutes', 'min', '١s', '5s6'])('%j is refused', text => {
    expect(parseDuration(text)).toBeUndefined()
    expect(() => ms(text as Duration)).toThrow(RangeError)
  })

  it.each([
    [0, '0.0 s'],
    [9_949, '9.9 s'],
    [9_950, '10 s'],
    [59_499, '59 s'],
    [59_500, '1 min 00 s'],
    [3_599_499, '59 min 59 s'],
    [3_599_500, '1 h 00 min'],
    [11_520_000, '3 h 12 min'],
    [172_799_000, '47 h 59 min'],
    [172_800_000, '2 d 0 h'],
  ])('of %i ms is told as %s', (value, told) => {
    expect(spent(value)).toBe(told)
  })

  it('told never says sixty of anything', () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 10 ** 10 }), value => !/\b60 (s|min)\b|\b24 h$/.test(spent(value))))
  })
})

it.each([
  [0, '0 B'],
  [999, '999 B'],
  [1_000, '1.0 kB'],
  [99_600, '100 kB'],
  [999_499, '999 kB'],
  [999_500, '1.0 MB'],
  [4_102_330_112, '4.1 GB'],
])('a size of %i bytes is told as %s', (bytes, told) => {
  expect(size(bytes)).toBe(told)
})

describe('the table of exits', () => {
  it('has each code once, with a word', () => {
    expect(EXITS.map(({ exit }) => exit)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 130, 143])
    expect(EXITS.every(({ exit, word, means }) => wordOf(exit) === word && means.length > 0)).toBe(true)
  })

  it('calls only 0 done', () => {
    expect(EXITS.filter(({ word }) => word === 'DONE').map(({ exit }) => exit)).toEqual([0])
  })
})

describe('a secret', () => {
  const value = `p"w'd \\ 100% (naïve) &/?\nsecond line\t!`
  const secret = new Secret('password', value)

  it('prints as stars however it is printed', () => {
    const shown = [String(secret), `${secret}`, JSON.stringify({ secret }), inspect(secret), inspect({ deep: [secret] }, { depth: 9 })]
    expect(shown.join()).not.toContain('second')
    expect(Object.values({ ...secret })).toEqual(['password'])
    expect(secret.reveal()).toBe(value)
  })

  it.each([
    ['as it is', value],
    ['in JSON', JSON.stringify({ uri: `x://u:${value}@h` })],
    ['as a part of an address', `x://u:${encodeURIComponent(value)}@h`],
    ['in an address', encodeURI(`x://u:${value}@h`)],
    ['as a form', new URLSearchParams({ value }).toString()],
    ['by its lines', `said: ${value.split('\n')[1]}`],
  ])('is taken out of foreign text %s', (_, text) => {
    const told = redact(`before ${text} after`)
    expect(told).toMatch(/^before .*\*\*\*.* after$/s)
    expect(told).not.toMatch(/second|na%C3%AF|naïve/)
  })

  it('of any kind is taken out of any text around it', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 8, unit: 'grapheme' }), fc.string(), fc.string(), (hidden, before, after) => {
        fc.pre(!`${before}***${after}`.includes(hidden) && !/\*/.test(hidden))
        new Secret('any', hidden)
        expect(redact(`${before}${hidden}${after}`)).not.toContain(hidden)
      }),
      { numRuns: 50 },
    )
  })

  it('that holds another is taken out whole', () => {
    new Secret('short', 'qwertz')
    new Secret('long', 'qwertz-and-more')
    expect(redact('x qwertz-and-more y qwertz z')).toBe('x *** y *** z')
  })
})
