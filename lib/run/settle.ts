import { setTimeout as pause } from 'node:timers/promises'
import { Trouble } from '../plan/outcome.ts'
import { apply, isDone, undoId } from './apply.ts'
import { type Context, record, verbOf } from './context.ts'
import { type Evidence, gatherEvidence } from './evidence.ts'
import { perform } from './perform.ts'
import { owed } from './undo.ts'

/** How long recovery waits for something that still moves by itself (a server finishing what it was told) before it asks for a person. */
const SETTLE_MS = 120_000

/** Evidence once nothing moves any more; Trouble(5) when it never stops or cannot be looked at. */
export async function settledEvidence(context: Context, signal: AbortSignal): Promise<Evidence[]> {
  const deadline = performance.now() + SETTLE_MS
  for (;;) {
    const all = await gatherEvidence(context, signal)
    const blind = all.find(row => row.verdict === 'could not look')
    if (blind) throw new Trouble(5, `Could not look at "${blind.step.title}": ${blind.because}`)
    const moving = all.find(row => row.verdict === 'moving')
    if (!moving) return all
    if (performance.now() > deadline)
      throw new Trouble(5, `"${moving.step.title}" is still moving: ${moving.because ?? JSON.stringify(moving.observed)}`)
    await pause(1000, undefined, { signal })
  }
}

/** Brings one interrupted step to where the run can go on: records what is done, cleans what must be done anew. */
async function mend(context: Context, row: Evidence, signal: AbortSignal): Promise<void> {
  const id = row.step.id
  if (row.verdict === 'done' && !isDone(context.journal.entries, id)) {
    await record(context, { at: 'verified', of: id, seen: row.observed, gives: row.gives, how: 'found' })
  }
  if (row.verdict !== 'half') return
  const half = verbOf(context, row.step.change.verb).half
  if (half === 'undo' || half === 'ask') {
    throw new Trouble(
      5,
      `"${row.step.title}" stands half-way (${JSON.stringify(row.observed)}) and cannot be gone on with: ${half === 'undo' ? 'take the run back with --revert' : 'look at it, then --revert, or --close when it is mended by hand'}`,
    )
  }
  const undo = owed(context.journal.entries).find(undo => undo.undoes === id)
  if (half === 'anew' && undo) await perform(context, { ...undo, id: undoId(id) }, signal)
}

/** Goes on with an unfinished run from where the evidence says that it stands; itself resumable. */
export async function resume(context: Context, signal: AbortSignal): Promise<void> {
  const entries = context.journal.entries
  const planned = entries.find(e => e.at === 'planned')
  if (planned?.at !== 'planned') throw new Trouble(1, 'A run without a plan cannot be resumed')
  for (const row of await settledEvidence(context, signal)) await mend(context, row, signal)
  await apply(context, planned.nodes, signal)
}
