import type { Finding, Verdict } from '../../checks/check.ts'
import { spent } from '../../plan/durations.ts'
import { table } from './table.ts'

const MARKS: Readonly<Record<Verdict, string>> = { healthy: '✔', unhealthy: '✖', unknown: '?' }

/** The table of what was looked at, worst first, each with its cause. */
export function findingsTable(findings: readonly Finding[], width = 100): string[] {
  return table(
    [{ title: '' }, { title: 'check' }, { title: 'kind' }, { title: 'says' }, { title: 'took', align: 'right' }],
    worstFirst(findings).map(({ name, kind, is, says, tookMs }) => [MARKS[is], name, kind, says, spent(tookMs)]),
    { width },
  )
}

const ORDER: readonly Verdict[] = ['unhealthy', 'unknown', 'healthy']

/** The findings with what needs somebody in front; otherwise in their order. */
export function worstFirst(findings: readonly Finding[]): readonly Finding[] {
  return ORDER.flatMap(is => findings.filter(finding => finding.is === is))
}
