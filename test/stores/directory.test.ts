import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { directory } from '../../lib/stores/index.ts'
import { text } from '../../lib/stores/store.ts'
import { conformance } from './conformance.ts'
import { mount, noMount, unmount } from './mounts.ts'
import { bytes, doing, refusal, said } from './recipes.ts'

const MIB = 1024 * 1024
const home = mkdtempSync(join(tmpdir(), 'stores-'))
let made = 0
const folder = () => join(home, `store ${++made}`)
const mounted: string[] = []
afterAll(() => {
  for (const at of mounted) unmount(at)
  rmSync(home, { recursive: true })
})

conformance('directory', async () => {
  const path = folder()
  mkdirSync(path)
  return { kind: 'directory', path }
})

describe('directory: the root folder', () => {
  test('is made by the first put when its parent exists', async () => {
    const path = folder()
    await directory({ path }).put('a/b', said('x'), doing())
    expect(statSync(path).mode & 0o077).toBe(0)
    expect(statSync(join(path, 'a/b')).mode & 0o077).toBe(0)
  })

  test('without a parent is missing, everywhere, and is not made', async () => {
    const store = directory({ path: join(folder(), "it's deep", 'er') })
    const facts = await store.facts(doing())
    expect(facts).toMatchObject({ state: 'missing', conditional: false, freeBytes: null, mend: `mkdir -p '${store.where.replace("'", "'\\''")}'` })
    expect(facts.because).toMatch(/is its disk mounted\?/)
    for (const call of [
      () => store.put('x', said('x'), doing()),
      () => store.list(''),
      () => store.leftovers('', 0),
      () => store.cell('x').read(),
      () => store.cell('x').write('', '0'),
    ]) {
      expect((await refusal(call())).fault).toBe('missing')
    }
    expect(existsSync(store.where)).toBe(false)
  })

  test('that is a file is no store', async () => {
    const path = folder()
    writeFileSync(path, 'not a folder')
    const store = directory({ path })
    expect((await store.facts(doing())).state).not.toBe('writable')
    await refusal(store.list(''))
    await refusal(store.put('x', said('x'), doing()))
  })

  test('tells its free bytes', async () => {
    expect((await directory({ path: folder() }).facts(doing())).freeBytes).toBeGreaterThan(MIB)
  })
})

describe('directory: files', () => {
  test('nothing can stand below an object', async () => {
    const store = directory({ path: folder() })
    await store.put('object', said('x'), doing())
    expect((await refusal(store.put('object/below', said('x'), doing()))).fault).toBe('exists')
    expect(await text(store, 'object', doing())).toBe('x')
  })

  test('folders that a removal empties go too, and the root stays', async () => {
    const store = directory({ path: folder() })
    await store.put('a/b/c/one', said('x'), doing())
    await store.put('a/two', said('x'), doing())
    await store.remove('a/b/c/one')
    expect(readdirSync(join(store.where, 'a'))).toEqual(['two'])
    await store.remove('a/two')
    expect(readdirSync(store.where)).toEqual([])
  })

  test.skipIf(spawnSync('strace', ['-f', 'true']).status !== 0)(
    'the bytes are on disk before the name is, and the name before the put is over (strace)',
    () => {
      const path = folder()
      const script = `
      const { directory } = await import(${JSON.stringify(new URL('../../lib/stores/index.ts', import.meta.url).href)})
      const body = (async function* () { yield Buffer.from('x') })()
      await directory({ path: ${JSON.stringify(path)} }).put('object', body, { signal: new AbortController().signal })`
      const traced = ['-f', '-e', 'trace=fdatasync,fsync,link,unlink', process.execPath, '--input-type=module', '-e', script]
      const calls = spawnSync('strace', traced, { encoding: 'utf8' }).stderr.match(/\b(fdatasync|fsync|link|unlink)\(/g)
      expect(calls?.slice(-4)).toEqual(['fdatasync(', 'link(', 'unlink(', 'fsync('])
    },
  )

  test('a file cut short while it is read throws', async () => {
    const store = directory({ path: folder() })
    await store.put('object', bytes(4 * MIB), doing())
    const reading = async () => {
      for await (const _ of store.get('object', doing())) writeFileSync(join(store.where, 'object'), 'short')
    }
    expect((await refusal(reading())).message).toMatch(/ended after \d+ of 4194304 bytes/)
  })

  test('a folder that this user may not write to is denied, with what to look at', () => {
    const path = folder()
    mkdirSync(path, { mode: 0o555 })
    chmodSync(home, 0o755)
    const script = `
      const { directory } = await import(${JSON.stringify(new URL('../../lib/stores/index.ts', import.meta.url).href)})
      const store = directory({ path: ${JSON.stringify(path)} })
      const doing = { signal: new AbortController().signal }
      const put = await store.put('x', (async function* () {})(), doing).catch(error => error)
      process.stdout.write(JSON.stringify({ ...(await store.facts(doing)), put: put.fault }))`
    // Modes do not hold root back, so the child runs as nobody.
    const nobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}
    const facts = JSON.parse(execFileSync(process.execPath, ['--input-type=module', '-e', script], { ...nobody, cwd: '/', encoding: 'utf8' }))
    expect(facts).toMatchObject({ state: 'denied', mend: expect.stringMatching(/^ls -ld/), because: expect.stringMatching(/EACCES/), put: 'denied' })
  })
})

