import { setTimeout as delay } from 'node:timers/promises'
import { StoreError } from './store.ts'

/** Tries in a row that may bring next to nothing before a download is given up. */
const MOST_TRIES = 4
/** A try that brought this many bytes starts the count again. */
const WORTHWHILE = 1024 * 1024

/** Bytes of an answer that can be let go of. */
export type Body = AsyncIterable<Buffer> & { destroy(): void }

/** One answer: bytes from an offset on, with the size of the whole object and the mark that names this very content. */
export type Answer = { readonly body: Body; readonly total: number; readonly etag: string | undefined }

/** How a store begins to read at an offset, and what its errors mean: after a break the reading goes on, anything else ends it with `faultOf`. */
export type Reading = {
  readonly what: string
  open(at: number, end: number | undefined, etag: string | undefined): Promise<Answer>
  isBreak(error: unknown): boolean
  faultOf(error: unknown, at: number, end: number | undefined): unknown
}

/** Streams an object, or a range of it; a connection that breaks is taken up again where it broke, on the very same content. */
export async function* resumed(
  reading: Reading,
  signal: AbortSignal,
  range?: { readonly start: number; readonly end: number },
): AsyncGenerator<Buffer> {
  signal.throwIfAborted()
  if (range && range.start >= range.end) return
  let at = range?.start ?? 0
  let end = range?.end
  let etag: string | undefined
  for (let tries = 1; ; tries += 1) {
    const from = at
    let body: Body | undefined
    try {
      const part = await reading.open(at, end, etag)
      body = part.body
      etag = part.etag
      end ??= part.total
      if (end > part.total) throw cutShort(reading.what, part.total, at, end)
      for await (const chunk of body) {
        at += chunk.length
        yield chunk
      }
      signal.throwIfAborted()
      if (at === end) return
      throw new StoreError('unreachable', `${reading.what} broke off after ${at} of ${end} bytes`)
    } catch (error) {
      signal.throwIfAborted()
      if (!reading.isBreak(error)) throw reading.faultOf(error, at, end)
      if (at - from >= WORTHWHILE) tries = 0
      if (tries >= MOST_TRIES) throw gaveUp(reading.faultOf(error, at, end), at, end, tries)
      await delay(200 * 2 ** tries, undefined, { signal })
    } finally {
      body?.destroy()
    }
  }
}

/** An object that has fewer bytes than it must have. */
export function cutShort(what: string, total: number | undefined, at: number, end: number | undefined): StoreError {
  return new StoreError('broken', `${what} has ${total ?? 'fewer'} bytes, but bytes ${at} to ${end} were asked for: it was cut short`)
}

function gaveUp(fault: unknown, at: number, end: number | undefined, tries: number): unknown {
  if (!(fault instanceof StoreError)) return fault
  return new StoreError(
    'unreachable',
    `${fault.message}; given up at byte ${at} of ${end ?? 'an unknown number'} after ${tries} tries in a row`,
    fault.cause,
  )
}

/** Refuses an answer that does not hold what was asked for; `range` is its Content-Range. */
export function checkedAnswer(
  answer: { body: Body; total: number | undefined; range: string | undefined; etag: string | undefined },
  ranged: boolean,
  at: number,
  where: string,
): Answer {
  const { body, total, range, etag } = answer
  if (total !== undefined && !Number.isNaN(total) && (!ranged || range?.startsWith(`bytes ${at}-`))) return { body, total, etag }
  body.destroy()
  throw new StoreError('broken', `${where} does not answer with the bytes that were asked for`)
}
