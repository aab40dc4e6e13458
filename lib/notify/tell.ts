import { redact } from '../plan/secrets.ts'
import { isWanted, LIMIT_MS, type Message, type Notifier } from './notify.ts'

/** Whether a channel took a message; `why` says why it did not. */
export type Told = { readonly channel: string; readonly kind: string; readonly why?: string }

/** Sends a message to every channel that wants it, at the same time, each within its limit (or `limitMs`); never throws. `cut` ends the waiting. */
export function tellAll(notifiers: readonly Notifier[], message: Message, cut: AbortSignal, limitMs?: number): Promise<Told[]> {
  const wanted = notifiers.filter(notifier => isWanted(notifier, message))
  return Promise.all(wanted.map(notifier => tell(notifier, message, cut, limitMs ?? notifier.limitMs ?? LIMIT_MS)))
}

async function tell(notifier: Notifier, message: Message, cut: AbortSignal, limitMs: number): Promise<Told> {
  const { name: channel, kind } = notifier
  const limit = new AbortController()
  const timer = setTimeout(() => limit.abort(new DOMException('out of time', 'TimeoutError')), limitMs)
  const signal = AbortSignal.any([cut, limit.signal])
  // A member that does not listen to its signal must not hold the end of the process.
  const over = new Promise<never>((_, reject) => {
    const end = () => reject(new Error(limit.signal.aborted ? `no answer within ${limitMs / 1000} s` : 'cut short by a signal'))
    if (signal.aborted) end()
    else signal.addEventListener('abort', end, { once: true })
  })
  try {
    await Promise.race([notifier.send(message, signal), over])
    return { channel, kind }
  } catch (error) {
    return { channel, kind, why: redact(error instanceof Error ? error.message : String(error)) }
  } finally {
    clearTimeout(timer)
  }
}

/** What an outcome says of channels that could not be told; the same thing once. */
export function untold(told: readonly Told[]): string[] {
  return [...new Set(told.flatMap(({ channel, why }) => (why === undefined ? [] : [`${channel} could not be told: ${why}`])))]
}
