/**
 * What stands in for the applications of the stacks inside a container: it answers on their ports and paths, and the end of its
 * version says how it misbehaves. Node runs it as it is; it imports nothing but Node.
 */
import { createHash } from 'node:crypto'
import { createServer, type RequestListener } from 'node:http'
import { hostname } from 'node:os'
import type { Duplex } from 'node:stream'

type Kind = { readonly port: number; readonly metrics?: number; readonly health: readonly string[]; readonly ready: readonly string[] }

const KINDS: Readonly<Record<string, Kind>> = {
  'check-in/backend': { port: 3001, health: ['/api/v1/health/liveness'], ready: ['/api/v1/health', '/api/v1/health/readiness'] },
  'check-in/frontend': { port: 3000, health: [], ready: ['/'] },
  'veza/backend-api': { port: 8080, metrics: 9090, health: ['/health'], ready: ['/ready'] },
  'veza/chat-server': { port: 8081, metrics: 9091, health: ['/health'], ready: ['/ready'] },
  'veza/stream-server': { port: 8082, metrics: 9092, health: ['/health'], ready: ['/ready'] },
}

const service = process.env.STAND_IN_SERVICE ?? ''
const version = process.env.STAND_IN_VERSION ?? ''
const kind = KINDS[service]
if (kind === undefined) throw new Error(`STAND_IN_SERVICE is ${service}; there are ${Object.keys(KINDS).join(', ')}`)
const misbehaves = (how: string): boolean => version.endsWith(`-${how}`)
const started = Date.now()
let requests = 0
let failed = 0
let ending = false

const answer: RequestListener = (request, response) => {
  const path = (request.url ?? '/').split('?')[0] ?? '/'
  if (ending) response.setHeader('connection', 'close')
  if (path === '/metrics') return void response.setHeader('content-type', 'text/plain').end(metrics())
  const bad = (misbehaves('never-ready') && kind.ready.includes(path)) || (misbehaves('errors') && ![...kind.ready, ...kind.health].includes(path))
  const status = bad ? (kind.ready.includes(path) ? 503 : 500) : 200
  requests += 1
  if (bad) failed += 1
  response.statusCode = status
  response.setHeader('content-type', 'application/json')
  response.end(`${JSON.stringify({ service, version, pod: hostname(), status: bad ? 'the database does not answer' : 'ok' })}\n`)
}

function metrics(): string {
  return [
    '# TYPE http_requests_total counter',
    `http_requests_total{method="GET",status="200",path="/"} ${requests - failed}`,
    `http_requests_total{method="GET",status="500",path="/"} ${failed}`,
    '# TYPE process_uptime_seconds gauge',
    `process_uptime_seconds ${(Date.now() - started) / 1_000}`,
    '',
  ].join('\n')
}

/** WebSocket (RFC 6455), as far as a chat needs: the handshake, then every byte comes back as it was sent. */
const open = new Set<Duplex>()
function upgrade(key: string, socket: Duplex): void {
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`)
  open.add(socket)
  socket.on('data', data => socket.write(data))
  socket.on('error', () => socket.destroy())
  socket.on('end', () => socket.end())
  socket.on('close', () => open.delete(socket))
}

const server = createServer(answer)
server.on('upgrade', (request, socket) => upgrade(request.headers['sec-websocket-key'] ?? '', socket))
// Longer than proxies keep idle connections (Traefik 90 s, nginx 60 s): they close first, never in the middle of a request.
server.keepAliveTimeout = 120_000

process.once('SIGTERM', () => {
  ending = true
  console.log(`${service} ${version} ends`)
  // A close frame with 1001, "going away", to every conversation.
  for (const socket of open) socket.end(Buffer.from([0x88, 0x02, 0x03, 0xe9]))
  server.close(() => process.exit(0))
})

function listen(): void {
  server.listen(kind?.port, () => console.log(`${service} ${version} listens on ${kind?.port}`))
  if (kind?.metrics !== undefined) createServer(answer).listen(kind.metrics)
}

console.log(`${service} ${version} starts`)
if (misbehaves('slow-start')) setTimeout(listen, 8_000)
else listen()
if (misbehaves('crash')) setTimeout(() => end('cannot reach the database: connection refused'), 300)
if (misbehaves('crash-late')) setTimeout(() => end('out of file descriptors'), 20_000)
if (misbehaves('oom')) setInterval(() => kept.push(Buffer.alloc(16 * 1024 * 1024, 1)), 20)
const kept: Buffer[] = []

function end(why: string): never {
  console.error(`Error: ${why}`)
  process.exit(1)
}
