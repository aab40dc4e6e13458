import { createServer } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fieldOf, type HttpOptions, http } from '../../lib/checks/http.ts'
import { faultOf } from '../../lib/checks/reach.ts'
import { Secret } from '../../lib/plan/secrets.ts'
import { deadPort, lookAt, silentPort, type Web, web } from './kit.ts'

let server: Web
beforeAll(async () => {
  server = await web((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://x')
    const json = (value: unknown) => response.setHeader('content-type', 'application/json').end(JSON.stringify(value))
    if (pathname === '/health') json({ status: 'ok', version: '1.4.2', checks: [{ name: 'db', up: true }] })
    else if (pathname === '/status') response.writeHead(Number(searchParams.get('is')), { location: '/health' }).end('database is gone')
    else if (pathname === '/away') response.writeHead(302, { location: `http://localhost:${server.port}/echo` }).end()
    else if (pathname === '/loop') response.writeHead(302, { location: '/loop' }).end()
    else if (pathname === '/slow') setTimeout(() => response.end('late'), 400)
    else if (pathname === '/never') request.resume()
    else if (pathname === '/half') response.writeHead(200, { 'content-length': '1000' }).write('half', () => request.socket.destroy())
    else if (pathname === '/trickle') {
      response.write('a')
      setInterval(() => response.write('a'), 50).unref()
    } else if (pathname === '/huge') response.end(`${'x'.repeat(Number(searchParams.get('of')))}needle`)
    else if (pathname === '/echo') json({ authorization: request.headers.authorization ?? null, host: request.headers.host ?? null })
    else response.writeHead(404).end('<h1>not here</h1>')
  })
})
afterAll(() => server.end())

const look = (path: string, more: Partial<HttpOptions> = {}) => lookAt(http({ url: server.url + path, ...more }))

describe('an answer', () => {
  test('of 2xx is healthy, with its status, its time and its version as figures', async () => {
    const found = await look('/health', { json: { status: 'ok', 'checks.0.up': true }, contains: 'db', version: { field: 'version', is: '1.4.2' } })
    expect(found).toMatchObject({ is: 'healthy', measured: { status: 200, version: '1.4.2', latencyMs: expect.any(Number) } })
    expect(found.says).toMatch(/^200 in \d+ ms, version 1\.4\.2$/)
  })

  test.each([
    ['/status?is=503', {}, 'answered 503, not 2xx: database is gone'],
    ['/nowhere', {}, 'answered 404, not 2xx'],
    ['/health', { status: 204 }, 'answered 200, not 204: {"status":"ok"'],
    ['/health', { status: [401, 403] }, 'not 401 or 403'],
    ['/health', { contains: 'nothing of this' }, 'the body does not hold "nothing of this"'],
    ['/health', { json: { status: 'degraded' } }, 'status is "ok", not "degraded"'],
    ['/health', { json: { 'checks.1.up': true } }, 'checks.1.up is not there, not true'],
    ['/nowhere', { status: 404, json: { a: 1 } }, 'the body is no JSON'],
    ['/health', { version: { field: 'version', is: '1.5.0' } }, 'version 1.4.2 answers, not 1.5.0'],
    ['/health', { version: { field: 'build.id' } }, 'the body has no version at build.id'],
    ['/slow', { within: '100ms' }, /^answered 200 after \d+ ms, more than 100 ms$/],
  ] as const)('of %s with %j is unhealthy, and the cause is said', async (path, options, cause) => {
    const found = await look(path, options as Partial<HttpOptions>)
    expect(found.is).toBe('unhealthy')
    expect(found.says).toEqual(typeof cause === 'string' ? expect.stringContaining(cause) : expect.stringMatching(cause))
    expect(found.look?.[0]).toMatch(/^curl -sSi http:/)
  })

  test('of more than 64 KB is read so far and no further', async () => {
    expect(await look('/huge?of=1000', { contains: 'needle' })).toMatchObject({ is: 'healthy' })
    const found = await look('/huge?of=5000000', { contains: 'needle' })
    expect(found).toMatchObject({ is: 'unhealthy', says: 'the first 64 KB of the body does not hold "needle"' })
  })
})

