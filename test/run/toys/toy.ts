import { commit, gate, step, tidy, together } from '../../../lib/plan/nodes.ts'
import type { Node } from '../../../lib/plan/plan.ts'
import { flag, many, typed } from '../../../lib/run/options.ts'
import { runbook } from '../../../lib/run/runbook.ts'
import { TOYS, toy } from './verbs.ts'
import { effects } from './world.ts'

/** Plans by name; `TOY_PLAN` chooses. */
const PLANS: Record<string, (world: string) => Node[]> = {
  main: world => [
    step('Put a', toy('put', world, 'a')),
    together('At once', [step('Put b', toy('put', world, 'b')), step('Build c', toy('build', world, 'c'))]),
    step('Put d', toy('put', world, 'd')),
    step('Put e', toy('put', world, 'e')),
  ],
  halves: world => [step('Put a', toy('put', world, 'a')), step('Grow g', toy('grow', world, 'g')), step('Put e', toy('put', world, 'e'))],
  move: world => [step('Put a', toy('put', world, 'a')), step('Move m', toy('move', world, 'm')), step('Put e', toy('put', world, 'e'))],
  carve: world => [step('Put a', toy('put', world, 'a')), step('Carve k', toy('carve', world, 'k')), step('Put e', toy('put', world, 'e'))],
  commits: world => [
    step('Put a', toy('put', world, 'a')),
    commit('Put m', toy('put', world, 'm')),
    step('Put f', toy('put', world, 'f')),
    tidy('Put t', toy('put', world, 't')),
  ],
  gated: world => [
    step('Put a', toy('put', world, 'a')),
    gate('Go on?', { id: 'gate/on', shows: [toy('see', world, 'a')], answer: 'yes', unattended: 'stop' }),
    step('Put e', toy('put', world, 'e')),
  ],
  burns: world => [step('Burn x', toy('burn', world, 'x', null))],
}

const world = () => process.env.TOY_WORLD as string

/** A runbook for tests: its plan, its world and its faults come from TOY_* variables. */
export default runbook(import.meta, {
  name: 'toy',
  does: 'Does what a test says, where its effects can be counted.',
  lease: 'data',
  unfinished: process.env.TOY_REVERTS ? 'revert' : 'ask',
  options: { only: many({ help: 'only these' }), skipCare: typed('CARELESS', { help: 'go without care' }), loud: flag({ help: 'louder' }) },
  inspect: async () => ({ lines: effects(world()).length }),
  require: () => [{ title: 'it may run', holds: !process.env.TOY_REFUSE, because: 'it may not run', mend: 'unset TOY_REFUSE' }],
  plan: () => (PLANS[process.env.TOY_PLAN ?? 'main'] as (typeof PLANS)[string])(world()),
  unchanged: () => 'the world is as it was',
  gate: shows => [`a is ${JSON.stringify(shows[0]?.state)}`],
  ends: () => {
    if (process.env.TOY_ENDLESS) throw new Error('no last words')
    return { says: 'all is put' }
  },
  verbs: TOYS,
})
