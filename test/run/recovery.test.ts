import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { commit, gate, step } from '../../lib/plan/nodes.ts'
import type { Change, Node, Step } from '../../lib/plan/plan.ts'
import { undoId } from '../../lib/run/apply.ts'
import { work } from '../../lib/run/carry.ts'
import { record, verbOf } from '../../lib/run/context.ts'
import { gatherEvidence } from '../../lib/run/evidence.ts'
import { resume, settledEvidence } from '../../lib/run/settle.ts'
import { owed, undoAll } from '../../lib/run/undo.ts'
import { type Inside, inside, plannedFact } from './engine/inside.ts'
import { toy } from './toys/verbs.ts'
import { have } from './toys/world.ts'

/** Journals a step's intent as a run that died right after would leave it. */
async function meant(e: Inside, of: Step, before: string | null): Promise<void> {
  const verb = verbOf(e.context, of.change.verb)
  const goal = verb.goal(of.change.args, { value: before })
  const undo = verb.undo(of.change.args, { value: before })
  const fact = { at: 'intent', of: of.id, title: of.title, attempt: 1, change: of.change, before: { value: before }, goal, undo, prints: [] } as const
  await record(e.context, of.role ? { ...fact, role: of.role } : fact)
}

/** A run of these nodes whose first step was begun when it died. */
async function died(nodes: (e: Inside) => Node[], before: string | null, now?: string): Promise<Inside> {
  const e = await inside(() => 'no')
  const plan = nodes(e)
  await record(e.context, plannedFact('r1', plan))
  await meant(e, plan[0] as Step, before)
  if (now !== undefined) have(e.world, 'x', now)
  return e
}

const one = (verb: string) => (e: Inside) => [step('x', toy(verb, e.world, 'x')), step('y', toy('put', e.world, 'y'))]
const goOn = (e: Inside) => work(e.context, () => resume(e.context, e.context.signal))
const verdictOf = async (e: Inside) => (await gatherEvidence(e.context, e.context.signal)).map(row => row.verdict)

describe('evidence settles a step that was begun', () => {
  it.each([
    ['nothing happened', undefined, 'untouched'],
    ['its goal is met', '1', 'done'],
    ['something else is there', 'half', 'half'],
    ['it moves by itself', 'moving', 'moving'],
    ['nobody can look', 'blind', 'could not look'],
  ])('%s', async (_, now, verdict) => {
    const e = await died(one('put'), null, now)
    expect(await verdictOf(e)).toEqual([verdict, 'not started'])
    expect(e.effects()).toEqual(now === undefined ? [] : [`x ${now}`])
  })

  it('and what is gathered changes neither the journal nor the shared state', async () => {
    const e = await died(one('put'), null, '1')
    const before = [e.context.journal.entries.length, (await e.cell.read()).version]
    await gatherEvidence(e.context, e.context.signal)
    expect([e.context.journal.entries.length, (await e.cell.read()).version]).toEqual(before)
  })
})

