// A service for tests. It is told to misbehave by its version, APP_VERSION; KIND says what it is.
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'

const { APP_VERSION: version = '0', KIND: kind = 'web' } = process.env
const is = word => version.includes(word)
const die = (afterMs, says) =>
  setTimeout(() => {
    process.stderr.write(`${says}\n`)
    process.exit(1)
  }, afterMs)

const [word] = process.argv.slice(2)
if (word === 'version') {
  process.stdout.write(`${version}\n`)
  process.exit(0)
}
if (word === 'fails') {
  process.stderr.write('no such thing\n')
  process.exit(3)
}

const began = Date.now()
let ending = false
const streams = new Set()
const conversations = new Set()
const server = createServer(answer)
// Longer than those who ask keep idle connections.
server.keepAliveTimeout = 60_000
process.on('SIGTERM', () => {
  ending = true
  for (const stream of streams) stream.end()
  // A conversation is told that it is over, and why: 1001, we are going away.
  for (const socket of conversations) socket.end(Buffer.from([0x88, 0x02, 0x03, 0xe9]))
  if (kind === 'silent') process.exit(0)
  // Every answer ends its connection now; an idle one that we ended could lose a request that is on its way.
  setInterval(() => server.getConnections((_, open) => open === 0 && process.exit(0)), 50)
  setTimeout(() => process.exit(0), 5_000)
})
if (kind === 'silent') setInterval(() => process.stdout.write('works\n'), 1_000)
else {
  if (is('late')) die(20_000, 'boom: the cache went away')
  else if (is('crash')) die(300, 'boom: cannot open the database')
  if (is('oom')) setInterval(() => eaten.push(Buffer.alloc(16 * 1024 * 1024, 1)), 20)
  server.listen(3000)
  process.stdout.write(`${kind} ${version} listens on 3000\n`)
}
const eaten = []

function answer(request, response) {
  response.setHeader('X-Version', version)
  if (ending) response.setHeader('connection', 'close')
  const { pathname } = new URL(request.url, 'http://app')
  if (pathname === '/health') {
    const late = is('slow') && Date.now() - began < 4_000
    if (is('sick') || late) response.statusCode = 503
    return void response.end(response.statusCode === 503 ? 'database: no connection\n' : 'ok\n')
  }
  if (pathname === '/events') return events(request, response)
  response.end(`${kind} ${version}\n`)
}

function events(request, response) {
  response.writeHead(200, { 'Content-Type': 'text/event-stream' })
  const send = () => response.write(`data: ${version}\n\n`)
  send()
  streams.add(response)
  const timer = setInterval(send, 100)
  request.on('close', () => {
    streams.delete(response)
    clearInterval(timer)
  })
}

// As much of a WebSocket as a test needs: it says its version ten times a second.
server.on('upgrade', (request, socket) => {
  const accept = createHash('sha1').update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`)
  const timer = setInterval(() => socket.write(Buffer.from([0x81, version.length, ...Buffer.from(version)])), 100)
  conversations.add(socket)
  socket.on('error', () => {}).on('data', () => {})
  socket.on('end', () => socket.end())
  socket.on('close', () => {
    conversations.delete(socket)
    clearInterval(timer)
  })
})
