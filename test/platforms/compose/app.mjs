// A service for tests. It is told to misbehave by its version, APP_VERSION; KIND says what it is.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'

const { APP_VERSION: version = '0', KIND: kind = 'web', PORT: port = '3000' } = process.env
const is = word => version.includes(word)
const die = (afterMs, code, says) =>
  setTimeout(() => {
    process.stderr.write(`${says}\n`)
    process.exit(code)
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
/** When each request for a page came. */
const asked = []
const LATE_ANSWERS = 50
// A stubborn one does not end when it is told to.
process.on('SIGTERM', () => is('stubborn') || process.exit(0))
if (kind === 'silent') setInterval(() => process.stdout.write('works\n'), 1_000)
else if (kind === 'task') process.exit(is('task-fails') ? 4 : 0)
else {
  if (is('crash5')) die(5_000, 1, 'boom: the cache went away')
  else if (is('crash')) die(300, 1, 'boom: cannot open the database')
  if (is('oom')) setTimeout(() => eat([]), 100)
  createServer(answer).listen(Number(port))
  process.stdout.write(`${kind} ${version} listens on ${port}\n`)
}

function eat(eaten) {
  for (let n = 0; n < 4; n += 1) eaten.push(Buffer.alloc(16 * 1024 * 1024, 1))
  setImmediate(() => eat(eaten))
}

function answer(request, response) {
  response.setHeader('X-Version', version)
  response.setHeader('X-Slot', process.env.SLOT ?? '')
  const { pathname } = new URL(request.url, 'http://app')
  if (pathname === '/health') {
    const late = is('slow') && Date.now() - began < 4_000
    if (is('sick') || late) response.statusCode = 503
    return void response.end(response.statusCode === 503 ? 'database: no connection\n' : 'ok\n')
  }
  if (pathname === '/events') return events(request, response)
  if (pathname === '/secret') return void response.end(readFileSync('/run/secrets/token', 'utf8'))
  asked.push(Date.now())
  // Once it has users, not because of what looks at its health.
  if (is('late') && asked.length === LATE_ANSWERS) die(300, 1, 'boom: out of memory')
  if (is('errors') && asked.length % 10 === 0 && busy()) response.statusCode = 500
  response.end(response.statusCode === 500 ? 'no price\n' : `${kind} ${version}\n`)
}

/** More than 10 requests in the last second. */
const busy = () => (asked.at(-11) ?? 0) > Date.now() - 1_000

function events(request, response) {
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'X-Accel-Buffering': 'no' })
  const send = () => response.write(`data: ${version}\n\n`)
  send()
  const timer = setInterval(send, 100)
  request.on('close', () => clearInterval(timer))
}
