import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { matches, settle } from '../../lib/plan/goals.ts'
import type { Goal, Json, Seen } from '../../lib/plan/plan.ts'

const json = fc.jsonValue({ maxDepth: 3 }).map(value => JSON.parse(JSON.stringify(value)) as Json)
/** Values in which no key means something to a goal. */
const plain = json.filter(value => !/"(atLeast|measured|near|within|every)"/.test(JSON.stringify(value)))
const isFields = (value: Json): value is { [key: string]: Json } => typeof value === 'object' && value !== null && !Array.isArray(value)

describe('a goal', () => {
  it.each<[string, Goal, Json | undefined, Json, boolean]>([
    ['the same text', 'x', 'x', null, true],
    ['other text', 'x', 'y', null, false],
    ['null is not absence', null, undefined, null, false],
    ['a field that is named', { a: 1 }, { a: 1, b: 2 }, null, true],
    ['a field that is missing', { a: 1, b: 2 }, { a: 1 }, null, false],
    ['a nested field', { a: { b: 1 } }, { a: { b: 1, c: 2 } }, null, true],
    ['a list is compared whole', [1, 2], [1, 2, 3], null, false],
    ['a list in another order', [1, 2], [2, 1], null, false],
    ['atLeast met', { n: { atLeast: 3 } }, { n: 3 }, null, true],
    ['atLeast missed', { n: { atLeast: 3 } }, { n: 2.9 }, null, false],
    ['atLeast of a text', { n: { atLeast: 3 } }, { n: '4' }, null, false],
    ['near enough', { near: 10, within: 2 }, 12, null, true],
    ['too far', { near: 10, within: 2 }, 12.1, null, false],
    ['every element', { every: { up: true } }, [{ up: true }, { up: true, x: 1 }], null, true],
    ['not every element', { every: { up: true } }, [{ up: true }, { up: false }], null, false],
    ['every of what is no list', { every: { up: true } }, { up: true }, null, false],
    ['measured and seen', { sum: { measured: 'digest' } }, { sum: 'abc' }, { digest: 'abc' }, true],
    ['measured and other', { sum: { measured: 'digest' } }, { sum: 'abc' }, { digest: 'abd' }, false],
    ['nothing was measured', { sum: { measured: 'digest' } }, { sum: 'abc' }, null, false],
    ['nothing measured, nothing seen', { sum: { measured: 'digest' } }, {}, {}, false],
    ['a word of objects does not count', { toString: 1 }, {}, null, false],
  ])('%s', (_, goal, state, gives, met) => {
    expect(matches(goal, state, gives)).toBe(met)
  })

  it('is met by itself, and by itself with more fields', () => {
    fc.assert(fc.property(plain, value => matches(value, value)))
    fc.assert(fc.property(plain, plain, (value, extra) => !isFields(value) || matches(value, { ...(isFields(extra) ? extra : {}), ...value })))
  })

  it('that is a plain value is met by no other plain value', () => {
    fc.assert(fc.property(plain, plain, (a, b) => isFields(a) || JSON.stringify(a) === JSON.stringify(b) || !matches(a, b)))
  })

  it('is met by a row as a database driver returns it, which has no prototype', () => {
    const row = Object.assign(Object.create(null), { rows: [Object.assign(Object.create(null), { n: 1 })] })
    expect(matches({ rows: [{ n: 1 }] }, row)).toBe(true)
    expect(settle({ rows: [{ n: 1 }] }, { rows: [] }, { state: row, is: 'settled' })).toBe('untouched')
  })
})

describe('evidence', () => {
  const seen = (state: Json, is: Seen['is'] = 'settled'): Seen => ({ state, is })

  it.each([
    ['done', { v: 0 }, { v: 1 }, seen({ v: 1, more: 2 })],
    ['done, even while something still moves', { v: 0 }, { v: 1 }, seen({ v: 1 }, 'moving')],
    ['moving', { v: 0 }, { v: 1 }, seen({ v: 0 }, 'moving')],
    ['untouched', { v: 0 }, { v: 1 }, seen({ v: 0 })],
    ['half', { v: 0 }, { v: 1 }, seen({ v: 0.5 })],
    ['half when it is doomed', { v: 0 }, { v: 1 }, seen({ v: 0.5 }, 'doomed')],
  ] as const)('%s', (verdict, before, goal, found) => {
    expect(settle(before, goal, found)).toBe(verdict.split(/,? /)[0]?.replace(',', ''))
  })

  it('calls a state done exactly when the goal matches, and untouched only when it is the one before', () => {
    fc.assert(
      fc.property(plain, plain, plain, fc.constantFrom<Seen['is']>('settled', 'moving', 'doomed'), (before, goal, state, is) => {
        const verdict = settle(before, goal, { state, is })
        expect(verdict === 'done').toBe(matches(goal, state))
        if (verdict === 'untouched') expect(state).toEqual(before)
        if (verdict === 'half') expect(state).not.toEqual(before)
      }),
    )
  })
})
