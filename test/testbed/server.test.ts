import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { identity } from './identity.ts'
import { withLock } from './lock.ts'
import { forget, note, noted, sweep } from './records.ts'
import { launch } from './server.ts'

let scratch: string
const cacheBefore = process.env.TESTBED_CACHE

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'testbed-test-'))
  process.env.TESTBED_CACHE = scratch
})
afterEach(() => {
  if (cacheBefore === undefined) delete process.env.TESTBED_CACHE
  else process.env.TESTBED_CACHE = cacheBefore
  rmSync(scratch, { recursive: true, force: true })
})

const script = (code: string) => () => ({ file: process.execPath, argv: ['--eval', code] })
const never = () => Promise.reject(new Error('nobody there'))

test('a server that ends while it starts is named with its exit code and last words, and leaves nothing', async () => {
  const how = { name: 'brittle', command: script('console.error("no such disk"); process.exit(7)'), ready: never }
  await expect(launch(how)).rejects.toThrow(/brittle ended while it started \(exit 7\); the end of its log:\nno such disk/)
  expect(noted()).toEqual([])
})

test('a server that never answers is ended at the limit, with the reason and its last words', async () => {
  const how = { name: 'mute', command: script('console.log(process.pid); setInterval(() => {}, 1000)'), ready: never, startupMs: 500 }
  const message = await launch(how).then(
    () => 'started',
    error => (error as Error).message,
  )
  expect(message).toMatch(/mute did not answer on 127\.0\.0\.1:\d+ within 0\.5 s: Error: nobody there; the end of its log:\n\d+$/)
  expect(identity(Number(message.split('\n').at(-1)))).toBeUndefined()
  expect(noted()).toEqual([])
})

test('a server that ignores SIGTERM is ended all the same', async () => {
  const folders: string[] = []
  const server = await launch({
    name: 'stubborn',
    command: (_port, folder) => {
      folders.push(folder)
      return script(`process.on('SIGTERM', () => {}); require('node:fs').writeFileSync('up', ''); setInterval(() => {}, 1000)`)()
    },
    ready: async () => readFileSync(join(folders[0]!, 'up')),
    patienceMs: 300,
  })
  const pid = server.pid()
  await server.stop()
  expect(identity(pid)).toBeUndefined()
  expect(existsSync(server.folder)).toBe(false)
})

test('only a killed server can be started again', async () => {
  const server = await launch({ name: 'idle', command: script('setInterval(() => {}, 1000)'), ready: async () => {} })
  await expect(server.start()).rejects.toThrow('idle is running already')
  await server.kill()
  await server.start()
  await server.stop()
  await server.stop()
  await expect(server.start()).rejects.toThrow('idle was stopped')
})

test('a program that is not there is named', async () => {
  const how = { name: 'absent', command: () => ({ file: '/nowhere/absentd', argv: [] }), ready: never }
  await expect(launch(how)).rejects.toThrow(/\/nowhere\/absentd ENOENT/)
})

/** Another process that starts a server, prints its number and folder, and then does as told. */
async function owner(then: string): Promise<{ server: number; folder: string; owner: ReturnType<typeof spawn> }> {
  const code = `
    import { launch } from ${JSON.stringify(join(import.meta.dirname, 'server.ts'))}
    const command = () => ({ file: process.execPath, argv: ['--eval', 'setInterval(() => {}, 1000)'] })
    const server = await launch({ name: 'left', command, ready: async () => {} })
    console.log(JSON.stringify({ server: server.pid(), folder: server.folder }))
    ${then}`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', code], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(child.stdout!, 'data')) as [Buffer]
  return { ...(JSON.parse(line.toString()) as { server: number; folder: string }), owner: child }
}

test('a server that nobody stopped ends with the process that started it', async () => {
  const left = await owner('setTimeout(() => process.exit(0), 50)')
  await once(left.owner, 'exit')
  await expect.poll(() => identity(left.server)).toBeUndefined()
  expect(existsSync(left.folder)).toBe(false)
  expect(noted()).toEqual([])
})

test('a server whose owner was killed is ended by the next sweep, and one whose owner lives is not', async () => {
  const orphaned = await owner('setInterval(() => {}, 1000)')
  const kept = await owner('setInterval(() => {}, 1000)')
  orphaned.owner.kill('SIGKILL')
  await once(orphaned.owner, 'exit')
  expect(identity(orphaned.server)).toBeDefined()
  expect(await sweep()).toEqual(['left'])
  expect(identity(orphaned.server)).toBeUndefined()
  expect(existsSync(orphaned.folder)).toBe(false)
  expect(identity(kept.server)).toBeDefined()
  kept.owner.kill('SIGKILL')
  await once(kept.owner, 'exit')
  await sweep()
  expect(identity(kept.server)).toBeUndefined()
})

test('a sweep ends what a signal cannot reach, and says what it could not end without keeping the others from their end', async () => {
  const dead = { pid: 2 ** 22 + 1, started: 'ended' }
  const folder = join(scratch, 'swept')
  const noteOf = (pid: number, place: string, ending: readonly string[]) =>
    note({ name: 'engine', server: { ...dead, pid }, owner: dead, folder: place, environment: [], ending })
  // A folder under /proc cannot be removed, as one with a mount in it.
  noteOf(dead.pid, `/proc/${process.pid}/fd`, [])
  noteOf(dead.pid + 1, folder, ['mkdir', `${folder}-ended`])
  const said = await sweep()
  expect(said.toSorted()).toEqual(['engine', expect.stringMatching(/^engine \(not wholly: /)])
  expect(existsSync(`${folder}-ended`)).toBe(true)
  for (const left of noted()) forget(left)
})

test('one at a time holds the lock, a dead holder loses it, and a living one is waited for no longer than told', async () => {
  const lock = join(scratch, 'install.lock')
  let inside = 0
  const most: number[] = []
  const work = async (): Promise<void> => {
    most.push(++inside)
    await new Promise(resolve => setTimeout(resolve, 20))
    inside--
  }
  await Promise.all([withLock(lock, 5_000, work), withLock(lock, 5_000, work), withLock(lock, 5_000, work)])
  expect(most).toEqual([1, 1, 1])

  writeFileSync(lock, JSON.stringify({ pid: process.pid, started: 'long ago' }))
  expect(await withLock(lock, 5_000, async () => 'taken over')).toBe('taken over')

  await withLock(lock, 5_000, () => expect(withLock(lock, 100, work)).rejects.toThrow(`another process has held ${lock}`))
})
