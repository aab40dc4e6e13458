import { count, spent } from '../../plan/durations.ts'
import type { Entry } from '../../plan/journal.ts'
import type { Json } from '../../plan/plan.ts'
import { done, measured } from '../show/figures.ts'
import { type Line, type Story, took } from '../show/story.ts'
import { clock } from '../show/text.ts'
import { type Html, html } from './html.ts'
import type { Row } from './rows.ts'

const RESULTS: Readonly<Record<Line['state'], readonly [string, string]>> = {
  waiting: ['not started', 'stopped'],
  running: ['no end known', 'warn'],
  done: ['✔ verified', 'good'],
  failed: ['✖ failed', 'bad'],
  warned: ['⚠ warning', 'warn'],
  stopped: ['⊘ cut off', 'stopped'],
}

function plainly(value: Json): string {
  if (typeof value === 'string') return value
  return typeof value === 'number' && Number.isInteger(value) ? count(value) : JSON.stringify(value)
}

/** Plain data as a person reads it: fields in lines, lists and objects within as JSON. */
function fields(data: Json): [string, string][] {
  if (data === null || typeof data !== 'object') return data === null ? [] : [['', String(data)]]
  if (Array.isArray(data)) return data.map((value): [string, string] => ['', plainly(value)])
  return Object.entries(data).map(([name, value]) => [name, plainly(value)])
}

function receipt(gives: Json): string {
  return fields(gives)
    .filter(([name]) => name !== 'says')
    .map(([name, value]) => (name === '' ? value : `${name}: ${value}`))
    .join('\n')
}

function lineRows(row: Row & { kind: 'line' }, timezone: string, now: number): Html {
  const { line } = row
  const [says, tone] = line.kind === 'undo' && line.state === 'done' ? ['↩ undone', 'undo'] : RESULTS[line.state]
  const started = line.spans[0] ? clock(line.spans[0].from, timezone) : ''
  const note = [
    measured(line.gives),
    line.how === 'was' || line.how === 'found' ? done(line.how, 0) : '',
    line.attempt > 1 ? `attempt ${line.attempt}` : '',
    row.commit ? 'commit' : '',
    row.undone ? 'taken back' : '',
  ]
    .filter(text => text !== '')
    .join(' · ')
  const given = receipt(line.gives)
  const more = [
    line.why === undefined ? undefined : html`<p>${line.why}</p>`,
    line.look === undefined ? undefined : html`<pre class="error">${line.look}</pre>`,
    line.prints.map(text => html`<pre class="copy">${text}</pre>`),
    given === '' ? undefined : html`<pre class="soft">${given}</pre>`,
  ]
  const hasMore = line.why !== undefined || line.look !== undefined || line.prints.length > 0 || given !== ''
  return html`<tbody><tr><td class="i">${row.number}</td><td>${line.title}${note === '' ? undefined : html` <span class="soft">${note}</span>`}</td><td class="r ${tone}"><span class="tone">${says}</span></td><td class="n soft">${started}</td><td class="n">${line.spans.length === 0 ? '' : spent(took(line, now))}</td></tr>${
    hasMore ? html`<tr class="more"><td></td><td colspan="4">${more}</td></tr>` : undefined
  }</tbody>\n`
}

/** Every step with its result, time, commands, receipt and error. */
export function stepsTable(rows: readonly Row[], timezone: string, now: number): Html {
  return html`<table><thead><tr><th></th><th>Step</th><th>Result</th><th class="n">Started</th><th class="n">Took</th></tr></thead>
${rows.map(row => {
  if (row.kind === 'group') return undefined
  if (row.kind === 'line') return lineRows(row, timezone, now)
  const { title, answer, span, shows } = row.asked
  const waited = spent((span.to === undefined ? now : Date.parse(span.to)) - Date.parse(span.from))
  return html`<tbody><tr><td class="i">?</td><td>${title} <span class="soft">waited for an answer</span></td><td class="r ${answer === 'yes' ? 'good' : 'warn'}"><span class="tone">${answer ?? 'no answer'}</span></td><td class="n soft">${clock(span.from, timezone)}</td><td class="n">${waited}</td></tr>${
    shows.length > 0
      ? html`<tr class="more"><td></td><td colspan="4">${shows.map(shown => html`<pre class="soft">${receipt(shown)}</pre>`)}</td></tr>`
      : undefined
  }</tbody>\n`
})}</table>`
}

/** What turned the run, who settled it after a crash, and how each step was settled; undefined for a run that just went on. */
export function recovery(story: Story, entries: readonly Entry[], timezone: string): Html | undefined {
  const facts = entries.flatMap((entry): [string, string][] => {
    if (entry.at === 'turned')
      return [[entry.t, `${entry.why}: ${entry.to === 'undo' ? 'turned to undoing what was done' : 'stopped where it stood'}`]]
    if (entry.at === 'settling') return [[entry.t, `${entry.how} by ${entry.by.user}@${entry.by.host}`]]
    if (entry.at === 'answered' && entry.answer !== 'yes')
      return [[entry.t, `${story.asked.find(asked => asked.id === entry.of)?.title ?? entry.of}: ${entry.answer}`]]
    return []
  })
  const silent = story.settled.flatMap(fact =>
    fact.silentSince === undefined
      ? []
      : [[fact.silentSince, `last sign of life before ${fact.how}: silent for ${spent(Date.parse(fact.t) - Date.parse(fact.silentSince))}`]],
  )
  const all = [...facts, ...silent].sort(([a = ''], [b = '']) => (a < b ? -1 : 1))
  if (all.length === 0) return undefined
  return html`<dl class="facts">${all.map(([t = '', says = '']) => html`<dt>${clock(t, timezone)}</dt><dd>${says}</dd>`)}</dl>`
}

/** Processes that the run started, so that a survivor can be recognised. */
export function processes(entries: readonly Entry[], timezone: string): Html | undefined {
  const spawned = entries.flatMap(entry => (entry.at === 'spawned' ? [entry] : []))
  if (spawned.length === 0) return undefined
  return html`<table><thead><tr><th>Started</th><th>Where</th><th class="n">Process</th><th>Command</th></tr></thead>
${spawned.map(({ t, host, pid, prints }) => html`<tbody><tr><td class="soft">${clock(t, timezone)}</td><td>${host}</td><td class="n">${pid}</td><td><code>${prints}</code></td></tr></tbody>\n`)}</table>`
}

/** Who typed what where, at which targets, under which leases. */
export function whoAndWhere(story: Story, entries: readonly Entry[]): Html | undefined {
  const planned = story.planned
  if (!planned) return undefined
  const leases = entries.flatMap(entry => (entry.at === 'leased' ? [`${entry.lease} (token ${entry.token})`] : []))
  const list = (data: Json): Html[] => fields(data).map(([name, value]) => html`<p>${name === '' ? value : `${name}: ${value}`}</p>`)
  return html`<dl class="facts">
<dt>Run</dt><dd><code>${planned.run}</code></dd>
<dt>Command</dt><dd><pre class="copy">${planned.command}</pre></dd>
<dt>By</dt><dd>${planned.by.user}@${planned.by.host}, process ${planned.by.pid}</dd>
<dt>Aimed at</dt><dd>${list(planned.target)}</dd>
<dt>Options</dt><dd>${list(planned.options)}</dd>
<dt>Leases</dt><dd>${leases.length === 0 ? 'none' : leases.join(', ')}</dd>
<dt>Plan</dt><dd><code>${planned.hash}</code></dd>
</dl>`
}