describe('a redirect', () => {
  test('is not followed unless asked for', async () => {
    expect((await look('/status?is=301')).says).toBe('answered 301 to /health, which is not followed, not 2xx')
    expect(await look('/status?is=301', { status: 301 })).toMatchObject({ is: 'healthy' })
    expect(await look('/status?is=301', { follow: true, contains: '1.4.2' })).toMatchObject({ is: 'healthy' })
  })

  test('in a circle ends', async () => {
    const before = server.hits()
    expect((await look('/loop', { follow: true })).says).toContain('redirected more than 5 times')
    expect(server.hits() - before).toBe(6)
  })

  test('to another address does not get the key', async () => {
    const authorization = new Secret('TOKEN', 'Bearer t0k3n-of-shop')
    expect(await look('/echo', { authorization, json: { authorization: 'Bearer t0k3n-of-shop' } })).toMatchObject({ is: 'healthy' })
    expect(await look('/away', { authorization, follow: true, json: { authorization: null } })).toMatchObject({ is: 'healthy' })
  })
})

describe('who was reached and gives no answer is unhealthy', () => {
  test('refused', async () => {
    const found = await lookAt(http({ url: `http://127.0.0.1:${await deadPort()}/health?token=t0k3n` }))
    expect(found).toMatchObject({ is: 'unhealthy', says: expect.stringContaining('connection refused: nothing listens there') })
    expect(JSON.stringify(found)).not.toContain('t0k3n')
  })

  test.each([
    ['/never', 'gives no whole answer within 0.3 s'],
    ['/trickle', 'gives no whole answer within 0.3 s'],
    ['/half', 'the connection was cut before the answer was complete'],
  ])('%s', async (path, cause) => {
    expect(await look(path, { limit: '300ms' })).toMatchObject({ is: 'unhealthy', says: expect.stringContaining(cause) })
  })

  test('speaks something else', async () => {
    const other = createServer(socket => socket.on('error', () => undefined).end('220 mail.example ESMTP\r\n'))
    await new Promise<void>(resolve => other.listen(0, '127.0.0.1', resolve))
    const found = await lookAt(http({ url: `http://127.0.0.1:${(other.address() as { port: number }).port}/` }))
    other.close()
    expect(found).toMatchObject({ is: 'unhealthy', says: expect.stringContaining('does not speak HTTP') })
  })
})

describe('who was not reached is unknown', () => {
  test('connecting is not answered', async () => {
    const silent = await silentPort()
    const found = await lookAt(http({ url: `http://127.0.0.1:${silent.port}/`, limit: '400ms' }))
    silent.end()
    expect(found).toMatchObject({ is: 'unknown', says: expect.stringContaining('no answer to connecting within 0.4 s') })
  })

  test('the file of its authority cannot be read', async () => {
    expect(await look('/health', { ca: '/nowhere/ca.pem' })).toMatchObject({ is: 'unknown', says: expect.stringContaining('/nowhere/ca.pem') })
  })

  test.each([
    ['ECONNREFUSED', 'unhealthy'],
    ['ECONNRESET', 'unhealthy'],
    ['ENOTFOUND', 'unhealthy'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'unhealthy'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'unhealthy'],
    ['EAI_AGAIN', 'unknown'],
    ['EHOSTUNREACH', 'unknown'],
    ['ENETUNREACH', 'unknown'],
    ['ETIMEDOUT', 'unknown'],
    ['EMFILE', 'unknown'],
    ['', 'unknown'],
  ])('%s is %s', (code, is) => {
    expect(faultOf(Object.assign(new Error('said so'), { code })).is).toBe(is)
  })
})

test('an address that is a secret shows its host and no more', async () => {
  const url = new Secret('HEALTH_URL', `${server.url}/status?is=500&key=k3y`)
  const found = await lookAt(http({ url }))
  expect(found).toMatchObject({ name: `127.0.0.1:${server.port}`, is: 'unhealthy' })
  expect(JSON.stringify(found)).not.toMatch(/k3y|\/status/)
  expect(() => http({ url: new Secret('HEALTH_URL', 'ftp://k3y@host/') })).toThrow('HEALTH_URL is not an http(s) address')
})

test('a path into JSON never leaves the data', () => {
  expect(fieldOf({ a: [{ b: null }] }, 'a.0.b')).toBe(null)
  for (const path of ['a.b.c', '__proto__', 'constructor.name', 'a.length.x', '']) expect(fieldOf({ a: 'text' }, path)).toBe(undefined)
})