describe('a resumed run', () => {
  it('records what was done and does not do it again', async () => {
    const e = await died(one('put'), null, '1')
    expect(await goOn(e)).toEqual({ how: 'done' })
    expect(e.effects()).toEqual(['x 1', 'y 1'])
    expect(e.context.journal.entries.find(entry => entry.at === 'verified' && entry.of === 'put/x')).toMatchObject({ how: 'found' })
  })

  it('does what was not done', async () => {
    const e = await died(one('put'), null)
    await goOn(e)
    expect(e.effects()).toEqual(['x 1', 'y 1'])
  })

  it.each([
    ['grow', 'does a half-done step on top', ['x half', 'x half', 'x 1', 'y 1']],
    ['build', 'takes a half-done step away and makes it anew', ['x half', 'x -', 'x half', 'x 1', 'y 1']],
  ])('%s: %s', async (verb, _, effects) => {
    const e = await died(one(verb), null, 'half')
    expect(await goOn(e)).toEqual({ how: 'done' })
    expect(e.effects()).toEqual(effects)
  })

  it.each([
    ['move', '--revert'],
    ['carve', '--close'],
  ])('%s: leaves a half-done step to a person, and says %s', async (verb, flag) => {
    const e = await died(one(verb), null, 'half')
    expect(await goOn(e)).toMatchObject({ how: 'stands', why: expect.stringContaining(flag) })
    expect(e.effects()).toEqual(['x half'])
  })

  it('that cannot look stands, and takes nothing back', async () => {
    const e = await died(one('put'), null, 'blind')
    expect(await goOn(e)).toMatchObject({ how: 'stands', why: expect.stringContaining('cannot be looked at') })
    expect(e.effects()).toEqual(['x blind'])
    expect(e.told()).not.toContain('intent undo/put/x')
  })

  it('waits for what moves by itself', async () => {
    const e = await died(one('put'), null, 'moving')
    const settled = settledEvidence(e.context, e.context.signal)
    await pause(200)
    have(e.world, 'x', '1')
    expect((await settled)[0]?.verdict).toBe('done')
  })

  it('undoes what the dead process did when a later step fails', async () => {
    const e = await died(e => [step('x', toy('put', e.world, 'x')), step('bad', toy('put', e.world, 'y', '1', { fails: 'it broke' }))], null, '1')
    expect(await goOn(e)).toMatchObject({ how: 'undone', exit: 4 })
    expect(e.effects()).toEqual(['x 1', 'x -'])
  })

  it('asks a gate that had no answer, and keeps a yes that was given', async () => {
    const nodes = (e: Inside) => [
      step('x', toy('put', e.world, 'x')),
      ...['1', '2'].map(n => gate(n, { id: `gate/${n}`, answer: 'yes', unattended: 'stop' })),
    ]
    const e = await died(nodes, null, '1')
    await record(e.context, { at: 'answered', of: 'gate/1', answer: 'yes' })
    await goOn(e)
    expect(e.asked.map(({ gate }) => gate.id)).toEqual(['gate/2'])
  })
})

describe('a reverted run', () => {
  const back = async (e: Inside) => {
    await settledEvidence(e.context, e.context.signal)
    return undoAll(e.context, e.context.signal)
  }

  it('takes back a step of which only the intent is known', async () => {
    const e = await died(one('build'), null, 'half')
    expect(await back(e)).toBe(1)
    expect(e.effects()).toEqual(['x half', 'x -'])
  })

  it('is not stopped by a step that was never done', async () => {
    const e = await died(one('put'), '0')
    have(e.world, 'x', '0')
    expect(await back(e)).toBe(1)
    expect(e.effects()).toEqual(['x 0'])
  })

  it('leaves alone a step whose goal was met before, although it died before it could say so', async () => {
    const e = await died(one('put'), '1', '1')
    expect(await back(e)).toBe(0)
    expect(e.effects()).toEqual(['x 1'])
  })

  it('takes back a step whose effect came so late that its second attempt found it there', async () => {
    const e = await died(one('put'), null, '1')
    const x = step('x', toy('put', e.world, 'x'))
    await meant(e, x, '1')
    await record(e.context, { at: 'verified', of: x.id, seen: { value: '1' }, gives: null, how: 'was' })
    expect(await back(e)).toBe(1)
    expect(e.effects()).toEqual(['x 1', 'x -'])
  })

  it('goes on with an undo that was itself cut off, and does not repeat it', async () => {
    const e = await died(one('put'), null, '1')
    const [undo] = owed(e.context.journal.entries)
    const change = undo?.change as Change
    await record(e.context, {
      at: 'intent',
      of: undoId('put/x'),
      title: 'Take back',
      attempt: 1,
      change,
      before: { value: '1' },
      goal: { value: null },
      undo: { none: '' },
      prints: [],
      undoes: 'put/x',
    })
    have(e.world, 'x', null)
    expect(await back(e)).toBe(1)
    expect(e.effects()).toEqual(['x 1', 'x -'])
    expect(owed(e.context.journal.entries)).toEqual([])
  })

  it('does not go behind a commit, and knows one from its intent', async () => {
    const e = await died(e => [commit('x', toy('put', e.world, 'x')), step('y', toy('put', e.world, 'y'))], null, '1')
    await record(e.context, { at: 'verified', of: 'put/x', seen: { value: '1' }, gives: null, how: 'did' })
    expect(await back(e)).toBe(0)
  })
})
