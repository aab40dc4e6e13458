import { count } from '../../plan/durations.ts'
import type { Entry } from '../../plan/journal.ts'
import type { Quarter } from '../../releases/flight-record.ts'
import { Html, html } from './html.ts'

/** Size of the drawing in its own units; the page scales it. */
const WIDE = 1000
const HIGH = 110
/** Room on top for the marks of what failed. */
const TOP = 14

type Seen = {
  readonly requests: number
  readonly failed: number
  readonly longestGapMs: number
  readonly p95Ms: number
  readonly quarters: readonly Quarter[]
}

/** What the flight recorder saw, as the run journaled it; undefined where nothing was watched. */
function seenIn(entries: readonly Entry[]): Seen | undefined {
  const watched = entries.findLast(entry => entry.at === 'watched' && entry.of.startsWith('front-door/'))
  const seen = watched?.at === 'watched' ? (watched.seen as unknown as Seen | null) : null
  return seen && seen.quarters?.length > 0 ? seen : undefined
}

function bars({ quarters }: Seen): Html {
  const width = quarters.length > 1 ? (quarters[1]?.atMs ?? 0) - (quarters[0]?.atMs ?? 0) : 250
  const end = (quarters.at(-1)?.atMs ?? 0) + width
  const most = Math.max(1, ...quarters.map(({ answers }) => answers))
  const slowest = Math.max(1, ...quarters.map(({ slowestMs }) => slowestMs))
  const x = (atMs: number) => ((atMs / end) * WIDE).toFixed(1)
  const w = Math.max(1, (width / end) * WIDE - 1).toFixed(1)
  const tall = (n: number, of: number) => (n / of) * (HIGH - TOP)
  const rects = quarters.map(({ atMs, answers, failed }) => {
    const good = tall(answers - failed, most)
    const bad = tall(failed, most)
    const mark = failed > 0 ? `<rect x="${x(atMs)}" y="0" width="${w}" height="8" class="lost"/>` : ''
    return `<rect x="${x(atMs)}" y="${(HIGH - good).toFixed(1)}" width="${w}" height="${good.toFixed(1)}" class="answers"/><rect x="${x(atMs)}" y="${(HIGH - good - bad).toFixed(1)}" width="${w}" height="${bad.toFixed(1)}" class="lost"/>${mark}`
  })
  // A quarter without an answer was not a fast one.
  const answered = quarters.filter(({ answers }) => answers > 0)
  const line = answered.map(({ atMs, slowestMs }) => `${x(atMs + width / 2)},${(HIGH - tall(slowestMs, slowest)).toFixed(1)}`).join(' ')
  // Numbers only: nothing in it comes from outside.
  return new Html(
    `<svg viewBox="0 0 ${WIDE} ${HIGH}" preserveAspectRatio="none" role="img" aria-label="answers of the front door">${rects.join('')}<polyline points="${line}" class="slowest"/></svg>`,
  )
}

/** The front door while the traffic moved, as a chart: answers a quarter of a second, what failed, the slowest answer. */
export function frontDoorChart(entries: readonly Entry[]): Html | undefined {
  const seen = seenIn(entries)
  if (!seen) return undefined
  const seconds = Math.round((seen.quarters.at(-1)?.atMs ?? 0) / 1000)
  const slowest = Math.max(...seen.quarters.map(({ slowestMs }) => slowestMs))
  return html`<p>${count(seen.requests)} requests in ${seconds} s, <span class="${seen.failed > 0 ? 'bad' : 'good'}"><span class="tone">${count(seen.failed)} failed</span></span>, longest gap ${count(seen.longestGapMs)} ms, 95 % within ${count(seen.p95Ms)} ms</p>
<div class="door">${bars(seen)}</div>
<p class="legend"><span><span class="key answers"></span>answers</span><span><span class="key lost"></span>failed</span><span><span class="key slowest"></span>slowest answer, up to ${count(slowest)} ms</span></p>`
}
