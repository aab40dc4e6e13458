import { count, plural, size, spent } from '../../plan/durations.ts'
import type { How } from '../../plan/journal.ts'
import type { Json, Progress } from '../../plan/plan.ts'

/** How far back a rate looks: long enough to be calm, short enough to notice a stall. */
const WINDOW_MS = 10_000

/** The progress of one step over time, from which a rate and the time left are told. */
export class Pace {
  #samples: { readonly t: number; readonly done: number }[] = []
  #last: Progress | undefined

  /** Takes progress at a time in milliseconds; going backwards means a new attempt, and starts afresh. */
  add(progress: Progress, t: number): void {
    if (this.#last && progress.done < this.#last.done) this.#samples = []
    this.#last = progress
    // Ten samples a second say as much as a thousand, and stay small.
    if (t - (this.#samples.at(-2)?.t ?? Number.NEGATIVE_INFINITY) < 100) this.#samples.pop()
    this.#samples.push({ t, done: progress.done })
    while (this.#samples.length > 2 && t - this.#samples[0]!.t > WINDOW_MS) this.#samples.shift()
  }

  get done(): Progress | undefined {
    return this.#last
  }

  /** Bytes or items a second until `now`; undefined before half a second of evidence. */
  rate(now: number): number | undefined {
    const [first] = this.#samples
    if (!first || !this.#last || now - first.t < 500) return undefined
    return ((this.#last.done - first.done) * 1000) / (now - first.t)
  }

  /** `1.2 GB of 4.1 GB, 118 MB/s, 25 s left`; nothing that is not known. */
  says(now: number): string {
    const at = this.#last
    if (!at) return ''
    const say = at.unit === 'items' ? count : size
    const rate = this.rate(now)
    const left = rate && at.total !== undefined && at.total > at.done ? ((at.total - at.done) * 1000) / rate : undefined
    return [
      at.total === undefined ? say(at.done) : `${say(at.done)} of ${say(at.total)}`,
      rate === undefined ? '' : `${at.unit === 'items' ? count(Math.round(rate)) : size(rate)}/s`,
      left === undefined ? '' : `${spent(left)} left`,
    ]
      .filter(text => text !== '')
      .join(', ')
  }
}

/** How long a verified step took, or why it took no time: it was so before, or recovery found it done. */
export function done(how: How | undefined, milliseconds: number): string {
  if (how === 'was') return 'was so already'
  return how === 'found' ? 'found done' : spent(milliseconds)
}

/** What a finished step says of itself: its own words (`says`), else its bytes or items, else the last progress. */
export function measured(gives: Json, last?: Progress): string {
  if (gives !== null && typeof gives === 'object' && !Array.isArray(gives)) {
    const fields = gives as { readonly [key: string]: Json }
    if (typeof fields.says === 'string') return fields.says
    if (typeof fields.bytes === 'number') return size(fields.bytes)
    if (typeof fields.items === 'number') return plural(fields.items, 'item')
  }
  if (!last) return ''
  return last.unit === 'items' ? plural(last.done, 'item') : size(last.done)
}
