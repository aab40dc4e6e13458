import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { self } from '../../../lib/exec/survivors.ts'
import type { Fact } from '../../../lib/plan/journal.ts'
import { planHash } from '../../../lib/plan/nodes.ts'
import type { Gate, Node } from '../../../lib/plan/plan.ts'
import { apply } from '../../../lib/run/apply.ts'
import { type Ending, work } from '../../../lib/run/carry.ts'
import { type Answer, type Context, record } from '../../../lib/run/context.ts'
import { Journal } from '../../../lib/run/journal.ts'
import { acquire, type Lease } from '../../../lib/run/leases.ts'
import { directory } from '../../../lib/stores/index.ts'
import type { Cell } from '../../../lib/stores/store.ts'
import { TOYS } from '../toys/verbs.ts'
import { effects } from '../toys/world.ts'

/** An engine in this process: a real journal, a real lease in a store that is a folder, and a world whose effects are lines of a log. */
export type Inside = {
  readonly world: string
  readonly cell: Cell
  readonly abort: AbortController
  readonly context: Context
  readonly lease: Lease
  readonly asked: { gate: Gate; shows: readonly unknown[] }[]
  /** Applies a plan and takes it back when it fails, as a run does. */
  carry(nodes: readonly Node[]): Promise<Ending>
  effects(): string[]
  /** What was journaled, as `<at> <of>`. */
  told(): string[]
}

/** A folder that goes away with the test. */
export function temporary(): string {
  const folder = mkdtempSync(join(tmpdir(), 'runbooks-inside-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }))
  return folder
}

/** A cell for a lease, in a folder of its own. */
export const newCell = (folder = temporary()): Cell => directory({ path: folder }).cell('toy/local/.state/data.json')

export const plannedFact = (run: string, nodes: readonly Node[]): Fact => ({
  at: 'planned',
  run,
  runbook: 'toy',
  stack: 'toy',
  environment: 'local',
  command: '',
  options: {},
  by: self(),
  target: {},
  nodes,
  hash: planHash(nodes),
  leases: ['data'],
})

/** Asks for the lease as a run of that name. */
export const asking = (run: string, isDead = async () => false) => ({ name: 'data', run, runbook: 'toy', by: self(), isDead })

/** A fresh engine; `answer` is how each gate is answered. */
export async function inside(answer: (gate: Gate, signal: AbortSignal) => Promise<Answer> | Answer = () => 'yes', run = 'r1'): Promise<Inside> {
  const folder = temporary()
  const abort = new AbortController()
  const cell = newCell()
  const lease = await acquire(cell, asking(run))
  const asked: Inside['asked'] = []
  const journal = Journal.create(join(folder, run))
  const context: Context = {
    run,
    site: {},
    verbs: TOYS,
    journal,
    leases: [lease],
    watching: { saw: () => undefined, moved: () => undefined },
    signal: abort.signal,
    askGate: async (gate, shows, signal) => {
      asked.push({ gate, shows: shows.map(seen => seen.state) })
      return answer(gate, signal)
    },
  }
  return {
    world: folder,
    cell,
    abort,
    context,
    lease,
    asked,
    async carry(nodes) {
      await record(context, plannedFact(run, nodes))
      return work(context, () => apply(context, nodes, context.signal))
    },
    effects: () => effects(folder),
    told: () => journal.entries.flatMap(entry => ('of' in entry ? [`${entry.at} ${entry.of}`] : [])),
  }
}
