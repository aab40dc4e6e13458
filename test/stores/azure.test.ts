import { execFile, execFileSync } from 'node:child_process'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Secret } from '../../lib/plan/secrets.ts'
import { blocksFor, inBlocks } from '../../lib/stores/azure-blob/blocks.ts'
import { nameOf, pathOf } from '../../lib/stores/azure-blob/names.ts'
import { azureBlob } from '../../lib/stores/index.ts'
import { type Azurite, azurite, describeWith } from '../testbed/index.ts'
import { conformance } from './conformance.ts'
import { bytes, digest, doing, open, type Recipe, refusal, said } from './recipes.ts'

const MIB = 1024 * 1024

test('blocks: 16 MiB at least, twice the expected size fits into 50,000, and two or one are under way', () => {
  expect(blocksFor(0)).toEqual({ blockSize: MIB, parallel: 4, limitBytes: 50_000 * MIB })
  expect(blocksFor(undefined)).toEqual({ blockSize: 16 * MIB, parallel: 2, limitBytes: 800_000 * MIB })
  for (const gib of [0.0001, 1, 390, 391, 1_000, 20_000]) {
    const about = gib * 1024 * MIB
    const { blockSize, parallel, limitBytes } = blocksFor(about)
    expect(limitBytes).toBeGreaterThanOrEqual(2 * about)
    expect(blockSize % MIB).toBe(0)
    expect(parallel === 1 || blockSize * parallel <= 32 * MIB).toBe(true)
  }
  expect(blocksFor(undefined, 5 * MIB)).toMatchObject({ blockSize: 5 * MIB, parallel: 4 })
})

test('a body cut into blocks keeps every byte, and every block but the last is full', async () => {
  const chunks = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 20 })
  await fc.assert(
    fc.asyncProperty(chunks, fc.integer({ min: 1, max: 50 }), async (parts, size) => {
      const body = async function* () {
        for (const part of parts) yield Buffer.from(part)
      }
      const blocks: Buffer[] = []
      for await (const block of inBlocks(body(), () => Buffer.alloc(size))) blocks.push(block)
      expect(Buffer.concat(blocks).equals(Buffer.concat(parts))).toBe(true)
      expect(blocks.slice(0, -1).every(block => block.length === size)).toBe(true)
      expect(blocks.every(block => block.length > 0 && block.length <= size)).toBe(true)
    }),
  )
})

test('a blob’s name leads back to its path, and holds nothing that Azure changes', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), path => {
      expect(pathOf(nameOf(path))).toBe(path)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there.
      expect(nameOf(path)).not.toMatch(/[\\\u0000-\u001f]|\.\/|\.$/)
    }),
  )
  expect(nameOf('shop/production/20261121T095658Z-r2b52fa/database.zst')).toBe('shop/production/20261121T095658Z-r2b52fa/database.zst')
  expect(pathOf('made by hand 100%')).toBe('made by hand 100%')
})

test('an address holds no secret', () => {
  const key = new Secret('key', 'c2VjcmV0LWtleQ==')
  expect(azureBlob({ account: 'shop', container: 'backups', prefix: '/p/q/', key }).where).toBe('azure://shop/backups/p/q')
  const signed = azureBlob({ account: 'shop', container: 'backups', endpoint: 'https://user:hunter22@host:10000/shop?sig=x', key })
  expect(signed.where).toBe('azure://shop/backups at https://host:10000')
})

test('the SDK is loaded by the first call, not by the import', () => {
  const script = `
    const loaded = () => process.getActiveResourcesInfo && performance.eventLoopUtilization && globalThis.seen === true
    const { registerHooks } = await import('node:module')
    registerHooks({ resolve: (specifier, context, next) => { if (specifier === '@azure/storage-blob') globalThis.seen = true; return next(specifier, context) } })
    const { azureBlob } = await import(${JSON.stringify(new URL('../../lib/stores/index.ts', import.meta.url).href)})
    const store = azureBlob({ account: 'a', container: 'b', endpoint: 'http://127.0.0.1:9/a', key: { reveal: () => 'key' }, attempts: 1 })
    const before = globalThis.seen === true
    await store.list('').catch(() => {})
    process.stdout.write(JSON.stringify([before, globalThis.seen === true]))`
  expect(execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })).toBe('[false,true]')
})

