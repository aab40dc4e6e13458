import { Trouble } from '../plan/outcome.ts'
import type { Json } from '../plan/plan.ts'
import type { Check, Finding, Verdict } from './check.ts'

/** Checks are told apart by name: in a table, by `--only`, and in metrics. Trouble(2) for two of one name. */
export function distinct(checks: readonly Check[]): readonly Check[] {
  const twice = checks.find(({ name }, i) => checks.findIndex(other => other.name === name) < i)
  if (twice) throw new Trouble(2, `Two checks are named "${twice.name}"; give the ${twice.kind} check another name: name: '…'`)
  return checks
}

/** The checks of these names; all, when none is given. Trouble(2) for a name that none has. */
export function onlyThese(checks: readonly Check[], names: readonly string[]): readonly Check[] {
  const strange = names.find(name => !checks.some(check => check.name === name))
  if (strange !== undefined) throw new Trouble(2, `There is no check "${strange}"; there are ${checks.map(({ name }) => name).join(', ')}`)
  return names.length === 0 ? checks : checks.filter(({ name }) => names.includes(name))
}

/** The findings apart by verdict. */
export function byVerdict(findings: readonly Finding[]): Readonly<Record<Verdict, readonly Finding[]>> {
  const of = (verdict: Verdict) => findings.filter(({ is }) => is === verdict)
  return { healthy: of('healthy'), unhealthy: of('unhealthy'), unknown: of('unknown') }
}

/** Exit code of a look: 7 when anything is unhealthy, 8 when nothing is and something could not be looked at. */
export function exitOf(findings: readonly Finding[]): 0 | 7 | 8 {
  const { unhealthy, unknown } = byVerdict(findings)
  return unhealthy.length > 0 ? 7 : unknown.length > 0 ? 8 : 0
}

/** `9 of 12 healthy, 2 unhealthy, 1 could not be looked at`. */
export function healthSentence(findings: readonly Finding[]): string {
  const { healthy, unhealthy, unknown } = byVerdict(findings)
  return [
    `${healthy.length} of ${findings.length} healthy`,
    ...(unhealthy.length > 0 ? [`${unhealthy.length} unhealthy`] : []),
    ...(unknown.length > 0 ? [`${unknown.length} could not be looked at`] : []),
  ].join(', ')
}

/** The findings for machines; every field is always there. */
export function findingsResult(findings: readonly Finding[]): readonly { readonly [key: string]: Json }[] {
  return findings.map(({ name, kind, is, says, measured = null, look = [], tookMs }) => ({ name, kind, is, says, measured, look, tookMs }))
}
