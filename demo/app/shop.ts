import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'

/** The shop's application, for the demo and for tests: one small HTTP service whose version's name says how it behaves. */
const { values } = parseArgs({ options: { version: { type: 'string', default: '0.0.0' }, port: { type: 'string', default: '0' } } })
const { version } = values
/** What comes after the dash of `1.2.0-crash`; nothing for a version that is good. */
const flaw = version.slice(`${version}-`.indexOf('-') + 1)

/** Time from its start until `crash` ends. */
const CRASH_MS = 300

/** `late` ends so long after so many answers: health checks alone take a while to come to that, users do not. */
const LATE = { answers: 40, ms: 2_000 }

/** How long `slow` takes for each tenth request, so that its p95 is that; and what `/slow` takes in any version. */
const SLOW_MS = { flaw: 3_000, asked: 500 }

/** Between two lines of `/events`. */
const EVENT_MS = 100

let answers = 0
let requests = 0

const PRODUCTS = [
  { id: 1, name: 'Notebook, dotted', cents: 1_250 },
  { id: 2, name: 'Fountain pen', cents: 4_900 },
  { id: 3, name: 'Bottle of ink, blue', cents: 890 },
]

function said(response: ServerResponse, status: number, body: unknown): void {
  const text = `${JSON.stringify(body)}\n`
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text), 'x-version': version }).end(text)
}

/** Lines that keep coming until the client goes away. */
async function events(request: IncomingMessage, response: ServerResponse): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-version': version })
  for (let n = 1; !request.socket.destroyed && !response.writableEnded; n += 1) {
    response.write(`id: ${n}\ndata: ${JSON.stringify({ version, n })}\n\n`)
    await sleep(EVENT_MS)
  }
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname } = new URL(request.url ?? '/', 'http://shop')
  answers += 1
  if (flaw === 'late' && answers === LATE.answers) setTimeout(() => crash('heap limit reached: cache of sessions grew to 512 MB'), LATE.ms)
  if (pathname === '/health') {
    if (flaw === 'never-ready')
      return said(response, 503, { version, ok: false, because: 'waiting for migrations: 20261103_add_orders_index is pending' })
    return said(response, 200, { version, ok: true })
  }
  requests += 1
  if (flaw === 'errors' && requests % 10 === 0) return said(response, 500, { version, error: 'could not read the price of product 2' })
  if (flaw === 'slow' && requests % 10 === 0) await sleep(SLOW_MS.flaw)
  if (pathname === '/slow') await sleep(SLOW_MS.asked)
  if (pathname === '/events') return events(request, response)
  if (pathname === '/' || pathname === '/slow') return said(response, 200, { shop: 'Paper & Ink', version })
  if (pathname === '/api/products') return said(response, 200, { version, products: PRODUCTS })
  said(response, 404, { version, error: `there is no ${pathname}` })
}

function crash(why: string): void {
  console.error(`Error: ${why}`)
  process.exit(1)
}

const server = createServer((request, response) => {
  answer(request, response).catch(error => response.destroy(error))
})
server.listen(Number(values.port), '127.0.0.1', () => console.log(`shop ${version} listens on 127.0.0.1:${values.port}`))
if (flaw === 'crash') setTimeout(() => crash('missing environment variable PAYMENT_API_URL (needed since 1.2.0)'), CRASH_MS)
// Requests that are under way are answered; a connection that would last for ever is not waited for.
process.on('SIGTERM', () => {
  server.close(() => process.exit(0))
  server.closeIdleConnections()
  setTimeout(() => process.exit(0), 3_000).unref()
})
