import { spent } from '../../plan/durations.ts'
import { type Span, type Story, took } from '../show/story.ts'
import { type Html, html } from './html.ts'
import type { Row } from './rows.ts'

/** Distances between two ticks that people read without counting, in seconds. */
const STEPS_S = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400, 172_800, 604_800]
const MOST_TICKS = 7

/** A tick's time since the start: `30 s`, `2 min`, `1 h 30 min`. */
function elapsed(seconds: number): string {
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return seconds % 60 === 0 ? `${minutes} min` : `${minutes} min ${seconds % 60} s`
  return minutes % 60 === 0 ? `${minutes / 60} h` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

/** Ticks from the start on, in milliseconds. */
export function ticks(lengthMs: number): number[] {
  const apart = (STEPS_S.find(step => lengthMs / 1000 / step <= MOST_TICKS) ?? lengthMs / 1000 / MOST_TICKS) * 1000
  return Array.from({ length: Math.floor(lengthMs / apart) + 1 }, (_, i) => i * apart)
}

type Scale = { readonly from: number; readonly to: number }

const percent = (scale: Scale, t: number): number => Math.max(0, Math.min(100, ((t - scale.from) / (scale.to - scale.from)) * 100))

/** One bar, and its length in words beside it, on the side that has room. */
function bar(scale: Scale, span: Span, kind: string, says: string, title: string): Html {
  const left = percent(scale, Date.parse(span.from))
  const width = percent(scale, span.to === undefined ? scale.to : Date.parse(span.to)) - left
  const right = left + width
  const beside = right <= 84 ? `left:${right.toFixed(2)}%` : `right:${(100 - left).toFixed(2)}%`
  const within = right > 84 && left < 12
  const length = says === '' || within ? undefined : html`<span class="length" style="${beside}">${says}</span>`
  return html`<span class="bar ${kind}" style="left:${left.toFixed(2)}%;width:${width.toFixed(2)}%" title="${title}">${within ? html`<em>${says}</em>` : undefined}</span>${length}`
}

function rowBars(row: Row, scale: Scale): Html[] {
  if (row.kind === 'group') return []
  if (row.kind === 'gate') {
    const { span, title, answer } = row.asked
    const waited = spent((span.to === undefined ? scale.to : Date.parse(span.to)) - Date.parse(span.from))
    return [bar(scale, span, 'gate', waited, `${title}: waited ${waited}, answer: ${answer ?? 'none yet'}`)]
  }
  const { line, commit } = row
  const state = { waiting: '', running: 'open', done: commit ? 'commit' : '', failed: 'failed', warned: 'warned', stopped: 'stopped' }[line.state]
  return line.spans.map((span, i) => {
    const last = i === line.spans.length - 1
    const kind = `${line.kind === 'undo' ? 'undo' : ''} ${last ? state : 'stopped'}`.trim()
    return bar(
      scale,
      span,
      kind,
      last ? spent(took(line, scale.to)) : '',
      `${line.title}: ${last ? line.state : 'cut off'}, ${spent(took(line, scale.to))}`,
    )
  })
}

/** When nobody ran: from the last entry before a crash until somebody settled the run. */
export function gaps(story: Story): Span[] {
  return story.settled.flatMap(fact => (fact.silentSince === undefined ? [] : [{ from: fact.silentSince, to: fact.t }]))
}

/** What follows a group's row and stands deeper. */
function inGroup<T extends { readonly row: Row }>(all: readonly T[], at: number): T[] {
  const depth = all[at]?.row.depth ?? 0
  const end = all.findIndex(({ row }, i) => i > at && row.depth <= depth)
  return all.slice(at + 1, end === -1 ? all.length : end)
}

const KEYS: readonly (readonly [string, string])[] = [
  ['', 'step'],
  ['commit', 'commit: nothing before it is taken back'],
  ['failed', 'failed'],
  ['warned', 'warning'],
  ['stopped', 'cut off'],
  ['undo', 'undo'],
  ['undo failed', 'undo failed'],
  ['gate', 'waiting for an answer'],
  ['open', 'no end known'],
]

/** The timeline as a bar chart: a row a step, undos in a colour of their own, questions hatched, time without a runner shaded. */
export function timeline(story: Story, rows: readonly Row[]): Html {
  const from = Date.parse(story.first ?? '1970-01-01')
  const to = Math.max(from + 100, Date.parse(story.last ?? '1970-01-01'))
  const scale = { from, to }
  const marks = ticks(to - from)
  const left = (t: number) => `left:${percent(scale, from + t).toFixed(2)}%`
  const grid = marks.map(t => html`<span class="tick" style="${left(t)}"></span>`)
  const dead = gaps(story).map(span => {
    const start = percent(scale, Date.parse(span.from))
    const width = percent(scale, Date.parse(span.to ?? span.from)) - start
    return html`<span class="gap" style="left:${start.toFixed(2)}%;width:${width.toFixed(2)}%" title="nobody ran"></span>`
  })
  const all = rows.map(row => ({ row, bars: rowBars(row, scale) }))
  const drawn = all.filter(({ row, bars }, i) => bars.length > 0 || (row.kind === 'group' && inGroup(all, i).some(one => one.bars.length > 0)))
  const text = drawn.map(({ bars }) => bars.map(one => one.text).join('')).join('')
  const keys = KEYS.filter(([kind]) => text.includes(`class="bar ${kind}"`))
  // A label near the right edge would stick out of the page.
  const labelled = marks.filter(t => percent(scale, from + t) < 88)
  return html`<div class="chart">
<div class="row axis"><span class="label"></span><div class="track">${labelled.map(t => html`<span class="tick" style="${left(t)}">${elapsed(t / 1000)}</span>`)}</div></div>
${drawn.map(({ row, bars }) => {
  if (row.kind === 'group') return html`<div class="row group"><span class="label">${row.title}</span><div class="track">${grid}${dead}</div></div>\n`
  const title = row.kind === 'gate' ? `? ${row.asked.title}` : `${row.line.kind === 'undo' ? '↩ ' : ''}${row.line.title}`
  return html`<div class="row ${row.depth > 0 ? 'in' : ''}"><span class="label" title="${title}">${title}</span><div class="track">${grid}${dead}${bars}</div></div>\n`
})}</div>
<div class="legend">${keys.map(([kind, means]) => html`<span><span class="bar key ${kind}"></span>${means}</span>`)}${dead.length > 0 ? html`<span><span class="gap key"></span>nobody ran</span>` : undefined}</div>`
}
