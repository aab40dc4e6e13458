// A web service with its data in PostgreSQL, and its migrations: `2.1.0` brings the second. It does not start on a schema that is newer than it.
// With KIND it is a worker, which asks the web service by its name and says what it heard.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { connect } from 'node:net'

const { APP_VERSION: version = '', PORT: port = '3000', DATABASE_URL: address, CACHE_URL: cache, KIND: kind } = process.env
const url = kind ? new URL('none:') : new URL(address ?? readFileSync('/run/secrets/database_url', 'utf8'))
const own = Number.parseInt(version, 10)

/** Rows of a statement, by PostgreSQL's simple protocol; only for servers that trust everybody. */
function query(sql) {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(url.port || 5432), url.hostname)
    const rows = []
    let left = Buffer.alloc(0)
    let asked = false
    const message = (type, body) => Buffer.concat([Buffer.from(type), int(body.length + 4), body])
    const int = n => Buffer.from([n >> 24, n >> 16, n >> 8, n])
    const start = Buffer.from(`user\0${url.username}\0database\0${url.pathname.slice(1)}\0\0`)
    socket.on('error', reject).on('close', () => reject(new Error('the connection was closed')))
    socket.on('connect', () => socket.write(Buffer.concat([int(start.length + 8), int(196_608), start])))
    socket.on('data', chunk => {
      left = Buffer.concat([left, chunk])
      while (left.length >= 5 && left.length > left.readInt32BE(1)) {
        const [type, body] = [String.fromCharCode(left[0]), left.subarray(5, left.readInt32BE(1) + 1)]
        left = left.subarray(left.readInt32BE(1) + 1)
        if (type === 'E') return void socket.destroy(new Error(/\0M([^\0]*)/.exec(`\0${body}`)?.[1]))
        if (type === 'D') rows.push(body.subarray(6).toString())
        if (type === 'Z' && asked) return socket.end(message('X', Buffer.alloc(0)), () => resolve(rows))
        if (type === 'Z') {
          asked = true
          socket.write(message('Q', Buffer.from(`${sql}\0`)))
        }
      }
    })
  })
}

const answerOf = asked =>
  fetch(asked).then(
    response => response.text(),
    error => `${error.cause?.code ?? error}\n`,
  )

const stands = () =>
  query('SELECT coalesce(max(id), 0)::text FROM migrations').then(
    ([id]) => Number(id),
    error => {
      if (/does not exist/.test(error.message)) return 0
      throw error
    },
  )

async function main([name, to = '']) {
  if (name === 'at') return process.stdout.write(`m${await stands()}\n`)
  if (name === 'up')
    return query(`CREATE TABLE IF NOT EXISTS migrations (id int); INSERT INTO migrations SELECT ${own} WHERE ${own} > ${await stands()}`)
  if (name === 'down') return query(`DELETE FROM migrations WHERE id > ${to.slice(1)}`)
  if (cache) process.stdout.write(`cache: ${await answerOf(cache)}`)
  const now = await stands()
  if (now > own) throw new Error(`unknown schema m${now}`)
  // Whoever ran on which data is seen in that data.
  await query(`CREATE TABLE IF NOT EXISTS served (says text); INSERT INTO served VALUES ('${version}')`)
  createServer((_, response) => response.setHeader('X-Version', version).end(`web ${version}\n`)).listen(Number(port))
}

const heard = async () => process.stdout.write(await answerOf('http://web/'))

process.on('SIGTERM', () => process.exit(0))
if (kind) setInterval(heard, 250)
else
  await main(process.argv.slice(2)).catch(error => {
    process.stderr.write(`Error: ${error.message}\n`)
    process.exit(1)
  })
