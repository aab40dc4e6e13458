import { Agent, request as plainRequest } from 'node:http'
import { Agent as SecureAgent, request as secureRequest } from 'node:https'
import type { Door } from '../platforms/platform.ts'

/** One answer, or none, of the front door: when it was asked for, in milliseconds since the recorder began, and how long it took, or has taken while it is `open`. */
export type Answer = { readonly atMs: number; readonly tookMs: number; readonly failed: string | null; readonly open?: true }

/** A quarter of a second of the front door, for a chart: answers, failures, the slowest answer. */
export type Quarter = { readonly atMs: number; readonly answers: number; readonly failed: number; readonly slowestMs: number }

/** No answer within this is none: longer than any page should take. */
const PATIENCE_MS = 10_000
const QUARTER_MS = 250

/** How many requests go over new connections, kept-alive ones, and the one connection that is held from beginning to end. */
const WAYS = ['new', 'new', 'kept', 'kept', 'held'] as const

/**
 * Asks the real front door many times a second, over new, kept-alive and one long-held connection, until it is stopped.
 * A failure is no answer, a broken connection, or a status of 500 and above; a connection that the server ends in peace is none.
 */
export class FrontDoorProbe {
  readonly #answers: Answer[] = []
  /** When the requests were made that have no answer yet. */
  readonly #open = new Set<{ readonly atMs: number }>()
  readonly #began = performance.now()
  readonly #url: URL
  readonly #headers: Readonly<Record<string, string>>
  readonly #agents: Readonly<Record<(typeof WAYS)[number], Agent>>
  readonly #timer: NodeJS.Timeout
  #asked = 0