describe('directory: cells', () => {
  const write = async (cell: ReturnType<ReturnType<typeof directory>['cell']>, body: string) => cell.write(body, (await cell.read()).version)
  const age = (file: string) => utimesSync(file, new Date(0), new Date(0))

  test('replaced versions go after a minute, the first one stays', async () => {
    const store = directory({ path: folder() })
    const cell = store.cell('lease')
    for (const body of ['1', '2', '3', '4']) await write(cell, body)
    expect(readdirSync(store.where)).toHaveLength(4)
    for (const name of readdirSync(store.where)) age(join(store.where, name))
    await write(cell, '5')
    expect(readdirSync(store.where).sort()).toEqual(['.cell-lease.000000001', '.cell-lease.000000004', '.cell-lease.000000005'])
    expect((await cell.read()).body).toBe('5')
  })

  test('a writer whose version was removed long ago is refused', async () => {
    const store = directory({ path: folder() })
    const cell = store.cell('lease')
    for (const body of ['1', '2', '3', '4', '5']) await write(cell, body)
    for (const number of [2, 3]) rmSync(join(store.where, `.cell-lease.00000000${number}`))
    for (const stale of ['0', '1', '2', '3']) expect((await refusal(cell.write('late', stale))).fault).toBe('conflict')
    expect((await cell.read()).body).toBe('5')
  })
})

/** A folder with a small filesystem of its own. */
function mountedFolder(size: `${number}m`): string {
  const at = folder()
  mkdirSync(at)
  mount(at, size)
  mounted.push(at)
  return at
}

describe.skipIf(noMount)(`directory: a full disk${noMount}`, () => {
  let small: string
  beforeAll(() => {
    small = mountedFolder('2m')
  })
  const path = () => join(small, 'store')

  test('is refused before the body is read when the size is known, with what is needed and free', async () => {
    const store = directory({ path: path() })
    const error = await refusal(store.put('object', bytes(5 * MIB), doing(), 5 * MIB))
    expect(error.fault).toBe('full')
    expect(error.message).toMatch(/is too full: 5\.2 MB are needed, 2\.1 MB are free/)
    expect(readdirSync(path())).toEqual([])
  })

  test('met in the middle leaves nothing, gives the room back, and says how much was needed', async () => {
    const store = directory({ path: path() })
    const error = await refusal(store.put('a/object', bytes(5 * MIB), doing()))
    expect(error.fault).toBe('full')
    expect(error.message).toMatch(/ran full after 2\.\d MB of this object: more than 2\.\d MB are needed, 2\.1 MB are free now/)
    expect(await store.list('')).toEqual([])
    expect(await store.leftovers('', 0)).toEqual([])
    await store.put('b', bytes(MIB), doing(), MIB)
  })

  test('refuses cells too, and reading goes on', async () => {
    const store = directory({ path: path() })
    const cell = store.cell('lease')
    await cell.write('x', (await cell.read()).version)
    await store.put('filler', bytes(900_000), doing()).catch(() => {})
    const { body, version } = await cell.read()
    expect(body).toBe('x')
    expect((await refusal(cell.write('y'.repeat(3 * MIB), version))).fault).toBe('full')
    expect((await cell.read()).body).toBe('x')
    expect(await store.leftovers('', 0)).toEqual([])
  })
})

describe.skipIf(noMount)(`directory: a read-only filesystem${noMount}`, () => {
  test('is told apart, and still lists and reads', async () => {
    const store = directory({ path: mountedFolder('1m') })
    await store.put('object', said('kept'), doing())
    await store.cell('lease').write('x', '0')
    execFileSync('mount', ['-o', 'remount,ro', store.where])
    expect(await store.facts(doing())).toMatchObject({
      state: 'read-only',
      mend: expect.stringMatching(/^mount -o remount,rw/),
      because: expect.stringMatching(/EROFS/),
    })
    expect((await refusal(store.put('other', said('x'), doing()))).fault).toBe('read-only')
    expect((await refusal(store.remove('object'))).fault).toBe('read-only')
    expect((await refusal(store.cell('lease').write('y', '1'))).fault).toBe('read-only')
    expect((await store.cell('lease').read()).body).toBe('x')
    expect((await store.list('')).map(({ path }) => path)).toEqual(['object'])
    expect(await text(store, 'object', doing())).toBe('kept')
  })
})
