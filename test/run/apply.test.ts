import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { commit, gate, inTurn, step, tidy, together, watching } from '../../lib/plan/nodes.ts'
import type { Gate } from '../../lib/plan/plan.ts'
import { Cancelled } from '../../lib/run/signals.ts'
import { inside } from './engine/inside.ts'
import { toy } from './toys/verbs.ts'
import { have } from './toys/world.ts'

const ask = (more: Partial<Gate> = {}) => ({ ...gate('Go on?', { id: 'gate/on', answer: 'yes', unattended: 'undo' }), ...more })

describe('a plan is applied', () => {
  it('in its order, each step verified before the next begins', async () => {
    const e = await inside()
    expect(await e.carry(['a', 'b', 'c'].map(name => step(name, toy('put', e.world, name))))).toEqual({ how: 'done' })
    expect(e.effects()).toEqual(['a 1', 'b 1', 'c 1'])
    expect(e.told().filter(told => !told.startsWith('spawned'))).toEqual(
      ['a', 'b', 'c'].flatMap(name => [`intent put/${name}`, `exited put/${name}`, `verified put/${name}`]),
    )
  })

  it('at once in a group that says so', async () => {
    const e = await inside()
    await e.carry([together('both', [step('slow', toy('put', e.world, 'slow', '1', { nap: 0.5 })), step('fast', toy('put', e.world, 'fast'))])])
    expect(e.effects()).toEqual(['fast 1', 'slow 1'])
  })

  it('without the steps whose goal is met, which are not undone either', async () => {
    const e = await inside()
    have(e.world, 'there', '1')
    const ending = await e.carry([
      step('there', toy('put', e.world, 'there')),
      step('new', toy('put', e.world, 'new')),
      step('bad', toy('put', e.world, 'bad', '1', { fails: 'it broke' })),
    ])
    expect(ending).toMatchObject({ how: 'undone', exit: 4, undos: 2, why: 'it broke' })
    expect(e.effects()).toEqual(['there 1', 'new 1', 'new -'])
  })
})

describe('a failure', () => {
  it('undoes what was done, newest first, and verifies each undo', async () => {
    const e = await inside()
    have(e.world, 'a', 'old')
    const bad = step('bad', toy('put', e.world, 'bad', '1', { fails: 'it broke' }))
    await e.carry([step('a', toy('put', e.world, 'a')), step('b', toy('build', e.world, 'b')), bad])
    expect(e.effects()).toEqual(['a old', 'a 1', 'b half', 'b 1', 'b -', 'a old'])
    expect(e.told().filter(told => told.startsWith('verified undo/'))).toEqual([
      'verified undo/put/bad',
      'verified undo/build/b',
      'verified undo/put/a',
    ])
  })

  it('in a group stops its siblings, and waits until they are gone', async () => {
    const e = await inside()
    const began = performance.now()
    const slow = step('slow', toy('put', e.world, 'slow', '1', { nap: 20 }))
    const ending = await e.carry([together('both', [slow, step('bad', toy('put', e.world, 'bad', '1', { fails: 'it broke' }))])])
    expect(ending).toMatchObject({ how: 'undone', why: 'it broke' })
    expect(performance.now() - began).toBeLessThan(10_000)
    expect(e.effects()).toEqual([])
  })

  it('of an undo stops the undoing, and the run stands', async () => {
    const e = await inside()
    process.env.TOY_FAIL = 'take/b'
    try {
      const bad = step('bad', toy('put', e.world, 'bad', '1', { fails: 'it broke' }))
      const ending = await e.carry([step('a', toy('put', e.world, 'a')), step('b', toy('put', e.world, 'b')), bad])
      expect(ending).toMatchObject({ how: 'stands', why: expect.stringContaining('it broke; then taking it back failed: undo/put/b') })
      expect(ending).toMatchObject({ stands: [expect.stringMatching(/^a: was .*found/), expect.stringMatching(/^b: was .*"1"/)] })
      expect(e.effects()).toEqual(['a 1', 'b 1'])
    } finally {
      delete process.env.TOY_FAIL
    }
  })

  it('after a commit does not undo behind it', async () => {
    const e = await inside()
    const bad = step('bad', toy('put', e.world, 'bad', '1', { fails: 'it broke' }))
    const nodes = [step('a', toy('put', e.world, 'a')), commit('m', toy('put', e.world, 'm')), step('f', toy('put', e.world, 'f')), bad]
    expect(await e.carry(nodes)).toMatchObject({ how: 'undone', undos: 2 })
    expect(e.effects()).toEqual(['a 1', 'm 1', 'f 1', 'f -'])
  })

  it('of a tidy step only warns', async () => {
    const e = await inside()
    const nodes = [tidy('t', toy('put', e.world, 't', '1', { fails: 'no right' })), step('a', toy('put', e.world, 'a'))]
    expect(await e.carry(nodes)).toEqual({ how: 'done' })
    expect(e.context.journal.entries.find(entry => entry.at === 'warned')).toMatchObject({ of: 'put/t', why: 'no right' })
  })

  it('is the breach of a watch, although every step of its group goes well', async () => {
    const e = await inside()
    const group = watching(toy('see', e.world, 'health'), 'watched', [step('slow', toy('put', e.world, 'slow', '1', { nap: 20 }))])
    const ending = e.carry([group])
    await pause(300)
    have(e.world, 'health', 'broken')
    expect(await ending).toMatchObject({ how: 'undone', why: 'health broke' })
    expect(e.effects()).toEqual(['health broken'])
  })

  it('is a step that is not done within its budget, however well its command ends', async () => {
    const e = await inside()
    const ending = await e.carry([step('slow', toy('put', e.world, 'slow', '1', { nap: 20 }), { budgetMs: 300 })])
    expect(ending).toMatchObject({ how: 'undone', exit: 4, why: 'not done within 0.3 s' })
  })

  it('is a wait whose thing can never come, at once', async () => {
    const e = await inside()
    have(e.world, 'x', 'broken')
    expect(await e.carry([step('x', toy('wait', e.world, 'x'))])).toMatchObject({ how: 'undone', why: 'x broke' })
  })
})

