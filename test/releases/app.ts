import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'

// The application of releases in tests: a web service, a worker, and its migrations, all in one file that imports nothing. The end of its version's
// name says what is wrong with it.
const version = process.env.VERSION ?? ''
const port = Number(process.env.PORT ?? 0)
const flaw = version.slice(`${version}-`.indexOf('-') + 1)
/** A folder outside the sandbox, with what outlives every release. */
const folder = process.env.SHOP_FOLDER ?? ''
const at = `${folder}/migrated`

/** The migration that a version brings: `2.1.0` the second one. */
const migration = `m${Number.parseInt(version, 10)}`

/** Answers after which `late` dies, and how long after: health checks alone take much longer to come to that. */
const LATE = { answers: 50, ms: 300 }

function command(name: string, to = ''): void {
  const now = existsSync(at) ? readFileSync(at, 'utf8') : 'm0'
  if (name === 'at') console.log(`migrations of the shop\n${now}`)
  else if (name === 'up') writeFileSync(at, now < migration ? migration : now)
  else if (name === 'down') writeFileSync(at, to)
  else process.exit(2)
  appendFileSync(`${folder}/commands`, `${name} ${version}${to ? ` ${to}` : ''}\n`)
}

/** Says every few milliseconds that it works, and takes its time to stop, as a worker in the middle of something does. */
function work(): void {
  if (existsSync(`${folder}/worker dies ${version}`)) dies('no licence')
  const says = (what: string) => appendFileSync(`${folder}/worked`, `${process.pid} ${version} ${Date.now()} ${what}\n`)
  says('begins')
  setInterval(() => says('works'), 20)
  process.on('SIGTERM', () =>
    setTimeout(() => {
      says('ends')
      process.exit(0)
    }, 150),
  )
}

let answers = 0

function answer(request: IncomingMessage, response: ServerResponse): void {
  const said = (status: number, text: string) => response.writeHead(status, { 'x-version': version }).end(`${text}\n`)
  const isHealth = request.url === '/health'
  answers += 1
  if (flaw === 'late' && answers === LATE.answers) setTimeout(() => dies('out of memory'), LATE.ms)
  if (isHealth) return void (flaw === 'never-ready' ? said(503, 'the queue cannot be reached') : said(200, 'ok'))
  if (request.url === '/exit') dies('told to')
  if (flaw === 'hangs') return
  if (flaw === 'errors' && answers % 10 === 0) return void said(500, 'no price')
  if (flaw === 'slow' && answers % 8 === 0) return void setTimeout(() => said(200, `shop ${version}`), 3_000)
  if (request.url === '/secret') return void said(200, readFileSync(process.env.SESSION_KEY_FILE ?? '', 'utf8'))
  said(200, flaw === 'wrong' ? 'an error page that says 200' : `shop ${version}`)
}

function dies(why: string): void {
  console.error(`Error: ${why}`)
  process.exit(1)
}

const [name, to] = process.argv.slice(2)
if (name && !name.startsWith('--')) command(name, to)
else if (process.env.SERVICE === 'worker') work()
else {
  const server = createServer(answer).listen(port, '127.0.0.1')
  // The version that stands in this file cannot start.
  if (existsSync(`${folder}/down`) && readFileSync(`${folder}/down`, 'utf8') === version) dies('no connection')
  if (flaw === 'crash') setTimeout(() => dies('PAYMENT_URL is not set'), 200)
  process.on('SIGTERM', () => {
    server.close(() => process.exit(0))
    server.closeIdleConnections()
    setTimeout(() => process.exit(0), 1_000).unref()
  })
}
