import { setTimeout as delay } from 'node:timers/promises'
import { StoreError } from './store.ts'

/** What became of a body: how many bytes passed, whether it came to its end, and what it threw. */
export type Passed = { bytes: number; ended: boolean; failure: { readonly error: unknown } | null }

/** The work's result, or the signal's reason as soon as it is aborted. One listener a wait: a promise raced against again and again would keep every result. */
export function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const fail = () => reject(signal.reason)
    if (signal.aborted) fail()
    else signal.addEventListener('abort', fail, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', fail))
  })
}

/** Passes a body on and notes what became of it; throws the signal's reason at once when it is aborted, also while the body is silent. */
export async function* watched(
  body: AsyncIterable<Buffer>,
  signal: AbortSignal,
  passed: Passed,
  limitBytes = Number.POSITIVE_INFINITY,
): AsyncGenerator<Buffer> {
  const chunks = body[Symbol.asyncIterator]()
  const following = async () => {
    try {
      const next = await unlessAborted(signal, chunks.next())
      passed.bytes += next.done ? 0 : next.value.length
      if (passed.bytes > limitBytes)
        throw new StoreError('full', `the object grew over ${limitBytes} bytes, the most that fits in parts of the chosen size; set partSizeBytes`)
      if (next.done) signal.throwIfAborted()
      return next
    } catch (error) {
      passed.failure = { error }
      throw error
    }
  }
  try {
    for (let next = await following(); !next.done; next = await following()) {
      // A reader that gives up throws here: that is not the body's failure.
      if (next.value.length > 0) yield next.value
    }
    passed.ended = true
  } finally {
    if (!passed.ended) await closed(chunks)
  }
}

/** How long a body may take to let go of its process or file. */
const CLOSING_MS = 2_000

/** Ends a body that is not read to its end, and waits for its own clean-up, though not for ever: one that hangs must not hold up ours. */
async function closed(chunks: AsyncIterator<Buffer>): Promise<void> {
  const waiting = new AbortController()
  const late = delay(CLOSING_MS, undefined, { signal: waiting.signal }).catch(() => {})
  const closing = Promise.resolve(chunks.return?.()).catch(() => {})
  await Promise.race([closing, late])
  waiting.abort()
}
