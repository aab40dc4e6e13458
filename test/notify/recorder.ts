import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A request as it came in; `t` is when its last byte had come, in milliseconds. */
export type Recorded = {
  readonly method: string
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  readonly headers: IncomingHttpHeaders
  readonly body: string
  readonly t: number
}

/** What the recorder answers: a status with a text, nothing at all, or a cut connection. */
export type Answer = { readonly status: number; readonly body?: string; readonly headers?: Record<string, string> } | 'hang' | 'drop'

/** A server on loopback that keeps what it is sent. */
export type Recorder = {
  readonly url: string
  readonly host: string
  readonly requests: Recorded[]
  /** From now on; `n` counts the requests from 1. */
  answer(how: Answer | ((n: number) => Answer)): void
  /** Resolves once that many requests have come. */
  heard(count: number): Promise<void>
  end(): Promise<void>
}

/** Starts a recorder; it takes everything with 200 until told otherwise. */
export async function recorder(): Promise<Recorder> {
  const requests: Recorded[] = []
  const waiting: (() => void)[] = []
  let answer: Answer | ((n: number) => Answer) = { status: 200, body: 'ok' }
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const url = new URL(request.url ?? '/', 'http://recorder')
    const { method = '', headers } = request
    requests.push({
      method,
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      headers,
      body: Buffer.concat(chunks).toString(),
      t: Date.now(),
    })
    for (const look of waiting) look()
    const now = typeof answer === 'function' ? answer(requests.length) : answer
    if (now === 'drop') request.socket.destroy()
    else if (now !== 'hang') response.writeHead(now.status, now.headers).end(now.body ?? '')
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url: `http://${host}`,
    host,
    requests,
    answer: how => {
      answer = how
    },
    heard: count =>
      new Promise(resolve => {
        const look = () => requests.length >= count && resolve()
        waiting.push(look)
        look()
      }),
    end: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