describeWith('azure', 'azure-blob', () => {
  let server: Azurite
  let made = 0
  beforeAll(async () => {
    server = await azurite()
    await server.container('conformance')
  })
  afterAll(async () => server?.stop())

  const recipe = (more: Partial<Extract<Recipe, { kind: 'azure-blob' }>> = {}): Extract<Recipe, { kind: 'azure-blob' }> => ({
    kind: 'azure-blob',
    endpoint: server.endpoint,
    account: server.account,
    key: server.key,
    container: 'conformance',
    prefix: `store ${++made}`,
    ...more,
  })

  // Small blocks: some have arrived whenever an upload is ended, on a slow machine too.
  conformance('azure-blob', async () => recipe({ blockSizeBytes: 2 * MIB }))

  test('a store without a prefix has the whole container', async () => {
    const store = open(recipe({ container: await server.container('whole'), prefix: '' }))
    await store.put('a/object', said('x'), doing())
    expect((await store.list('')).map(({ path }) => path)).toEqual(['a/object'])
    expect((await store.facts(doing())).state).toBe('writable')
  })

  test('stores whose prefixes begin alike do not see each other', async () => {
    const [one, two] = [open(recipe({ prefix: 'shop' })), open(recipe({ prefix: 'shop2' }))]
    await two.put('object', said('x'), doing())
    expect(await one.list('')).toEqual([])
  })

  test('many small blocks become one object', async () => {
    const store = open(recipe({ blockSizeBytes: 100_000 }))
    await store.put('object', bytes(3 * MIB + 1), doing())
    expect(await digest(store.get('object', doing()))).toBe(await digest(bytes(3 * MIB + 1)))
    const limit = open(recipe({ blockSizeBytes: 10 }))
    expect((await refusal(limit.put('object', bytes(500_001, [500_001]), doing()))).fault).toBe('full')
  })

  test('200 MiB of unknown length go in with less than 100 MiB of memory', async () => {
    const child = new URL('uploading.ts', import.meta.url).pathname
    const { stdout } = await promisify(execFile)(process.execPath, [child, 'measure', JSON.stringify(recipe()), '200'])
    expect(Number(stdout)).toBeGreaterThan(0)
    expect(Number(stdout)).toBeLessThan(100)
  })

  test('an upload that fails takes no blocks away from another one of the same name', async () => {
    const store = open(recipe({ blockSizeBytes: MIB }))
    const staged = Promise.withResolvers<void>()
    const failed = Promise.withResolvers<void>()
    const slow = async function* () {
      yield* bytes(4 * MIB)
      staged.resolve()
      await failed.promise
      yield* bytes(2 * MIB)
    }
    const failing = async function* () {
      yield* bytes(3 * MIB)
      throw new Error('mongodump exited 1')
    }
    const winner = store.put('object', slow(), doing())
    await staged.promise
    expect((await refusal(store.put('object', failing(), doing()))).message).toBe('mongodump exited 1')
    failed.resolve()
    expect(await winner).toEqual({ bytes: 6 * MIB })
    expect((await store.head('object'))?.bytes).toBe(6 * MIB)
    expect(await store.leftovers('', 0)).toEqual([])
  })

  describe('what a look says', () => {
    const wrongKey = Buffer.from('wrong account key of 32 bytes !!').toString('base64')

    test('a wrong key is denied, everywhere, and not repeated in the message', async () => {
      const store = open(recipe({ key: wrongKey }))
      const facts = await store.facts(doing())
      expect(facts).toMatchObject({ state: 'denied', mend: 'check the key: az storage account keys list --account-name testbed', conditional: false })
      const errors = [
        await refusal(store.put('x', said('x'), doing())),
        await refusal(digest(store.get('x', doing()))),
        await refusal(store.head('x')),
        await refusal(store.list('')),
        await refusal(store.leftovers('', 0)),
        await refusal(store.remove('x')),
        await refusal(store.cell('x').read()),
        await refusal(store.cell('x').write('x', '')),
      ]
      for (const { fault } of errors) expect(fault).toBe('denied')
      for (const text of [JSON.stringify(facts), ...errors.map(String)]) {
        expect(text).not.toContain(wrongKey)
        expect(text).not.toMatch(/SharedKey|RequestId/)
      }
    })

    test('a container that is not there is missing, with the command that makes it', async () => {
      const store = open(recipe({ container: 'no-such-container' }))
      const mend = 'az storage container create --account-name testbed --name no-such-container'
      expect(await store.facts(doing())).toMatchObject({
        state: 'missing',
        mend,
        because: expect.stringMatching(/^the container of azure:.* is not there/),
      })
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
      const store = open(recipe({ endpoint: 'http://127.0.0.1:9/testbed', attempts: 2 }))
      expect(await store.facts(doing())).toMatchObject({ state: 'unreachable', because: expect.stringMatching(/does not answer \(ECONNREFUSED/) })
      expect((await refusal(store.list(''))).fault).toBe('unreachable')
    })

    test('a blob under an Azure lease cannot be removed or replaced, and the message says how to end it', async () => {
      const { BlobServiceClient, StorageSharedKeyCredential } = await import('@azure/storage-blob')
      const client = new BlobServiceClient(server.endpoint, new StorageSharedKeyCredential(server.account, server.key))
      const container = client.getContainerClient('conformance')
      const plain = recipe({ prefix: 'leased' })
      const store = open(plain)
      await store.put('object', said('x'), doing())
      const cell = store.cell('lease')
      const { version } = await cell.write('x', '')
      for (const name of ['leased/object', 'leased/.cell-lease']) await container.getBlobClient(name).getBlobLeaseClient().acquireLease(-1)
      for (const call of [() => store.remove('object'), () => cell.write('y', version)])
        expect(await refusal(call())).toMatchObject({
          fault: 'denied',
          message: expect.stringMatching(/held by an Azure lease; az storage blob lease break/),
        })
      expect(await digest(store.get('object', doing()))).toBe(await digest(said('x')))
    })
  })
})
