import { Digest } from '../digest.ts'
import type { Items } from '../source.ts'

/** Keys with a time to live, as a load took them: all of them, and those that had not expired, by how long they still had. */
export type Timetable = { readonly all: Items; readonly sinceMs: number; readonly spans: readonly Items[] }

/** Clocks of two machines are trusted to differ by less, in milliseconds. */
const CLOCKS_MS = 60_000

/** The span of a key: span n is from 2^n to 2^(n+1) seconds after the load. */
const spanOf = (expiresMs: number, sinceMs: number) => Math.max(0, Math.floor(Math.log2(Math.max(1, (expiresMs - sinceMs) / 1000))))

/**
 * Keys that expire while they stand beside are no difference, and nobody can stop them from expiring. Sorted into doubling spans of time,
 * those that cannot have expired yet are compared exactly; of the others there must be no more than there were.
 */
export class Expiries {
  readonly #sinceMs: number
  readonly #spans: Digest[] = []

  constructor(sinceMs: number) {
    this.#sinceMs = sinceMs
  }

  add(expiresMs: number, digest: string): void {
    const span = spanOf(expiresMs, this.#sinceMs)
    while (this.#spans.length <= span) this.#spans.push(new Digest())
    this.#spans[span]!.text(digest).end()
  }

  timetable(all: Items): Timetable {
    return { all, sinceMs: this.#sinceMs, spans: this.#spans.map(span => span.items()) }
  }

  /** Whether what was found is what was loaded, less what may have expired. */
  fits(loaded: Timetable, nowMs: number): boolean {
    const empty = new Digest().items()
    const count = Math.max(loaded.spans.length, this.#spans.length)
    return Array.from({ length: count }, (_, n) => n).every(n => {
      const wanted = loaded.spans[n] ?? empty
      const found = this.#spans[n]?.items() ?? empty
      const lasts = n > 0 && loaded.sinceMs + 2 ** n * 1000 > nowMs + CLOCKS_MS
      return lasts ? found.count === wanted.count && found.digest === wanted.digest : found.count <= wanted.count
    })
  }
}
