/** One answer, or none, of the front door: when it was asked for, in milliseconds since the recorder began, and how long it took, or has taken while it is `open`. */
export type Answer = { readonly atMs: number; readonly tookMs: number; readonly failed: string | null; readonly open?: true }

/** A quarter of a second of the front door, or a wider bar where there would be too many, for a chart: answers, failures, the slowest answer. */
export type Quarter = { readonly atMs: number; readonly answers: number; readonly failed: number; readonly slowestMs: number }

/** No answer within this is none: longer than any page should take. */
export const PATIENCE_MS = 10_000
/** Answers that were asked for longer ago than this are only counted: nothing is judged by them any more. */
const RECENT_MS = 2 * PATIENCE_MS
const QUARTER_MS = 250
/** Bars of the chart; their width doubles when there would be more. */
const MOST = 240

type Bar = { answers: number; failed: number; slowestMs: number }

/** A front door's answers as they come in: the latest as they are, all of them as figures and a chart, in memory that does not grow. */
export class FlightRecord {
  #recent: Answer[] = []
  #requests = 0
  #failed = 0
  #longestGapMs = 0
  #lastGoodMs: number | undefined
  /** How many answers took so many milliseconds; the last also those that took longer. */
  readonly #took = new Uint32Array(PATIENCE_MS + 1)
  #bars = new Map<number, Bar>()
  #widthMs = QUARTER_MS
  #since: number | undefined

  /** What counts: everything, or only what was asked since the first request that was answered well. */
  constructor(counts: 'all' | 'first good' = 'all') {
    this.#since = counts === 'all' ? Number.NEGATIVE_INFINITY : undefined
  }

  /** Takes in an answer at the moment in which it came. */
  add(answer: Answer): void {
    if (answer.failed === null) this.#since ??= answer.atMs
    if (this.#since === undefined || answer.atMs < this.#since) return
    this.#recent.push(answer)
    this.#requests += 1
    const bucket = Math.min(PATIENCE_MS, Math.round(answer.tookMs))
    this.#took[bucket] = (this.#took[bucket] ?? 0) + 1
    if (answer.failed !== null) this.#failed += 1
    else this.#good(answer.atMs + answer.tookMs)
    this.#chart(answer)
  }

  #good(atMs: number): void {
    if (this.#lastGoodMs !== undefined) this.#longestGapMs = Math.max(this.#longestGapMs, atMs - this.#lastGoodMs)
    this.#lastGoodMs = atMs
  }

  #chart({ atMs, tookMs, failed }: Answer): void {
    while (atMs >= this.#widthMs * MOST) this.#widen()
    add(this.#bars, Math.floor(atMs / this.#widthMs), { answers: 1, failed: failed === null ? 0 : 1, slowestMs: Math.round(tookMs) })
  }

  #widen(): void {
    const former = this.#bars
    this.#widthMs *= 2
    this.#bars = new Map()
    for (const [n, bar] of former) add(this.#bars, n >> 1, bar)
  }

  /** The answers that were asked for in the last 20 s before `nowMs`, in the order in which they came. */
  recent(nowMs: number): readonly Answer[] {
    this.#recent = this.#recent.filter(({ atMs }) => atMs >= nowMs - RECENT_MS)
    return this.#recent
  }

  /** Answers, failures, the slowest twentieth, the longest time without a good answer. */
  figures(): { readonly requests: number; readonly failed: number; readonly p95Ms: number; readonly longestGapMs: number } {
    return { requests: this.#requests, failed: this.#failed, p95Ms: this.#p95(), longestGapMs: Math.round(this.#longestGapMs) }
  }

  #p95(): number {
    const rank = Math.ceil(this.#requests * 0.95)
    let seen = 0
    for (const [ms, n] of this.#took.entries()) {
      seen += n
      if (seen >= rank) return ms
    }
    return 0
  }

  /** The chart from the first answer to the last, at most 240 bars; a time without an answer is a bar of none. */
  quarters(): readonly Quarter[] {
    const at = [...this.#bars.keys()]
    if (at.length === 0) return []
    const first = Math.min(...at)
    const none: Bar = { answers: 0, failed: 0, slowestMs: 0 }
    return Array.from({ length: Math.max(...at) - first + 1 }, (_, i) => ({
      atMs: (first + i) * this.#widthMs,
      ...(this.#bars.get(first + i) ?? none),
    }))
  }
}

function add(bars: Map<number, Bar>, n: number, { answers, failed, slowestMs }: Bar): void {
  const bar = bars.get(n)
  if (bar === undefined) bars.set(n, { answers, failed, slowestMs })
  else {
    bar.answers += answers
    bar.failed += failed
    bar.slowestMs = Math.max(bar.slowestMs, slowestMs)
  }
}

/** What was seen from a moment on: requests, failures with the last one's reason, the slowest twentieth. */
export function figuresOf(answers: readonly Answer[], sinceMs = 0) {
  const seen = answers.filter(answer => answer.atMs >= sinceMs)
  const failed = seen.filter(answer => answer.failed !== null)
  const times = seen.map(answer => answer.tookMs).sort((a, b) => a - b)
  return {
    requests: seen.filter(answer => !answer.open).length,
    failed: failed.length,
    p95Ms: Math.round(times[Math.ceil(times.length * 0.95) - 1] ?? 0),
    because: failed.at(-1)?.failed ?? null,
  }
}
