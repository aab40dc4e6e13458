import { request as plainly } from 'node:http'
import { request as overTls } from 'node:https'
import { isIP } from 'node:net'
import type { Secret } from '../plan/secrets.ts'
import type { Look } from './check.ts'
import { faultOf } from './reach.ts'

/** What came back. `body` is its first part as text; `whole` says whether that is all of it. */
export type Answer = {
  readonly status: number
  readonly location: string | undefined
  readonly body: string
  readonly whole: boolean
  /** From the start until the connection stood, and until the last byte that was read. */
  readonly connectMs: number
  readonly tookMs: number
}

/** How a question is put. */
export type Asking = {
  readonly headers: Readonly<Record<string, string | Secret>>
  /** Trusted besides nobody else, as PEM; absent = the authorities that Node comes with. */
  readonly ca: string | undefined
  readonly limitMs: number
  readonly maxBytes: number
  /** How many redirects are followed. */
  readonly redirects: number
}

/** What is being waited for. */
type Stage = 'name' | 'connection' | 'answer'

/** How long nothing happened, in words and as a verdict: only who was reached can be slow. */
function late(stage: Stage, limitMs: number): Pick<Look, 'is' | 'says'> {
  const within = `within ${limitMs / 1000} s`
  if (stage === 'name') return { is: 'unknown', says: `could not look: no name server answers ${within}` }
  if (stage === 'connection') return { is: 'unknown', says: `could not look: no answer to connecting ${within}` }
  return { is: 'unhealthy', says: `it takes connections and gives no whole answer ${within}` }
}

/** Asks by GET on a connection of its own, and gives the answer, or what its absence says. Throws only the reason of the signal. */
export async function ask(url: URL, asking: Asking, signal: AbortSignal): Promise<Answer | Pick<Look, 'is' | 'says'>> {
  const began = performance.now()
  let at = url
  for (let followed = 0; ; followed += 1) {
    const left = asking.limitMs - (performance.now() - began)
    if (left <= 0) return late('answer', asking.limitMs)
    const answer = await once(at, { ...asking, limitMs: left }, asking.limitMs, signal)
    if ('is' in answer) return answer
    const next = answer.status >= 300 && answer.status < 400 && answer.location ? URL.parse(answer.location, at.href) : null
    const whole = { ...answer, tookMs: Math.round(performance.now() - began) }
    if (asking.redirects === 0 || next === null || !/^https?:$/.test(next.protocol)) return whole
    if (followed === asking.redirects) return { is: 'unhealthy', says: `redirected more than ${asking.redirects} times, at last to ${shown(next)}` }
    // A key is for whom it was given for.
    if (next.origin !== at.origin) asking = { ...asking, headers: {} }
    at = next
  }
}

/** An address without what may be secret in it. */
export const shown = (url: URL) => `${url.protocol}//${url.host}${url.pathname}`

function once(url: URL, asking: Asking, saidLimitMs: number, signal: AbortSignal): Promise<Answer | Pick<Look, 'is' | 'says'>> {
  if (signal.aborted) return Promise.reject(signal.reason)
  const { headers, ca, limitMs, maxBytes } = asking
  const began = performance.now()
  const secure = url.protocol === 'https:'
  return new Promise((resolve, reject) => {
    // An address in figures is not looked up.
    let stage: Stage = isIP(url.hostname.replace(/^\[|\]$/g, '')) ? 'connection' : 'name'
    let connectMs = 0
    const request = (secure ? overTls : plainly)(url, {
      agent: false,
      headers: { 'user-agent': 'runbooks', accept: '*/*', 'accept-encoding': 'identity', connection: 'close', ...revealed(headers) },
      ...(ca === undefined ? {} : { ca }),
    })
    const end = (result: Answer | Pick<Look, 'is' | 'says'> | undefined, thrown?: unknown) => {
      clearTimeout(timer)
      signal.removeEventListener('abort', cut)
      request.destroy()
      if (result) resolve(result)
      else reject(thrown)
    }
    const cut = () => end(undefined, signal.reason)
    const timer = setTimeout(() => end(late(stage, saidLimitMs)), limitMs)
    signal.addEventListener('abort', cut, { once: true })
    request.on('error', error => end(faultOf(error)))
    request.on('socket', socket => {
      socket.once('lookup', error => {
        if (!error) stage = 'connection'
      })
      socket.once('connect', () => {
        stage = 'answer'
        connectMs = Math.round(performance.now() - began)
      })
    })
    request.on('response', response => {
      const chunks: Buffer[] = []
      let bytes = 0
      const done = (whole: boolean) => {
        const body = Buffer.concat(chunks).subarray(0, maxBytes).toString('utf8')
        const tookMs = Math.round(performance.now() - began)
        end({ status: response.statusCode ?? 0, location: response.headers.location, body, whole, connectMs, tookMs })
      }
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk)
        bytes += chunk.length
        if (bytes > maxBytes) done(false)
      })
      response.on('end', () => done(true))
      response.on('error', error => end(faultOf(error)))
    })
    request.end()
  })
}

const revealed = (headers: Asking['headers']) =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, typeof value === 'string' ? value : value.reveal()]))
