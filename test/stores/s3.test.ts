import { execFile, execFileSync } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Secret } from '../../lib/plan/secrets.ts'
import { s3 } from '../../lib/stores/index.ts'
import { partsFor } from '../../lib/stores/s3/upload.ts'
import { text } from '../../lib/stores/store.ts'
import { describeWith, type Minio, minio } from '../testbed/index.ts'
import { conformance } from './conformance.ts'
import { type Fate, forwarder, refusing } from './forwarder.ts'
import { bytes, digest, doing, open, type Recipe, refusal, said } from './recipes.ts'

const MIB = 1024 * 1024

test('parts: 16 MiB at least, twice the expected size fits into 10,000, and two or one are under way', () => {
  expect(partsFor(0)).toEqual({ partSize: 16 * MIB, queueSize: 2, limitBytes: 160_000 * MIB })
  for (const gib of [1, 70, 78, 79, 200, 500, 2_000]) {
    const about = gib * 1024 * MIB
    const { partSize, queueSize, limitBytes } = partsFor(about)
    expect(limitBytes).toBeGreaterThanOrEqual(2 * about)
    expect(partSize % MIB).toBe(0)
    expect(queueSize === 1 || partSize * queueSize <= 32 * MIB).toBe(true)
  }
  expect(partsFor(0, 5 * MIB)).toMatchObject({ partSize: 5 * MIB, queueSize: 4 })
})

test('an address holds no secret', () => {
  const store = s3({
    bucket: 'b',
    prefix: '/p/q/',
    endpoint: 'https://user:hunter22@host:9000/',
    accessKeyId: new Secret('a', 'AKIA1234'),
    secretAccessKey: new Secret('s', 'hunter23'),
  })
  expect(store.where).toBe('s3://b/p/q at https://host:9000')
})

test('the SDK is loaded by the first call, not by the import', () => {
  const script = `
    const { createRequire } = await import('node:module')
    const loaded = () => Object.keys(createRequire('/')('module')._cache).filter(file => file.includes('@aws-sdk/client-s3')).length > 0
    const { s3 } = await import(${JSON.stringify(new URL('../../lib/stores/index.ts', import.meta.url).href)})
    const key = { reveal: () => 'key' }
    const store = s3({ bucket: 'b', endpoint: 'http://127.0.0.1:9', accessKeyId: key, secretAccessKey: key, attempts: 1 })
    const before = loaded()
    await store.list('').catch(() => {})
    process.stdout.write(JSON.stringify([before, loaded()]))`
  expect(execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })).toBe('[false,true]')
})

