import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'

/** A service for tests that does what its version says: it has children, tells what it was given, is stubborn, echoes, is done, or stays. */
const version = process.env.VERSION ?? ''
const port = Number(process.env.PORT ?? 0)

if (version === 'children') {
  // A child of its own group, and one that left it.
  const inGroup = spawn('sleep', ['600'], { stdio: 'ignore' })
  const apart = spawn('sleep', ['600'], { stdio: 'ignore', detached: true })
  writeFileSync(`${process.env.TOLD}`, JSON.stringify([inGroup.pid, apart.pid]))
}
if (version === 'done') process.exit(0)
if (version === 'stubborn') process.on('SIGTERM', () => console.log('no'))

if (port === 0) setInterval(() => {}, 1_000)
else {
  const server = createServer((request, response) => {
    if (request.method === 'POST') return request.pipe(response)
    const secret = readFileSync(process.env.SESSION_KEY_FILE ?? '', 'utf8')
    const told = { service: process.env.SERVICE, version, name: process.env.SHOP_NAME, secret, argv: process.argv.slice(2), pid: process.pid }
    response.writeHead(200, { 'content-type': 'application/json', 'x-version': version }).end(JSON.stringify(told))
  })
  server.on('upgrade', (request, socket) => {
    const accept = createHash('sha1').update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\nX-Version: ${version}\r\n\r\n`,
    )
    // Frames of a client are masked and those of a server are not, so bytes that are sent back as they are would be no frames: this is a plain echo.
    socket.on('data', (chunk: Buffer) => socket.write(chunk)).on('error', () => {})
  })
  server.listen(port, '127.0.0.1')
}