describe('a wait', () => {
  it('ends when the world is as it should be', async () => {
    const e = await inside()
    const ending = e.carry([step('x', toy('wait', e.world, 'x'))])
    await pause(300)
    have(e.world, 'x', '1')
    expect(await ending).toEqual({ how: 'done' })
  })

  it('out of time asks its late gate, and waits again after a yes', async () => {
    const e = await inside(() => {
      have(e.world, 'x', '1')
      return 'yes'
    })
    expect(await e.carry([step('x', toy('wait', e.world, 'x'), { budgetMs: 200, late: ask() })])).toEqual({ how: 'done' })
    expect(e.asked).toHaveLength(1)
  })

  it('is undone when the late gate says no', async () => {
    const e = await inside(() => 'no')
    const nodes = [step('a', toy('put', e.world, 'a')), step('x', toy('wait', e.world, 'x'), { budgetMs: 200, late: ask() })]
    expect(await e.carry(nodes)).toMatchObject({ how: 'undone', exit: 130 })
    expect(e.effects()).toEqual(['a 1', 'a -'])
  })
})

describe('a gate', () => {
  const nodes = (world: string, more: Partial<Gate> = {}) => [
    inTurn('first', [step('a', toy('put', world, 'a')), ask({ shows: [toy('see', world, 'a')], ...more })]),
    step('b', toy('put', world, 'b')),
  ]

  it('shows what it is about as it is when it asks, and a yes goes on', async () => {
    const e = await inside()
    expect(await e.carry(nodes(e.world))).toEqual({ how: 'done' })
    expect(e.asked[0]?.shows).toEqual([{ value: '1' }])
    expect(e.effects()).toEqual(['a 1', 'b 1'])
  })

  it('answered with no takes everything back', async () => {
    const e = await inside(() => 'no')
    expect(await e.carry(nodes(e.world, { unattended: 'stop' }))).toMatchObject({ how: 'undone', exit: 130, why: 'declined' })
    expect(e.effects()).toEqual(['a 1', 'a -'])
  })

  it.each([
    ['undo', { how: 'undone', exit: 4 }, ['a 1', 'a -']],
    ['stop', { how: 'stands' }, ['a 1']],
  ] as const)('that nobody can answer does what it says: %s', async (unattended, ending, effects) => {
    const e = await inside(() => 'unattended')
    expect(await e.carry(nodes(e.world, { unattended }))).toMatchObject(ending)
    expect(e.effects()).toEqual(effects)
  })

  it('not answered in time is late, which is no yes', async () => {
    const e = await inside((_, signal) => new Promise(resolve => signal.addEventListener('abort', () => resolve('no'))))
    expect(await e.carry(nodes(e.world, { deadlineMs: 200 }))).toMatchObject({ how: 'undone', why: 'not answered in time' })
    expect(e.context.journal.entries.find(entry => entry.at === 'answered')).toMatchObject({ answer: 'late' })
  })
})

describe('a run that is cancelled', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('by %s stops its step, undoes the others, and exits %i', async (by, exit) => {
    const e = await inside()
    const ending = e.carry([step('a', toy('put', e.world, 'a')), step('slow', toy('put', e.world, 'slow', '1', { nap: 20 }))])
    while (!e.told().includes('spawned put/slow')) await pause(20)
    e.abort.abort(new Cancelled(by))
    expect(await ending).toMatchObject({ how: 'undone', exit })
    expect(e.effects()).toEqual(['a 1', 'a -'])
  })

  it('while it tidies up is done all the same, with a warning', async () => {
    const e = await inside()
    const ending = e.carry([commit('m', toy('put', e.world, 'm')), tidy('t', toy('put', e.world, 't', '1', { nap: 20 }))])
    while (!e.told().includes('spawned put/t')) await pause(20)
    e.abort.abort(new Cancelled('SIGINT'))
    expect(await ending).toEqual({ how: 'done' })
    expect(e.context.journal.entries.find(entry => entry.at === 'warned')).toMatchObject({ of: 'put/t', why: expect.stringContaining('Ctrl-C') })
  })
})
