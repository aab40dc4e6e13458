import type { Doing, Json } from '../plan/plan.ts'
import { redact } from '../plan/secrets.ts'

/** `unknown` could not look, or nobody can say; it is never taken for one of the others. */
export const VERDICTS = ['healthy', 'unhealthy', 'unknown'] as const
export type Verdict = (typeof VERDICTS)[number]

/** What a look at one thing found. */
export type Finding = {
  readonly name: string
  readonly kind: string
  readonly is: Verdict
  /** One line without secrets: the cause, not only that something is wrong. */
  readonly says: string
  /** Figures with their units in the names: `freePercent`, `lagSeconds`. */
  readonly measured?: Json
  /** Commands that show more, ready to paste. */
  readonly look?: readonly string[]
  readonly tookMs: number
}

/** A finding before it is known how long it took and of whom it speaks. */
export type Look = Omit<Finding, 'name' | 'kind' | 'tookMs'>

/** One thing that can be looked at. It reads only, and may be called again. */
export interface Check {
  readonly name: string
  readonly kind: string
  /** Longest time of a look, in milliseconds; one that takes longer is given up and comes out as `unknown`. */
  readonly limitMs: number
  /** Throws when it could not look; what it looked at and found wanting is a verdict. `doing.signal` ends it. */
  look(doing: Doing): Promise<Look>
}

/** How long a look may take unless its check says otherwise, in milliseconds: an operator waits for the slowest. */
export const LIMIT_MS = 10_000

/** Longest cause, in characters: a line of a table, not somebody's stack trace. */
const LONGEST = 400

/**
 * Looks at everything at once, each within its own limit, and gives the findings in the order of the checks.
 * A check that hangs or throws is `unknown` with the reason. Throws only the reason of `doing.signal`.
 */
export async function lookAtAll(checks: readonly Check[], doing: Doing): Promise<readonly Finding[]> {
  const findings = await Promise.all(checks.map(check => lookAt(check, doing)))
  doing.signal.throwIfAborted()
  return findings
}

async function lookAt(check: Check, doing: Doing): Promise<Finding> {
  const { name, kind, limitMs } = check
  const began = performance.now()
  const limit = new AbortController()
  const timer = setTimeout(() => limit.abort(new Error(`no result within ${limitMs / 1000} s`)), limitMs)
  const signal = AbortSignal.any([doing.signal, limit.signal])
  // A member that does not listen to its signal must not hold up the others.
  const over = new Promise<never>((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
  let found: Look
  try {
    found = await Promise.race([check.look({ ...doing, signal }), over])
  } catch (error) {
    found = { is: 'unknown', says: `could not look: ${error instanceof Error ? error.message : String(error)}`, ...lookOf(error) }
  } finally {
    clearTimeout(timer)
  }
  return { name, kind, ...found, says: oneLine(found.says), tookMs: Math.round(performance.now() - began) }
}

/** What a foreseen failure (Trouble) says to look at. */
function lookOf(error: unknown): Pick<Look, 'look'> {
  const look = (error as { look?: unknown } | null)?.look
  return Array.isArray(look) && look.length > 0 ? { look: look.map(String) } : {}
}

function oneLine(text: string): string {
  const line = redact(text).replace(/\s+/g, ' ').trim()
  return line.length > LONGEST ? `${line.slice(0, LONGEST - 1)}…` : line
}