describeWith('s3', 's3', () => {
  let server: Minio
  let made = 0
  beforeAll(async () => {
    server = await minio()
    await server.bucket('conformance')
  })
  afterAll(async () => server?.stop())

  const recipe = (more: Partial<Extract<Recipe, { kind: 's3' }>> = {}): Extract<Recipe, { kind: 's3' }> => ({
    kind: 's3',
    endpoint: server.endpoint,
    accessKey: server.accessKey,
    secretKey: server.secretKey,
    bucket: 'conformance',
    prefix: `store ${++made}`,
    ...more,
  })

  conformance('s3', async () => recipe())

  test('a store without a prefix has the whole bucket', async () => {
    const store = open(recipe({ bucket: await server.bucket('whole'), prefix: '' }))
    await store.put('a/object', said('x'), doing())
    expect((await store.list('')).map(({ path }) => path)).toEqual(['a/object'])
    expect((await store.facts(doing())).state).toBe('writable')
  })

  test('stores whose prefixes begin alike do not see each other', async () => {
    const [one, two] = [open(recipe({ prefix: 'shop' })), open(recipe({ prefix: 'shop2' }))]
    await two.put('object', said('x'), doing())
    expect(await one.list('')).toEqual([])
  })

  test('servers without the SDK’s checksums can be used', async () => {
    const store = open(recipe({ checksums: 'when-required' }))
    await store.put('object', bytes(20 * MIB), doing())
    expect(await digest(store.get('object', doing()))).toBe(await digest(bytes(20 * MIB)))
  })

  test('300 MiB of unknown length go in with less than 120 MiB of memory', async () => {
    const child = new URL('uploading.ts', import.meta.url).pathname
    const { stdout } = await promisify(execFile)(process.execPath, [child, 'measure', JSON.stringify(recipe()), '300'])
    expect(Number(stdout)).toBeGreaterThan(0)
    expect(Number(stdout)).toBeLessThan(120)
  })

  describe('what a look says', () => {
    test.each([
      ['a wrong secret key', { secretKey: 'wrong-secret-key' }, /SignatureDoesNotMatch/],
      ['a wrong access key', { accessKey: 'NOBODYSKEY' }, /InvalidAccessKeyId/],
    ])('%s is denied, everywhere, and not repeated in the message', async (_, wrong, says) => {
      const store = open(recipe(wrong))
      const facts = await store.facts(doing())
      expect(facts).toMatchObject({ state: 'denied', because: expect.stringMatching(says), conditional: false })
      const errors = [
        await refusal(store.put('x', said('x'), doing())),
        await refusal(digest(store.get('x', doing()))),
        await refusal(store.head('x')),
        await refusal(store.list('')),
        await refusal(store.leftovers('', 0)),
        await refusal(store.cell('x').read()),
        await refusal(store.cell('x').write('x', '')),
      ]
      for (const { fault } of errors) expect(fault).toBe('denied')
      for (const value of Object.values(wrong)) expect(JSON.stringify([facts, errors.map(String)])).not.toContain(value)
    })

    test('a bucket that is not there is missing, with the command that makes it', async () => {
      const store = open(recipe({ bucket: 'no-such-bucket' }))
      expect(await store.facts(doing())).toMatchObject({ state: 'missing', mend: `aws s3 mb s3://no-such-bucket --endpoint-url ${server.endpoint}` })
      for (const call of [
        () => store.put('x', said('x'), doing()),
        () => store.list(''),
        () => store.leftovers('', 0),
        () => store.cell('x').read(),
        () => store.cell('x').write('', ''),
      ]) {
        expect((await refusal(call())).fault).toBe('missing')
      }
    })

    test('a server that nobody runs is unreachable, soon', async () => {
      const store = open(recipe({ endpoint: 'http://127.0.0.1:9', attempts: 2 }))
      expect(await store.facts(doing())).toMatchObject({
        state: 'unreachable',
        because: expect.stringMatching(/does not answer \(.*ECONNREFUSED.*2 tries\)/),
      })
      expect((await refusal(store.list(''))).fault).toBe('unreachable')
    })
  })

  describe('what no healthy server says', () => {
    /** A store behind a forwarder that decides on each answer. */
    const behind = async (fate: (method: string, url: string) => Fate, more = {}) => {
      const way = await forwarder(server.endpoint, asked => fate(asked.method ?? '', asked.url ?? ''))
      return { store: open(recipe({ endpoint: way.endpoint, ...more })), [Symbol.asyncDispose]: way.stop }
    }

    test('a wrong clock is told by how much', async () => {
      await using way = await behind(() => ({ headers: { date: new Date(Date.now() + 3 * 3_600_000 + 1_000).toUTCString() } }), { attempts: 2 })
      // The first answer moves the SDK's idea of the time, so that the server itself refuses the second request.
      const facts = await way.store.facts(doing())
      expect(facts).toMatchObject({
        state: 'denied',
        because: expect.stringMatching(/clock is wrong \(RequestTimeTooSkewed.*it is 3 h 00 min behind/),
        mend: 'timedatectl set-ntp true',
      })
      expect(Math.abs((facts.skewMs ?? 0) + 3 * 3_600_000)).toBeLessThan(5_000)
      expect((await refusal(way.store.list(''))).fault).toBe('clock')
    })

    test('a server that overwrites although asked not to is not trusted', async () => {
      await using way = await behind(method => (method === 'PUT' ? { status: 200, body: '' } : 'pass'))
      expect(await way.store.facts(doing())).toMatchObject({ state: 'writable', conditional: false, because: expect.stringMatching(/If-None-Match/) })
    })

    test('a key that may only read makes the store read-only', async () => {
      await using way = await behind(method => (method === 'PUT' ? refusing(403, 'AccessDenied') : 'pass'))
      expect(await way.store.facts(doing())).toMatchObject({
        state: 'read-only',
        mend: expect.stringMatching(/^allow s3:PutObject on arn:aws:s3:::conformance\/store \d+\/\*$/),
      })
      expect((await refusal(way.store.put('x', said('x'), doing()))).fault).toBe('denied')
    })

    test('a key that may not remove is writable, and the look says so', async () => {
      await using way = await behind(method => (method === 'DELETE' ? refusing(403, 'AccessDenied') : 'pass'))
      expect(await way.store.facts(doing())).toMatchObject({
        state: 'writable',
        conditional: true,
        because: expect.stringMatching(/cannot be removed/),
      })
      expect(await way.store.list('')).toEqual([])
      const [probe] = await way.store.leftovers('', 0)
      expect(probe?.path).toMatch(/^\.probe-/)
    })

    test.each([
      [507, 'XMinioStorageFull', 'full'],
      [400, 'QuotaExceeded', 'full'],
      [503, 'SlowDown', 'unreachable'],
      [418, 'Teapot', 'broken'],
    ])('a put refused with %i %s is %s, and leaves nothing', async (status, code, fault) => {
      await using way = await behind((method, url) => (method === 'PUT' && url.includes('partNumber=2') ? refusing(status, code) : 'pass'), {
        attempts: 2,
      })
      const error = await refusal(way.store.put('object', bytes(40 * MIB), doing()))
      expect(error).toMatchObject({ fault, message: expect.stringContaining(code) })
      expect(await way.store.list('')).toEqual([])
      expect(await way.store.leftovers('', 0)).toEqual([])
    })

    test.each([
      ['a small object', 1_000, /PUT/],
      ['a multipart upload', 20 * MIB, /POST.*uploadId/],
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

    test('a list whose second page fails throws, and does not look short', async () => {
      const xml = '<?xml version="1.0"?><ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>'
      await using way = await behind((method, url) => (method === 'GET' && url.includes('list-type=2') ? { status: 200, body: xml } : 'pass'))
      expect((await refusal(way.store.list(''))).message).toMatch(/only a part/)
    })

    test('a server that ignores ranges is found out', async () => {
      const whole = { status: 200, body: 'abcdefghij' }
      await using way = await behind(method => (method === 'GET' ? whole : 'pass'))
      await way.store.put('object', said('abcdefghij'), doing())
      expect((await refusal(digest(way.store.get('object', doing(), { start: 2, end: 4 })))).fault).toBe('broken')
      expect(await text(way.store, 'object', doing())).toBe('abcdefghij')
    })
  })
})