  constructor(door: Door, path: string, perSecond: number) {
    this.#url = new URL(path, door.url)
    this.#headers = door.headers
    const Kind = this.#url.protocol === 'https:' ? SecureAgent : Agent
    this.#agents = {
      new: new Kind({ keepAlive: false }),
      kept: new Kind({ keepAlive: true, maxSockets: 8 }),
      held: new Kind({ keepAlive: true, maxSockets: 1 }),
    }
    const due = () => Math.floor((this.nowMs * perSecond) / 1000)
    // As many as are due: a busy machine delays timers, and must not thin the record out.
    this.#timer = setInterval(() => {
      for (let n = due() - this.#asked; n > 0; n -= 1) this.#next()
    }, 1000 / perSecond)
    this.#next()
  }

  #next(): void {
    const way = WAYS[this.#asked % WAYS.length] ?? 'new'
    this.#asked += 1
    const made = { atMs: this.nowMs }
    this.#open.add(made)
    this.#ask(way, failed => {
      if (this.#open.delete(made)) this.#answers.push({ ...made, tookMs: this.nowMs - made.atMs, failed })
    })
  }

  #ask(way: (typeof WAYS)[number], answered: (failed: string | null) => void): void {
    const ask = this.#url.protocol === 'https:' ? secureRequest : plainRequest
    const asked = ask(this.#url, { agent: this.#agents[way], headers: this.#headers, timeout: PATIENCE_MS }, response => {
      const status = response.statusCode ?? 0
      response.on('end', () => answered(status >= 500 ? `status ${status}` : null))
      response.on('error', error => answered(error.message))
      response.resume()
    })
    asked.on('timeout', () => asked.destroy(new Error(`no answer within ${PATIENCE_MS / 1000} s`)))
    asked.on('error', error => {
      // A kept connection that the server ended in the very moment of the asking is asked again over a new one, as every client does.
      const ended = asked.reusedSocket && 'code' in error && error.code === 'ECONNRESET'
      if (ended && way !== 'new') this.#ask('new', answered)
      else answered(error.message)
    })
    asked.end()
  }

  /** Everything that was asked so far; what has no answer yet counts with the time that it waits already. */
  seen(): readonly Answer[] {
    const now = this.nowMs
    return [...this.#answers, ...[...this.#open].map(({ atMs }) => ({ atMs, tookMs: now - atMs, failed: null, open: true as const }))]
  }

  /** Milliseconds since the recorder began. */
  get nowMs(): number {
    return performance.now() - this.#began
  }

  /** Stops asking; connections are closed. */
  stop(): void {
    clearInterval(this.#timer)
    this.#open.clear()
    for (const agent of Object.values(this.#agents)) agent.destroy()
  }
}

/** What was seen from a moment on: requests, failures with the last one's reason, the slowest twentieth, the longest time without a good answer. */
export function figuresOf(answers: readonly Answer[], sinceMs = 0) {
  const seen = answers.filter(answer => answer.atMs >= sinceMs)
  const failed = seen.filter(answer => answer.failed !== null)
  const times = seen.map(answer => answer.tookMs).sort((a, b) => a - b)
  const answered = seen.filter(answer => !answer.open)
  const good = answered.filter(answer => answer.failed === null).map(answer => answer.atMs + answer.tookMs)
  good.sort((a, b) => a - b)
  const gaps = good.map((at, i) => at - (good[i - 1] ?? at))
  return {
    requests: answered.length,
    failed: failed.length,
    p95Ms: Math.round(times[Math.ceil(times.length * 0.95) - 1] ?? 0),
    longestGapMs: Math.round(Math.max(0, ...gaps.slice(-100_000))),
    because: failed.at(-1)?.failed ?? null,
  }
}

/** The record in quarters of a second, at most `most` of them, for a chart; neighbours are put together when there are more. */
export function quartersOf(answers: readonly Answer[], most = 240): readonly Quarter[] {
  const end = Math.max(0, ...answers.slice(-1000).map(answer => answer.atMs))
  const width = QUARTER_MS * (Math.floor(end / QUARTER_MS / most) + 1)
  const bins = new Map<number, { answers: number; failed: number; slowestMs: number }>()
  for (const { atMs, tookMs, failed } of answers) {
    const at = Math.floor(atMs / width) * width
    const bin = bins.get(at) ?? { answers: 0, failed: 0, slowestMs: 0 }
    bins.set(at, { answers: bin.answers + 1, failed: bin.failed + (failed === null ? 0 : 1), slowestMs: Math.max(bin.slowestMs, Math.round(tookMs)) })
  }
  return [...bins].sort(([a], [b]) => a - b).map(([atMs, bin]) => ({ atMs, ...bin }))
}

/** The front door before anything moved: the share of requests that failed, and the slowest twentieth. */
export type Before = { readonly failedShare: number; readonly p95Ms: number }

/** Answers slower than this, for one in twenty, are a breach: the limit of the stacks' own alerts. */
const SLOW_MS = 2_000
/** Time over which failures are judged. */
const WINDOW_MS = 5_000
/** Failures below this number prove nothing. */
const FEW = 5
/** One in twenty of fewer than these is none. */
const MANY = 20

/**
 * Why the front door is worse than it was before anything moved; null while it is not. More than 2 % of the last five seconds fail, and more than
 * twice what failed before; or one answer in twenty takes longer than 2 s and three times as long as before.
 */
export function breachOf(answers: readonly Answer[], nowMs: number, movedMs: number, before: Before): string | null {
  // What was asked before the traffic moved is not held against what came.
  const sinceMs = Math.max(movedMs, nowMs - WINDOW_MS)
  const last = figuresOf(answers, sinceMs)
  const asked = answers.filter(({ atMs }) => atMs >= sinceMs).length
  const share = last.requests === 0 ? 0 : last.failed / last.requests
  if (last.failed >= FEW && share > Math.max(0.02, 2 * before.failedShare))
    return `${last.failed} of the last ${last.requests} requests failed at the front door (${last.because})`
  // Those without an answer count, too: a front door that takes every request and answers none is the slowest of all. A short stall of either side is not that.
  const slowMs = last.requests >= MANY ? SLOW_MS : 2 * SLOW_MS
  if (asked >= MANY && last.p95Ms > Math.max(slowMs, 3 * before.p95Ms))
    return `one answer in twenty takes ${(last.p95Ms / 1000).toFixed(1)} s at the front door, before ${(before.p95Ms / 1000).toFixed(1)} s`
  return null
}
