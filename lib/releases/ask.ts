import { request as plainRequest } from 'node:http'
import { request as secureRequest } from 'node:https'
import type { Door } from '../platforms/platform.ts'

/** What the front door answered: status, the first 64 kB, and how long it took; `failed` says why there was no answer. */
export type Answered = { readonly status: number; readonly body: string; readonly tookMs: number; readonly failed?: string }

const KEPT_BYTES = 65_536

/** Asks the front door once, over a new connection; never throws, and follows no redirect. */
export function ask(
  door: Door,
  path: string,
  limits: { readonly withinMs: number; readonly headers?: Readonly<Record<string, string>>; readonly signal?: AbortSignal },
): Promise<Answered> {
  const url = new URL(path, door.url)
  const began = performance.now()
  const tookMs = () => Math.round(performance.now() - began)
  const request = url.protocol === 'https:' ? secureRequest : plainRequest
  const timeout = AbortSignal.timeout(limits.withinMs)
  const signal = limits.signal ? AbortSignal.any([limits.signal, timeout]) : timeout
  return new Promise(resolve => {
    const failed = (error: Error) =>
      resolve({ status: 0, body: '', tookMs: tookMs(), failed: timeout.aborted ? `no answer within ${limits.withinMs / 1000} s` : error.message })
    request(url, { agent: false, headers: { ...door.headers, ...limits.headers }, signal }, response => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (text: string) => {
        if (body.length < KEPT_BYTES) body += text
      })
      response.on('error', failed)
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: body.slice(0, KEPT_BYTES), tookMs: tookMs() }))
    })
      .on('error', failed)
      .end()
  })
}
