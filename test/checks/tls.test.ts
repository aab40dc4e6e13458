import { mkdtempSync, rmSync } from 'node:fs'
import { createServer as createWeb } from 'node:https'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer as createTls } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { http } from '../../lib/checks/http.ts'
import { type Served, tls, tlsVerdict } from '../../lib/checks/tls.ts'
import { certificates, type Issued } from './certificates.ts'
import { deadPort, lookAt, silentPort } from './kit.ts'

const folder = mkdtempSync(join(tmpdir(), 'runbooks-tls-'))
const servers: Server[] = []
let root: Issued
let middle: Issued
beforeAll(() => {
  root = certificates(folder).selfSigned({ name: 'Test Root', authority: true, from: -1000, to: 1000 })
  middle = root.issue({ name: 'Test Issuing', authority: true, from: -500, to: 500 })
})
afterAll(() => {
  for (const server of servers) server.close()
  rmSync(folder, { recursive: true, force: true })
})

async function listening(server: Server): Promise<number> {
  servers.push(server)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

const serving = ({ cert, key }: Issued, chain = '') => listening(createTls({ cert: cert + chain, key }, socket => socket.end()))
const NAMES = ['shop.example', 'localhost', '127.0.0.1']
const looked = async (port: number, more: object = {}) => lookAt(tls({ host: '127.0.0.1', port, names: ['shop.example'], ca: root.file, ...more }))

describe('the certificate on the wire', () => {
  test('with most of its life before it is healthy, with days and percent as figures', async () => {
    const found = await looked(await serving(root.issue({ name: 'shop.example', names: NAMES })))
    expect(found).toMatchObject({ is: 'healthy', measured: { daysLeft: 89, remainingPercent: 98, issuer: 'Test Root' } })
    expect(found.says).toMatch(/^89 days left \(98 % of its lifetime, until \d{4}-\d\d-\d\d\)$/)
  })

  test('is judged by the part of its life that is left, so that a certificate of six days is well on its third', async () => {
    const short = root.issue({ name: 'shop.example', from: -2.5, to: 3.5 })
    expect(await looked(await serving(short))).toMatchObject({ is: 'healthy', measured: { daysLeft: 3, remainingPercent: 58 } })
    const old = root.issue({ name: 'shop.example', from: -70, to: 20 })
    const found = await looked(await serving(old))
    expect(found).toMatchObject({ is: 'unhealthy', says: expect.stringContaining('less than 25 %, so its renewal does not work') })
    expect(await looked(await serving(old), { remaining: 0.1 })).toMatchObject({ is: 'healthy' })
    expect(await looked(await serving(old), { remaining: 0.1, left: '30d' })).toMatchObject({
      is: 'unhealthy',
      says: expect.stringContaining('30 days'),
    })
  })

  test.each([
    ['expired', { name: 'shop.example', from: -90, to: -2 }, /expired on \d{4}-\d\d-\d\d, 2 d 0 h ago/],
    ['not valid yet', { name: 'shop.example', from: 2, to: 90 }, /is not valid before/],
    [
      'for other names',
      { name: 'other.example', names: ['other.example', 'www.other.example'] },
      /is not for shop\.example, but for other\.example, www/,
    ],
  ])('that is %s is unhealthy, and that is the cause', async (_, wanted, cause) => {
    expect(await looked(await serving(root.issue(wanted)))).toMatchObject({ is: 'unhealthy', says: expect.stringMatching(cause) })
  })

  test('must be for every wanted name', async () => {
    const port = await serving(root.issue({ name: 'shop.example', names: ['shop.example', '*.api.shop.example'] }))
    expect(await looked(port, { names: ['shop.example', 'v1.api.shop.example'] })).toMatchObject({ is: 'healthy' })
    expect((await looked(port, { names: ['shop.example', 'www.shop.example'] })).says).toContain('not for www.shop.example')
  })

  test('that is self-signed, or whose chain is not complete, is unhealthy with that cause', async () => {
    const alone = certificates(folder).selfSigned
    const self = await serving(alone({ name: 'shop.example' }))
    expect((await looked(self)).says).toBe('its certificate is self-signed')
    const leaf = middle.issue({ name: 'shop.example' })
    expect((await looked(await serving(leaf))).says).toContain('its chain is not complete: it sends no intermediate certificate')
    expect(await looked(await serving(leaf, middle.cert))).toMatchObject({ is: 'healthy' })
  })

  test('of an authority that nobody trusts here is unhealthy', async () => {
    const port = await serving(root.issue({ name: 'shop.example' }), root.cert)
    expect(await lookAt(tls({ host: '127.0.0.1', port, names: ['shop.example'] }))).toMatchObject({
      is: 'unhealthy',
      says: 'its certificate was issued by an authority that is not trusted here',
    })
  })
})

describe('without a certificate', () => {
  test('refused, plain text and a closed connection are unhealthy', async () => {
    expect((await looked(await deadPort())).says).toContain('connection refused')
    const plain = await listening(createServer(socket => socket.on('error', () => undefined).write('HTTP/1.1 400 Bad Request\r\n\r\n')))
    expect(await looked(plain)).toMatchObject({ is: 'unhealthy', says: expect.stringContaining('TLS handshake failed') })
    const closes = await listening(createServer(socket => socket.on('error', () => undefined).end()))
    expect(await looked(closes)).toMatchObject({ is: 'unhealthy', says: expect.stringMatching(/closed|cut/) })
  })

  test('who takes connections and says nothing is unhealthy; where connecting is not answered, nobody could look', { timeout: 30_000 }, async () => {
    const mute = await listening(createServer(socket => socket.on('error', () => undefined)))
    const silent = await silentPort()
    const [a, b] = await Promise.all([looked(mute), looked(silent.port)])
    silent.end()
    expect(a).toMatchObject({ is: 'unhealthy', says: expect.stringContaining('shows no certificate within 5 s') })
    expect(b).toMatchObject({ is: 'unknown', says: expect.stringContaining('no answer to connecting within 5 s') })
  })
})

test('an HTTPS address with a bad certificate is unhealthy with the same words, and well with its authority', async () => {
  const { cert, key } = root.issue({ name: 'localhost', names: NAMES })
  const port = await listening(createWeb({ cert, key }, (_, response) => response.end('fine')))
  const url = `https://127.0.0.1:${port}/`
  expect(await lookAt(http({ url, ca: root.file }))).toMatchObject({ is: 'healthy' })
  expect(await lookAt(http({ url }))).toMatchObject({ is: 'unhealthy', says: expect.stringContaining('its chain is not complete') })
})

test('the verdict at a moment: expiry comes before the names, the names before the chain', () => {
  const served: Served = {
    from: '2026-01-01T00:00:00Z',
    to: '2026-04-01T00:00:00Z',
    issuer: 'X',
    names: 'a',
    strange: ['b'],
    refused: 'CERT_REVOKED',
  }
  const says = (now: string, more: Partial<Served> = {}) => tlsVerdict({ ...served, ...more }, { remaining: 0.25, leftMs: 0 }, Date.parse(now)).says
  expect(says('2026-05-01T00:00:00Z')).toContain('expired on 2026-04-01, 30 d 0 h ago')
  expect(says('2026-02-01T00:00:00Z')).toContain('not for b')
  expect(says('2026-02-01T00:00:00Z', { strange: [] })).toBe('its certificate was revoked')
  expect(says('2026-03-09T11:59:00Z', { strange: [], refused: null })).toMatch(/^22 days left \(25 % /)
  expect(says('2026-03-09T12:01:00Z', { strange: [], refused: null })).toContain('renewal does not work')
})
