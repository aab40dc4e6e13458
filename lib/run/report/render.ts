import { spent } from '../../plan/durations.ts'
import type { Entry, Outcome } from '../../plan/journal.ts'
import { newStory, type Story, tell } from '../show/story.ts'
import { clock } from '../show/text.ts'
import { CSS } from './css.ts'
import { frontDoorChart } from './front-door.ts'
import { Html, html } from './html.ts'
import { rowsOf } from './rows.ts'
import { processes, recovery, stepsTable, whoAndWhere } from './sections.ts'
import { timeline } from './timeline.ts'

/** What a report needs besides the journal: the zone of its times. */
export type ReportMeta = { readonly timezone: string }

/** A day and a time with their zone: `Tue, 9 Dec 2025, 03:13:55 Europe/Paris`. */
function when(iso: string, timezone: string): string {
  const day = new Date(iso).toLocaleDateString('en-GB', { timeZone: timezone, weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' })
  return `${day}, ${clock(iso, timezone)} ${timezone}`
}

function tone(exit: number): string {
  if (exit === 0) return 'good'
  return exit === 4 || exit === 130 || exit === 143 ? 'warn' : 'bad'
}

/** Programs that people are told to call. */
const PROGRAM = /^(npx|npm|ssh|kubectl|docker|curl|mongosh|psql|redis-cli|sqlite3|sudo|cat|ls|df|tail|less|rm|zstd|tar)\b/

/** Words that begin a line which is not meant to be pasted: it ends as a sentence or a lead-in does, or has no option and no path. */
function isCommand(text: string): boolean {
  return !/(,| then|:|\.)$/i.test(text.trim()) && (PROGRAM.test(text.trim()) || /\s--?\w/.test(text))
}

function paragraphs(texts: readonly string[]): Html[] {
  return texts.map(text => html`<p>${text}</p>`)
}

/** Commands as blocks that one click selects whole; sentences between them as they are. */
function commands(texts: readonly string[]): Html[] {
  return texts.map(text => (isCommand(text) ? html`<pre class="copy">${text}</pre>` : html`<p>${text}</p>`))
}

/** Where to look: commands as blocks to select, and whatever a failed step left (events, a log) as one block, line by line. */
function evidence(texts: readonly string[]): Html[] {
  const blocks: string[][] = []
  for (const text of texts) {
    const alone = PROGRAM.test(text.trim())
    const last = blocks.at(-1)
    if (alone || last === undefined || PROGRAM.test(last[0]?.trim() ?? '')) blocks.push([text])
    else last.push(text)
  }
  return blocks.flatMap(lines => (lines.length === 1 ? commands(lines) : [html`<pre class="error">${lines.join('\n')}</pre>`]))
}

function entry(label: string, content: readonly Html[]): Html | undefined {
  return content.length === 0 ? undefined : html`<dt>${label}</dt><dd>${content}</dd>`
}

function head(story: Story, meta: ReportMeta): Html {
  const planned = story.planned
  const outcome: Outcome = story.outcome ?? {
    ...{ word: 'UNFINISHED', exit: 5, says: 'this run has not ended: it still runs, or it died after the last entry shown here', verified: '' },
  }
  const length = spent(Date.parse(story.last ?? '') - Date.parse(story.first ?? '') || 0)
  const exit = story.outcome ? `exit ${outcome.exit}` : 'no exit'
  return html`<header class="${tone(outcome.exit)}">
<span class="word">${outcome.word}</span><span class="where">${planned?.runbook} ${planned?.stack}/${planned?.environment} · ${exit}</span>
<h1>${outcome.says}</h1>
<div class="soft">${story.first === undefined ? '' : when(story.first, meta.timezone)} · took ${length}${outcome.verified === '' ? '' : ` · observed ${clock(outcome.verified, meta.timezone)}`}</div>
<dl>
${entry('Why', outcome.why === undefined ? [] : paragraphs([outcome.why]))}
${entry('Stands', paragraphs(outcome.stands ?? []))}
${entry('Next', commands(outcome.next ?? []))}
${entry('Look', evidence(outcome.look ?? []))}
${entry(
  'Warnings',
  (outcome.warnings ?? []).map(text => html`<p class="warn"><span class="tone">${text}</span></p>`),
)}
</dl>
</header>`
}

function section(title: string, content: Html | undefined): Html | undefined {
  return content && html`<section><h2>${title}</h2>${content}</section>`
}

/** The report of a run as one HTML page that needs no network and no script: outcome, timeline, steps, recovery, who and where. */
export function renderReport(entries: readonly Entry[], meta: ReportMeta): string {
  const story = newStory()
  for (const one of entries) tell(story, one)
  const rows = rowsOf(story)
  const { word = 'UNFINISHED' } = story.outcome ?? {}
  const title = `${word} ${story.planned?.stack ?? ''}/${story.planned?.environment ?? ''}: ${story.planned?.runbook ?? 'run'}`
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${title}</title>
<style>${new Html(CSS)}</style>
</head>
<body>
<main>
${head(story, meta)}
${rows.length === 0 ? undefined : section('Timeline', timeline(story, rows))}
${section('Front door', frontDoorChart(entries))}
${rows.length === 0 ? undefined : section('Steps', stepsTable(rows, meta.timezone, Date.parse(story.last ?? '')))}
${section('Recovery', recovery(story, entries, meta.timezone))}
${section('Processes', processes(entries, meta.timezone))}
${section('Who and where', whoAndWhere(story, entries))}
<footer>Drawn from ${entries.length} journal entries; times are ${meta.timezone}.</footer>
</main>
</body>
</html>
`.text
}
