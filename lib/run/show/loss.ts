import type { LossRow } from '../../backups/loss.ts'
import { count } from '../../plan/durations.ts'
import { table } from './table.ts'

/** The table of what a restore would lose. */
export function lossTable(rows: readonly (LossRow & { readonly part: string })[]): string[] {
  const number = (n: number | null) => (n === null ? '?' : count(n))
  const right = (title: string) => ({ title, align: 'right' as const })
  return table(
    [{ title: '' }, right('now'), right('backup'), right('you lose')],
    rows.map(row => [`${row.part} ${row.name}`, number(row.now), number(row.backup), row.now === null ? '?' : count(row.lost)]),
    { indent: 2 },
  )
}
