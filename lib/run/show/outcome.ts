import type { Outcome } from '../../plan/journal.ts'
import type { Json } from '../../plan/plan.ts'
import { plain, type Style } from './style.ts'
import { clean, clock, hanging, oneLine, wrap } from './text.ts'

/** What stands around an outcome when it is printed. */
export type About = {
  /** `stack/environment`; the runbook's name where no stack is known yet. */
  readonly subject: string
  readonly runbook: string
  /** Of every time printed. */
  readonly timezone: string
  readonly run?: string
  /** Path of report.html. */
  readonly report?: string
  /** What the runbook found out, for people: its tables. */
  readonly summary?: readonly string[]
  /** The same for machines: `result` of the JSON object. */
  readonly result?: Json
}

/** How an outcome is printed. */
export type Printing = {
  readonly json?: boolean
  readonly quiet?: boolean
  readonly width?: number
  readonly style?: Style
  readonly errorStyle?: Style
}

/** The exit codes whose words were observed; the others say what was not done, or what could not be looked at. */
const OBSERVED: ReadonlySet<number> = new Set([0, 4, 7, 130, 143])

/** Columns before the text of Why, Stands, Next, Look and Report. */
const COLUMN = 8

/** The last line of every run: `WORD stack/environment: what stands, verified HH:MM:SS (exit N)`; "verified" only where something was. */
export function lastLine(outcome: Outcome, about: Pick<About, 'subject' | 'timezone'>): string {
  const verified = OBSERVED.has(outcome.exit) && outcome.verified !== '' ? `, verified ${clock(outcome.verified, about.timezone)}` : ''
  return `${outcome.word} ${about.subject}: ${oneLine(outcome.says)}${verified} (exit ${outcome.exit})`
}

/** Sentences wrap; a command stays whole, so that it can be pasted. */
function block(label: string, texts: readonly string[], width: number, whole: boolean): string[] {
  return hanging(
    label,
    texts.flatMap(text => (whole ? clean(text).split('\n') : wrap(clean(text), width - COLUMN))),
    COLUMN,
  )
}

/** Why, Stands, Next, Look and Report, in that order, and warnings before them. */
export function explanation(outcome: Outcome, report: string | undefined, width: number, style: Style): string[] {
  const failed = outcome.exit !== 0
  return [
    ...(outcome.warnings ?? []).flatMap(text => block('Warning', [text], width, false).map(style.warn)),
    ...(failed && outcome.why !== undefined ? block('Why', [outcome.why], width, false) : []),
    ...block('Stands', outcome.stands ?? [], width, false),
    ...block('Next', outcome.next ?? [], width, true),
    ...block('Look', outcome.look ?? [], width, true),
    ...(report === undefined ? [] : block('Report', [report], width, true)),
  ]
}

/** The outcome as one JSON object on one line; every field is always there, so that a script need not guess. */
function jsonLine(outcome: Outcome, about: About): string {
  const { word, exit, says, verified, why = null, stands = [], next = [], look = [], warnings = [] } = outcome
  const { subject, runbook, run = null, report = null, result = null } = about
  return `${JSON.stringify({ word, exit, says, runbook, subject, run, why, stands, next, look, warnings, verified, report, result })}\n`
}

/** The end of a run, stream by stream: results and the last line on stdout, what a failed run or a warning has to say on stderr; with `json` stdout holds the object alone. */
export function printOutcome(
  outcome: Outcome,
  about: About,
  { json = false, quiet = false, width = 80, style = plain, errorStyle = style }: Printing = {},
): {
  readonly stdout: string
  readonly stderr: string
} {
  const failed = outcome.exit !== 0
  const color = failed ? style.bad : style.good
  const last = lastLine(outcome, about)
  const shown = last.startsWith(outcome.word) ? color(style.bold(outcome.word)) + last.slice(outcome.word.length) : last
  const lines = (...all: readonly string[]): string => all.map(line => `${line}\n`).join('')
  const told = lines(...explanation(outcome, about.report, width, errorStyle))
  // A warning is a failure of something: cron's mail is the only way to hear of it.
  if (quiet && !failed) return { stdout: json ? jsonLine(outcome, about) : '', stderr: (outcome.warnings ?? []).length > 0 ? told + lines(last) : '' }
  if (json) return { stdout: jsonLine(outcome, about), stderr: told + lines(last) }
  if (failed) return { stdout: lines(...(about.summary ?? []), shown), stderr: told }
  return { stdout: lines(...(about.summary ?? [])) + lines(...explanation(outcome, about.report, width, style)) + lines(shown), stderr: '' }
}
