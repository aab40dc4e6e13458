import { type Answer, figuresOf } from './flight-record.ts'

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
