import { createServer, type IncomingMessage, request } from 'node:http'
import type { AddressInfo } from 'node:net'

/**
 * What happens to one request: passed on, its connection cut although the server did the work, or refused
 * in place of the server, which then never hears of it.
 */
export type Fate =
  | 'pass'
  | 'cut'
  | { readonly status: number; readonly body: string; readonly headers?: Readonly<Record<string, string>> }
  | { readonly headers: Readonly<Record<string, string>> }

/** A way to a server that a test can lie on: what no healthy server says, and answers that are lost after the work was done. */
export type Forwarder = { readonly endpoint: string; stop(): Promise<void> }

/** Starts a forwarder before `upstream` (a URL); `fate` decides on every request. */
export async function forwarder(upstream: string, fate: (asked: IncomingMessage) => Fate): Promise<Forwarder> {
  const server = createServer((asked, answer) => {
    const what = fate(asked)
    if (what !== 'pass' && what !== 'cut' && 'status' in what) {
      const headers = { 'content-type': 'application/xml', 'content-length': Buffer.byteLength(what.body), ...what.headers }
      asked.resume().once('end', () => answer.writeHead(what.status, headers).end(what.body))
      return
    }
    const { hostname, port } = new URL(upstream)
    const onward = request({ hostname, port, path: asked.url, method: asked.method, headers: asked.headers }, answered => {
      if (what === 'cut') {
        answered.resume().once('end', () => asked.socket.destroy())
      } else {
        answer.writeHead(answered.statusCode ?? 500, { ...answered.headers, ...(what === 'pass' ? {} : what.headers) })
        answered.pipe(answer)
      }
    })
    onward.once('continue', () => answer.writeContinue())
    onward.once('error', () => asked.socket.destroy())
    asked.pipe(onward)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** The XML in which S3 refuses. */
export function refusing(status: number, code: string, message = 'made by the test'): Fate {
  return { status, body: `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${message}</Message></Error>` }
}
