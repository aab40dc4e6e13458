import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  canonical,
  commit,
  gate,
  hasLater,
  inTurn,
  planHash,
  result,
  settled,
  step,
  stepsOf,
  tidy,
  together,
  watching,
} from '../../lib/plan/nodes.ts'
import type { Json } from '../../lib/plan/plan.ts'

const put = (of: string, args: Json = null) => ({ verb: 'put', of, args })
const json = fc.jsonValue({ maxDepth: 3 }).map(value => JSON.parse(JSON.stringify(value)) as Json)

describe('the hash of a plan', () => {
  const plan = () => [step('A', put('a', { x: 1, y: [2] })), together('T', [step('B', put('b')), step('C', put('c'))])]

  it('does not change with titles, which may show figures', () => {
    fc.assert(fc.property(fc.string(), title => planHash([step(title, put('a'))]) === planHash([step('A', put('a'))])))
    expect(planHash([together('other', plan())])).toBe(planHash([together('one', plan())]))
  })

  it('does not change with the order of keys', () => {
    expect(planHash([step('A', put('a', { y: [2], x: 1 }))])).toBe(planHash([step('A', put('a', { x: 1, y: [2] }))]))
  })

  it('changes with every argument', () => {
    fc.assert(
      fc.property(
        json,
        json,
        (a, b) => (planHash([step('A', put('a', a))]) === planHash([step('A', put('a', b))])) === (canonical(a) === canonical(b)),
      ),
    )
  })

  it('is another for each way in which a plan can do something else', () => {
    const plans = [
      plan(),
      plan().reverse(),
      plan().slice(1),
      [step('A', put('a', { x: 1, y: [2] })), inTurn('T', [step('B', put('b')), step('C', put('c'))])],
      [step('A', put('a', { x: 1, y: [2] })), watching(put('w'), 'T', [step('B', put('b')), step('C', put('c'))])],
      [commit('A', put('a'))],
      [tidy('A', put('a'))],
      [step('A', put('a'))],
      [step('A', { ...put('a'), verb: 'take' })],
      [step('A', put('a'), { budgetMs: 1 })],
      [gate('G', { id: 'g', answer: 'yes', unattended: 'stop' })],
      [gate('G', { id: 'g', answer: 'yes', unattended: 'undo' })],
      [gate('G', { id: 'g', answer: { typed: 'x' }, unattended: 'undo' })],
    ]
    expect(new Set(plans.map(planHash)).size).toBe(plans.length)
  })

  it('is the same when the plan comes back from a journal', () => {
    expect(planHash(JSON.parse(JSON.stringify(plan())))).toBe(planHash(plan()))
  })
})

describe('arguments', () => {
  const later = result(step('A', put('a')), 'digest')

  it('are unchanged where they hold no Later', () => {
    fc.assert(
      fc.property(json, args => {
        fc.pre(!JSON.stringify(args).includes('"later"'))
        expect(settled(args, () => 'never')).toEqual(args)
        expect(hasLater(args)).toBe(false)
      }),
    )
  })

  it('have a Later settled wherever it stands', () => {
    const args = { deep: [{ x: later }, later], other: 'later' }
    expect(hasLater(args)).toBe(true)
    expect(settled(args, found => `${found.later}.${found.path}`)).toEqual({ deep: [{ x: 'put/a.digest' }, 'put/a.digest'], other: 'later' })
  })

  it('are not taken for a Later because a field of theirs is called so', () => {
    expect(hasLater({ later: 3 })).toBe(false)
  })
})

it('the steps of a plan are found in all its groups, in order', () => {
  const nodes = [
    step('A', put('a')),
    inTurn('T', [together('U', [step('B', put('b'))]), step('C', put('c'))]),
    gate('G', { id: 'g', answer: 'yes', unattended: 'stop' }),
  ]
  expect(stepsOf(nodes).map(({ id }) => id)).toEqual(['put/a', 'put/b', 'put/c'])
})
