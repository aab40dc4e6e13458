// Stands in for the applications of stacks in containers: SERVICE says which one it is, and the end of APP_VERSION how it misbehaves.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { connect } from 'node:net'

const { APP_VERSION: version = '', SERVICE: service = '', PORT: port = '3000' } = process.env
const started = Date.now()
let requests = 0

const die = (afterMs, says) =>
  setTimeout(() => {
    process.stderr.write(`Error: ${says}\n`)
    process.exit(1)
  }, afterMs)

for (const signal of ['SIGTERM', 'SIGQUIT']) process.on(signal, () => process.exit(0))
if (version.endsWith('-crash')) die(300, 'JWT_SECRET is shorter than 32 characters')

/** What the backend of ecosyste needs: servers that listen where its secrets say. */
const needs = ['DATABASE_URL_FILE', 'REDIS_URL_FILE'].filter(name => service === 'backend' && process.env[name])

function reachable(name) {
  const { hostname, port } = new URL(readFileSync(process.env[name], 'utf8'))
  return new Promise(resolve => {
    const socket = connect(Number(port), hostname)
    const ends = because => {
      socket.destroy()
      resolve(because)
    }
    socket.setTimeout(1_000, () => ends(`${hostname}: no answer`))
    socket.once('error', error => ends(`${hostname}: ${error.code}`))
    socket.once('connect', () => ends(null))
  })
}

/** What is wrong, looked at anew each half second at most. */
let looked = { at: 0, wrong: Promise.resolve([]) }
function wrong() {
  if (Date.now() - looked.at > 500) looked = { at: Date.now(), wrong: Promise.all(needs.map(reachable)).then(all => all.filter(Boolean)) }
  return looked.wrong
}

/** Lines and hash of every secret, by file name. */
function secrets() {
  const files = readdirSync('/run/secrets').sort()
  const line = name => {
    const text = readFileSync(`/run/secrets/${name}`, 'utf8')
    return `${name} ${text.split('\n').length} ${createHash('sha256').update(text).digest('hex')}\n`
  }
  return files.map(line).join('')
}

async function answer(request, response) {
  requests += 1
  response.setHeader('X-Version', version)
  const { pathname } = new URL(request.url, 'http://app')
  if (pathname === '/metrics') return void response.end(`http_requests_total ${requests}\nprocess_uptime_seconds ${(Date.now() - started) / 1_000}\n`)
  if (pathname === '/api/secrets') return void response.end(secrets())
  const because = pathname === '/health' ? await wrong() : []
  if (because.length > 0) response.statusCode = 503
  response.end(because.length > 0 ? `${because.join(', ')}\n` : `${service} ${version}\n`)
}

createServer(answer).listen(Number(port), () => process.stdout.write(`${service} ${version} listens on ${port}\n`))
