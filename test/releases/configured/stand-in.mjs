// Stands in for Grafana, which cannot be had here: it answers /api/health, and /api/search with the boards that it read when it started.
import { readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'

const FOLDER = '/etc/grafana/dashboards'
const password = readFileSync('/run/secrets/grafana_admin_password', 'utf8')
const known = `Basic ${Buffer.from(`admin:${password}`).toString('base64')}`
const boards = readdirSync(FOLDER)
  .map(name => JSON.parse(readFileSync(`${FOLDER}/${name}`, 'utf8')))
  .filter(({ uid }) => !uid.includes('lost'))
  .map(({ uid }) => ({ uid }))

createServer((request, response) => {
  const { pathname } = new URL(request.url ?? '/', 'http://stand-in')
  if (pathname === '/api/health') response.end(JSON.stringify({ database: 'ok', version: '12.1.1' }))
  else if (pathname !== '/api/search') response.writeHead(404).end()
  else if (request.headers.authorization === known) response.end(JSON.stringify(boards))
  else response.writeHead(401).end()
}).listen(3000)
process.on('SIGTERM', () => process.exit(0))
