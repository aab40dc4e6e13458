import { setTimeout as pause } from 'node:timers/promises'
import { redact, Secret } from '../plan/secrets.ts'
import { LIMIT_MS } from './notify.ts'

/** The shortest path of a URL that is worth hiding on its own. */
const SECRET_PATH = 8

/** The address in a secret URL. Its path, which is the key of a webhook, counts as a secret of its own from then on. Throws an Error that does not repeat it. */
export function addressOf(secret: Secret): URL {
  const url = URL.parse(secret.reveal())
  if (!url || !/^https?:$/.test(url.protocol)) throw new Error(`${secret.name} is no http(s) URL`)
  for (const hidden of [url.pathname, url.search, url.href]) if (hidden.length >= SECRET_PATH) new Secret(secret.name, hidden)
  return url
}

/** What is posted. A Secret among the headers is revealed only here. */
export type Post = { readonly body: string; readonly type: string; readonly headers?: Readonly<Record<string, string | Secret>> }

/** A try after a failed one; the second waits twice as long. */
const PAUSE_MS = 250
const TRIES = 3

/** Posts until it is taken, three times at most, within `signal`; a try takes LIMIT_MS at most. Throws an Error that says why it was not taken. */
export async function post(url: URL, what: Post, signal: AbortSignal): Promise<void> {
  for (let tried = 1; ; tried += 1) {
    const { why, again } = await attempt(url, what, signal)
    if (why === undefined) return
    if (!again || tried === TRIES || signal.aborted) throw new Error(why)
    await pause(PAUSE_MS * tried, undefined, { signal }).catch(() => {
      throw new Error(why)
    })
  }
}

async function attempt(url: URL, { body, type, headers = {} }: Post, signal: AbortSignal): Promise<{ why?: string; again: boolean }> {
  const shown = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value instanceof Secret ? value.reveal() : value]))
  try {
    const answer = await fetch(url, {
      method: 'POST',
      body,
      headers: { 'content-type': type, 'user-agent': 'runbooks', ...shown },
      // A redirected POST would carry its secrets elsewhere.
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(LIMIT_MS)]),
    })
    const said = redact((await answer.text()).slice(0, 4_000)).slice(0, 200)
    if (answer.ok) return { again: false }
    return { why: `${url.host} answered ${answer.status}${said ? `: ${said}` : ''}`, again: answer.status === 429 || answer.status >= 500 }
  } catch (error) {
    return { why: whyNot(error, url.host), again: true }
  }
}

/** Why a request came to nothing, without foreign text that could repeat the address. */
function whyNot(error: unknown, host: string): string {
  if (error instanceof Error && error.name === 'TimeoutError') return `no answer from ${host} in time`
  if (error instanceof Error && error.name === 'AbortError') return `cut short before ${host} answered`
  const cause = error instanceof Error ? (error.cause as { code?: string; message?: string } | undefined) : undefined
  return redact(`${host} could not be reached: ${cause?.code ?? cause?.message ?? (error instanceof Error ? error.message : String(error))}`)
}
