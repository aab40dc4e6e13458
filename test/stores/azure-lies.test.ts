import type { IncomingHttpHeaders } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { text } from '../../lib/stores/store.ts'
import { type Azurite, azurite, describeWith } from '../testbed/index.ts'
import { type Fate, forwarder, refusing } from './forwarder.ts'
import { bytes, digest, doing, open, refusal, said } from './recipes.ts'

const MIB = 1024 * 1024

describeWith('azure', 'azure-blob: what no healthy server says', () => {
  let server: Azurite
  let made = 0
  beforeAll(async () => {
    server = await azurite()
    await server.container('lies')
  })
  afterAll(async () => server?.stop())

  /** A store behind a forwarder that decides on each answer. */
  const behind = async (fate: (method: string, url: string, headers: IncomingHttpHeaders) => Fate, more = {}) => {
    const { origin, pathname } = new URL(server.endpoint)
    const way = await forwarder(origin, asked => fate(asked.method ?? '', asked.url ?? '', asked.headers))
    const plain = { kind: 'azure-blob', account: server.account, key: server.key, container: 'lies', prefix: `store ${++made}` } as const
    return {
      store: open({ ...plain, endpoint: way.endpoint + pathname, ...more }),
      straight: open({ ...plain, endpoint: server.endpoint }),
      [Symbol.asyncDispose]: way.stop,
    }
  }

  test('a refusal because of the clock is told from one because of the key, and by how much it is wrong', async () => {
    const body = refusing(403, 'AuthenticationFailed') as { status: number; body: string }
    const headers = { 'x-ms-error-code': 'AuthenticationFailed', date: new Date(Date.now() + 3 * 3_600_000 + 1_000).toUTCString() }
    await using late = await behind(() => ({ ...body, headers }))
    const facts = await late.store.facts(doing())
    expect(facts).toMatchObject({
      state: 'denied',
      because: expect.stringMatching(/clock is wrong \(AuthenticationFailed.*it is 3 h 00 min behind/),
      mend: 'timedatectl set-ntp true',
    })
    expect((await refusal(late.store.list(''))).fault).toBe('clock')
    expect((await refusal(late.store.put('x', said('x'), doing()))).fault).toBe('clock')
    await using wrong = await behind(() => body)
    expect((await refusal(wrong.store.list(''))).fault).toBe('denied')
  })

  test('a server that overwrites although asked not to is not trusted', async () => {
    await using way = await behind((method, url) => (method === 'PUT' && !url.includes('comp=') ? { status: 201, body: '' } : 'pass'))
    expect(await way.store.facts(doing())).toMatchObject({ state: 'writable', conditional: false, because: expect.stringMatching(/If-None-Match/) })
  })

  test('a key that may only read makes the store read-only', async () => {
    await using way = await behind(method => (method === 'PUT' ? refusing(403, 'AuthorizationPermissionMismatch') : 'pass'))
    expect((await way.store.facts(doing())).state).toBe('read-only')
    expect((await refusal(way.store.put('x', said('x'), doing()))).fault).toBe('denied')
  })

  test('a container whose policy keeps everything is read-only, because leases could not change', async () => {
    await using way = await behind(method => (method === 'DELETE' ? refusing(409, 'BlobImmutableDueToPolicy') : 'pass'))
    const facts = await way.store.facts(doing())
    expect(facts).toMatchObject({ state: 'read-only', mend: expect.stringMatching(/leases have to change/) })
    expect(await refusal(way.store.remove('x'))).toMatchObject({
      fault: 'denied',
      message: expect.stringMatching(/locked by an immutability policy/),
    })
    const [probe] = await way.straight.leftovers('', 0)
    expect(probe?.path).toMatch(/^\.probe-/)
    await way.straight.clear(probe!)
    expect(await way.straight.leftovers('', 0)).toEqual([])
  })

  test.each([
    [503, 'ServerBusy', 'unreachable'],
    [409, 'BlockCountExceedsLimit', 'full'],
    [403, 'AccountIsDisabled', 'denied'],
    [418, 'Teapot', 'broken'],
  ])('a block refused with %i %s is %s, and leaves nothing', async (status, code, fault) => {
    let blocks = 0
    const second = (url: string) => url.includes('comp=block&') && ++blocks > 1
    await using way = await behind((method, url) => (method === 'PUT' && second(url) ? refusing(status, code) : 'pass'), { attempts: 2 })
    const error = await refusal(way.store.put('object', bytes(40 * MIB), doing()))
    expect(error).toMatchObject({ fault, message: expect.stringContaining(code) })
    expect(await way.straight.list('')).toEqual([])
    expect(await way.straight.leftovers('', 0)).toEqual([])
  })

  test('a refused block ends a put whose body is silent', async () => {
    await using way = await behind((_, url) => (url.includes('comp=block&') ? refusing(403, 'AccountIsDisabled') : 'pass'), { blockSizeBytes: MIB })
    const silent = async function* () {
      yield* bytes(2 * MIB)
      await new Promise(() => {})
    }
    expect((await refusal(way.store.put('object', silent(), doing()))).fault).toBe('denied')
  })

  test('a body that fails is never committed', async () => {
    const commits: number[] = []
    const noted = (method: string, url: string, headers: IncomingHttpHeaders) => {
      if (method === 'PUT' && url.includes('comp=blocklist')) commits.push(Number(headers['content-length']))
      return 'pass' as const
    }
    await using way = await behind(noted, { blockSizeBytes: MIB })
    const failing = async function* () {
      yield* bytes(33 * MIB)
      throw new Error('pg_dump exited 1')
    }
    await refusal(way.store.put('object', failing(), doing()))
    // The clean-up commits an empty list; the names of 33 blocks take 3 kB.
    expect(commits).not.toEqual([])
    expect(Math.max(...commits)).toBeLessThan(200)
    expect(await way.straight.head('object')).toBe(null)
  })

  test.each([
    ['a small object', 1_000, /^PUT .*\/object$/],
    ['an object of blocks', 20 * MIB, /^PUT .*comp=blocklist/],
  ])('%s that was stored, but whose answer was lost, counts as stored', async (_, total, lost) => {
    let cuts = 0
    await using way = await behind((method, url) => (lost.test(`${method} ${url}`) && ++cuts === 1 ? 'cut' : 'pass'))
    expect(await way.store.put('object', bytes(total), doing())).toEqual({ bytes: total })
    expect(cuts).toBeGreaterThan(1)
    expect(await digest(way.store.get('object', doing()))).toBe(await digest(bytes(total)))
  })

  test('a write to a cell whose answer was lost counts once', async () => {
    let cuts = 0
    await using way = await behind(method => (method === 'PUT' && ++cuts % 2 === 1 ? 'cut' : 'pass'))
    const cell = way.store.cell('lease')
    const first = await cell.write('one', (await cell.read()).version)
    await cell.write('two', first.version)
    expect((await cell.read()).body).toBe('two')
    expect((await refusal(cell.write('three', first.version))).fault).toBe('conflict')
  })

  test('a list throws rather than look short: refused, empty, something else, or without its next page', async () => {
    const listing = (page: string) => `<?xml version="1.0"?><EnumerationResults ContainerName="lies"><Blobs>${page}</EnumerationResults>`
    const bodies = ['', '<html>proxy</html>', '<?xml version="1.0"?><EnumerationResults Con', listing('</Blobs><NextMarker>2</NextMarker>')]
    for (const body of bodies) {
      const first = (url: string) => !url.includes('marker=2')
      await using way = await behind((_, url) => (first(url) ? { status: 200, body } : refusing(403, 'AccountIsDisabled')), { attempts: 2 })
      await way.straight.put('object', said('x'), doing())
      expect((await refusal(way.store.list(''))).name, body).toBe('StoreError')
      expect((await refusal(way.store.leftovers('', 0))).name, body).toBe('StoreError')
    }
  })

  test('a server that ignores ranges is found out', async () => {
    const whole = { status: 200, body: 'abcdefghij', headers: { etag: '"1"' } }
    await using way = await behind((method, url) => (method === 'GET' && !url.includes('comp=') ? whole : 'pass'))
    await way.store.put('object', said('abcdefghij'), doing())
    expect((await refusal(digest(way.store.get('object', doing(), { start: 2, end: 4 })))).fault).toBe('broken')
    expect(await text(way.store, 'object', doing())).toBe('abcdefghij')
  })

  test('the empty blob of a clean-up that was cut short is no object, but a leftover', async () => {
    let cutting = false
    const fate = (method: string) => (cutting && method === 'DELETE' ? refusing(403, 'AccountIsDisabled') : 'pass')
    await using way = await behind(fate, { blockSizeBytes: MIB })
    const failing = async function* () {
      yield* bytes(20 * MIB)
      cutting = true
      throw new Error('mongodump exited 1')
    }
    await refusal(way.store.put('object', failing(), doing()))
    cutting = false
    expect(await way.store.head('object')).toBe(null)
    expect(await way.store.list('')).toEqual([])
    expect((await refusal(digest(way.store.get('object', doing())))).fault).toBe('missing')
    const found = await way.store.leftovers('', 0)
    expect(found.map(({ path }) => path)).toEqual(['object'])
    await way.store.clear(found[0]!)
    await way.store.put('object', said('x'), doing())
  })
})
