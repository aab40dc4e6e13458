import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { createProxyServer } from 'http-proxy-3'
import { SLOT_HEADER, TRACK_HEADER } from './headers.ts'
import { me, take } from './hold.ts'
import { pathsOf } from './place.ts'
import { writeJson } from './records.ts'
import { followed, type Routes } from './routes.ts'

/** Requests and connections that are under way, by slot. */
const open: Record<string, number> = {}

/** Where a request goes: null where nobody is there to answer it. */
type Way = { readonly slot: string; readonly service: string; readonly port: number | null; readonly url: string }

/** `<slot>.<token>` of the track header; users, who have no token, get what the weights say. */
function tracked(request: IncomingMessage, token: string | undefined): string | null {
  const wanted = String(request.headers[TRACK_HEADER] ?? '')
  const dot = wanted.indexOf('.')
  return dot > 0 && token !== undefined && wanted.slice(dot + 1) === token ? wanted.slice(0, dot) : null
}

/** The first service is at `/`; each other one is at `/<its name>/`, which is taken off. */
function wayOf(request: IncomingMessage, routes: Routes): Way | null {
  const split = routes.split()
  const slot = tracked(request, split?.track) ?? routes.draw()
  const [first = '', ...others] = split?.routes ?? []
  if (slot === null) return null
  const url = request.url ?? '/'
  const other = others.find(name => url === `/${name}` || url.startsWith(`/${name}/`) || url.startsWith(`/${name}?`))
  const service = other ?? first
  const rest = other === undefined ? url : url.slice(other.length + 1)
  return { slot, service, port: routes.port(slot, service), url: rest.startsWith('/') ? rest : `/${rest}` }
}

function counted(slot: string, emitter: ServerResponse | Socket): void {
  open[slot] = (open[slot] ?? 0) + 1
  emitter.once('close', () => {
    open[slot] = (open[slot] ?? 1) - 1
  })
}

const said = (response: ServerResponse, status: number, text: string) => {
  response.removeHeader(SLOT_HEADER)
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', 'content-length': Buffer.byteLength(text) }).end(text)
}

/** The front door of a sandbox: `node proxy.ts <folder> <port>`. It ends when there is no split any more. */
async function main(directory: string, port: number): Promise<void> {
  const paths = pathsOf(directory)
  if (!(await take(directory, paths.proxyHolder))) process.exit(0)
  const routes = await followed(paths, () => process.exit(0))
  // A connection for each request: one that is kept could be closed by its instance in the moment of its next use, and nothing is tried twice.
  const proxy = createProxyServer({ xfwd: true })
  proxy.on('proxyRes', ({ headers }) => {
    // What the instance says of its own connection is nothing to the user's.
    delete headers.connection
    delete headers['keep-alive']
  })

  const answer = (request: IncomingMessage, response: ServerResponse) => {
    const split = routes.split()
    if (request.url === '/.generation') return said(response, 200, `${split?.generation ?? ''}\n`)
    if (request.url === '/.slot') {
      return said(
        response,
        200,
        JSON.stringify({ directory, pid: process.pid, generation: split?.generation ?? null, weights: split?.weights ?? {}, open }),
      )
    }
    const way = wayOf(request, routes)
    if (way === null) return said(response, 503, 'no release has any traffic\n')
    if (way.port === null) return said(response, 503, `no instance of ${way.service} runs in ${way.slot}\n`)
    counted(way.slot, response)
    request.url = way.url
    response.setHeader(SLOT_HEADER, way.slot)
    proxy.web(request, response, { target: { host: '127.0.0.1', port: way.port } }, error => {
      if (response.headersSent) response.destroy()
      else said(response, 502, `${way.service} in ${way.slot}: ${error.message}\n`)
    })
  }

  const server = createServer(answer)
  server.on('upgrade', (request, socket, head) => {
    const way = wayOf(request, routes)
    if (way === null || way.port === null) return socket.end('HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\r\n')
    counted(way.slot, socket as Socket)
    // A user who has said everything is gone: nobody reads what the instance still says.
    socket.once('end', () => socket.end())
    request.url = way.url
    proxy.ws(request, socket, head, { target: { host: '127.0.0.1', port: way.port } }, () => socket.destroy())
  })
  // Longer than the usual clients keep theirs, so that it is the client that closes a connection nobody uses.
  server.keepAliveTimeout = 75_000
  server.requestTimeout = 0
  server.on('error', async error => {
    await writeJson(paths.proxy, { ...me(), port, failed: error.message })
    process.exit(1)
  })
  server.listen(port, '127.0.0.1', () => writeJson(paths.proxy, { ...me(), port }).catch(() => {}))
}

await main(process.argv[2] ?? '', Number(process.argv[3]))
