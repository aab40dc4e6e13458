import type { Aging } from '../../backups/prune.ts'
import { bytesOf } from '../../backups/prune.ts'
import { begunMs } from '../../backups/retention.ts'
import { size, spent } from '../../plan/durations.ts'
import { table } from './table.ts'

/** The table of what is kept and what goes, newest first, with every reason; a table a store. */
export function retentionTable(agings: readonly Aging[], nowMs: number, width: number): string[] {
  return agings.flatMap(({ store, decisions, failed }) => {
    if (failed !== undefined) return [`${store} could not be looked at, so nothing of it goes: ${failed}`, '']
    const rows = [...decisions].reverse().map(({ point, keep, why }) => {
      const age = nowMs - begunMs(point)
      return [
        point.id,
        Number.isNaN(age) ? '?' : spent(Math.max(0, age)),
        size(bytesOf(point)),
        point.status,
        keep ? 'keep' : 'REMOVE',
        why.join(', '),
      ]
    })
    // What is on the right is never wrapped, and an id must stay whole to be copied.
    const columns = [
      { title: 'backup', align: 'right' as const },
      { title: 'age', align: 'right' as const },
      { title: 'size', align: 'right' as const },
      { title: 'status' },
      { title: '' },
      { title: 'why' },
    ]
    return [...(agings.length > 1 ? [`In ${store}:`] : []), ...table(columns, rows, { width, indent: 2 }), '']
  })
}
