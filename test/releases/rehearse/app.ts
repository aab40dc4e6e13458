import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { DatabaseSync } from 'node:sqlite'

// An application with its data in SQLite, whose versions bring migrations: `2.1.0` brings the second. The end of a version's name says what it is like:
// `open` understands any schema, `crash` dies, `strict` only its own. What the file `broken` of SHOP_FOLDER names is broken, too.
const version = process.env.VERSION ?? ''
const port = Number(process.env.PORT ?? 0)
const file = process.env.SHOP_DATABASE ?? (process.env.SHOP_DATABASE_FILE ? readFileSync(process.env.SHOP_DATABASE_FILE, 'utf8') : '')
const folder = process.env.SHOP_FOLDER ?? ''
const own = Number.parseInt(version, 10)
const broken = existsSync(`${folder}/broken`) ? readFileSync(`${folder}/broken`, 'utf8') : ''

function dies(why: string): never {
  console.error(`Error: ${why}`)
  process.exit(1)
}

const database = new DatabaseSync(file)
database.exec('PRAGMA busy_timeout = 5000')
const stands = () => Number(Object.values(database.prepare('PRAGMA user_version').get() ?? {})[0])

const [name, to = ''] = process.argv.slice(2)
// Whoever opened which database is what tests look at.
appendFileSync(`${folder}/opened`, `${version} ${name?.startsWith('--') ? process.env.SERVICE : name} ${process.env.RELEASE} ${file}\n`)
if (name === 'at') console.log(`m${stands()}`)
else if (name === 'up') database.exec(`PRAGMA user_version = ${Math.max(stands(), own)}`)
else if (name === 'down')
  broken === 'down' ? dies('column "price" cannot be made again') : database.exec(`PRAGMA user_version = ${Number(to.slice(1))}`)
else if (process.env.SERVICE === 'worker') setInterval(() => undefined, 1_000)
else {
  if (version.endsWith('-crash') || broken === version) dies('PAYMENT_URL is not set')
  if (!version.endsWith('-open') && stands() > own) dies(`unknown schema m${stands()}`)
  const server = createServer((request, response) => {
    if (request.url === '/buy') database.exec(`INSERT INTO orders (says) VALUES ('bought of ${version}')`)
    response.end(
      request.url === '/health' ? 'ok\n' : `shop ${version} ${Object.values(database.prepare('SELECT count(*) FROM orders').get() ?? {})[0]}\n`,
    )
  }).listen(port, '127.0.0.1')
  process.on('SIGTERM', () => server.close(() => process.exit(0)) && setTimeout(() => process.exit(0), 500).unref())
}
