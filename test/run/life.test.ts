import { appendFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { isOpen, readJournal } from '../../lib/run/journal.ts'
import { begin, invoke, journal, newWorld, removeWorld, runs, type World } from './toys/invoke.ts'
import { effects, everything, have } from './toys/world.ts'

let world: World
beforeEach(() => {
  world = newWorld()
})
afterEach(() => removeWorld(world))

const DONE = { a: '1', b: '1', c: '1', d: '1', e: '1' }
const AS_BEFORE = { a: '0', d: '1' }
const settle = async (...flags: string[]) => (await invoke(world, flags)).code

/** A run that is at work for as long as nobody stops it. */
async function holder(): Promise<ReturnType<typeof begin>> {
  const started = begin(world, ['--yes'], { TOY_SLOW: 'e' })
  while (!existsSync(join(world.world, 'began.e'))) await pause(20)
  return started
}

/** A run that waits for another, once it has said for whom. */
async function waiting(flags: string[]): Promise<ReturnType<typeof begin>> {
  const started = begin(world, [...flags, '--wait=1min'])
  let said = ''
  started.child.stderr?.on('data', text => (said += text))
  while (!said.includes('Waiting for toy')) await pause(20)
  return started
}

describe('a run beside another', () => {
  it('is busy, and says who holds the lease', async () => {
    const { child, ran } = await holder()
    const began = performance.now()
    const { code, last, stderr } = await invoke(world, ['--yes', '--wait=1s'])
    expect([code, last]).toEqual([6, expect.stringMatching(/^BUSY toy\/local: another run is at work \(exit 6\)$/)])
    expect(stderr.replace(/\s+/g, ' ')).toContain(`process ${child.pid}`)
    expect(performance.now() - began).toBeGreaterThan(1000)
    child.kill('SIGINT')
    await ran
  })

  it('plans again once it has the lease, and refuses a plan that went stale with the difference', async () => {
    const first = await holder()
    const second = await waiting(['--yes'])
    first.child.kill('SIGINT')
    await first.ran
    const { code, stderr } = await second.ran
    expect(code).toBe(3)
    expect(stderr).toContain('The world changed since the plan was shown')
    expect(stderr).toMatch(/Put a: found .*"0".*was .*"1"/)
    expect(everything(world.world)).toEqual(AS_BEFORE)
  })

  it('that dies while it is waited for is not started over', async () => {
    const first = await holder()
    const second = await waiting(['--yes'])
    first.child.kill('SIGKILL')
    const { code, stderr } = await second.ran
    expect([code, stderr]).toEqual([5, expect.stringContaining('died unfinished meanwhile')])
    expect(await settle('--revert')).toBe(0)
    expect(everything(world.world)).toEqual(AS_BEFORE)
  })

  it('that was settled while a second operator waited is not settled twice', async () => {
    await invoke(world, ['--yes'], { TOY_KILL: 'build/c:verify' })
    const first = begin(world, ['--resume'], { TOY_SLOW: 'e' })
    while (!existsSync(join(world.world, 'began.e'))) await pause(20)
    // The worker of the dead run is alive again, so there is nothing unfinished for anybody else.
    expect((await invoke(world, ['--revert'])).code).toBe(3)
    first.child.kill('SIGKILL')
    await first.ran
    const both = await Promise.all([invoke(world, ['--resume', '--wait=1min']), invoke(world, ['--revert', '--wait=1min'])])
    expect(both.map(({ code }) => code).sort()).toEqual([0, 3])
    expect(everything(world.world)).toEqual(both[0].code === 0 ? DONE : AS_BEFORE)
  })
})

describe('a dead run', () => {
  it('is closed on a word, changes nothing by that, and makes room for a new one', async () => {
    await invoke(world, ['--yes'], { TOY_KILL: 'build/c:verify' })
    const before = effects(world.world)
    const { code, stdout } = await invoke(world, [`--close=${basename(runs(world)[0] as string).slice(-7)}`])
    expect([code, stdout.replace(/\s+/g, ' ')]).toEqual([0, expect.stringContaining('not taken back by this toolkit: Build c')])
    expect(effects(world.world)).toEqual(before)
    expect(isOpen(journal(world))).toBe(false)
    expect(await settle('--revert')).toBe(3)
    expect(await settle('--yes')).toBe(0)
    expect(everything(world.world)).toEqual(DONE)
  })

  it('of a kind that only adds is taken back first, off a terminal and with --yes', async () => {
    await invoke(world, ['--yes'], { TOY_KILL: 'build/c:done' })
    expect((await invoke(world, ['--yes'], { TOY_REVERTS: '1' })).code).toBe(0)
    expect(effects(world.world).filter(line => line.startsWith('a '))).toEqual(['a 0', 'a 1', 'a 0', 'a 1'])
    expect(everything(world.world)).toEqual(DONE)
  })

  it('that was being taken back is not resumed, nor touched by the refusal', async () => {
    await invoke(world, ['--yes'], { TOY_FAIL: 'put/e', TOY_KILL: 'take/b:done' })
    const before = effects(world.world)
    const { code, stderr } = await invoke(world, ['--resume'])
    expect([code, stderr]).toEqual([3, expect.stringContaining('was already being taken back')])
    expect(effects(world.world)).toEqual(before)
    expect(await settle('--revert')).toBe(0)
    expect(everything(world.world)).toEqual(AS_BEFORE)
  })

  it('is not settled by a stack file that aims elsewhere now', async () => {
    await invoke(world, ['--yes'], { TOY_KILL: 'build/c:done' })
    mkdirSync(join(world.folder, 'other'))
    const { code, stderr } = await invoke(world, ['--revert'], { TOY_DATA: join(world.folder, 'other') })
    expect([code, stderr]).toEqual([3, expect.stringContaining('aims elsewhere now')])
    expect(stderr).toContain(join(world.folder, 'other'))
    expect(everything(world.world)).toMatchObject({ a: '1' })
  })

  it('is gone on with at its gate, which is asked again and stops where nobody is', async () => {
    await invoke(world, ['--yes'], { TOY_PLAN: 'gated', TOY_KILL: 'put/a:done' })
    const stopped = await invoke(world, ['--resume'], { TOY_PLAN: 'gated' })
    expect([stopped.code, stopped.stderr]).toEqual([5, expect.stringContaining('Go on?: nobody there to answer')])
    expect(stopped.stderr).toContain('a is {"value":"1"}')
    expect(everything(world.world)).toEqual({ a: '1', d: '1' })
    expect((await invoke(world, ['--resume', '--yes'], { TOY_PLAN: 'gated' })).code).toBe(0)
    expect(everything(world.world)).toEqual({ a: '1', d: '1', e: '1' })
  })

  it('that had committed is taken back to there, and the rest is said to stay', async () => {
    await invoke(world, ['--yes'], { TOY_PLAN: 'commits', TOY_KILL: 'put/f:done' })
    const { code, last, stdout } = await invoke(world, ['--revert'], { TOY_PLAN: 'commits' })
    expect([code, last]).toEqual([0, expect.stringContaining('is taken back as far as it can be')])
    expect(stdout).toContain('Put m: done, and it stays')
    expect(everything(world.world)).toEqual({ a: '1', d: '1', m: '1' })
  })

  it('whose journal is damaged is named, and nothing new starts', async () => {
    await invoke(world, ['--yes'], { TOY_KILL: 'build/c:done' })
    const file = join(runs(world)[0] as string, 'journal.jsonl')
    writeFileSync(file, readFileSync(file, 'utf8').replace('}\n', '\n'))
    appendFileSync(file, '\n')
    const { code, stderr } = await invoke(world, ['--yes'])
    expect([code, stderr]).toEqual([5, expect.stringContaining(`less ${file}`)])
    expect(everything(world.world)).toMatchObject({ a: '1' })
  })
})

describe('two machines', () => {
  const elsewhere = () => ({ RUNBOOKS_HOME: join(world.folder, 'home-of-b') })

  it('settle a run in turn: what the second did before it died is taken back from the first', async () => {
    await invoke(world, ['--yes'], { TOY_KILL: 'put/a:done' })
    await invoke(world, ['--resume'], { ...elsewhere(), TOY_KILL: 'put/e:verify' })
    expect(await settle('--revert')).toBe(0)
    expect(everything(world.world)).toEqual(AS_BEFORE)
  })

  it('know of each other that a run is being taken back', async () => {
    await invoke(world, ['--yes'], { TOY_KILL: 'put/e:verify' })
    await invoke(world, ['--revert'], { ...elsewhere(), TOY_KILL: 'take/b:done' })
    expect(await settle('--resume')).toBe(3)
    expect(await settle('--revert')).toBe(0)
    expect(everything(world.world)).toEqual(AS_BEFORE)
  })

  it('agree on how a run ended that the other one settled', async () => {
    await invoke(world, ['--yes'], { TOY_KILL: 'put/e:verify' })
    expect((await invoke(world, ['--revert'], elsewhere())).code).toBe(0)
    expect(await settle('--yes')).toBe(0)
    const first = readJournal(runs(world)[0] as string)
    expect(first.at(-1)).toMatchObject({ at: 'ended', outcome: { word: 'REVERTED', exit: 0 } })
  })
})

it('a run of a stack whose name ends with the name of this one is none of it', async () => {
  const config = join(world.folder, 'config')
  cpSync(join(import.meta.dirname, 'toys/config'), config, { recursive: true })
  writeFileSync(join(config, 'my-toy.ts'), readFileSync(join(config, 'toy.ts'), 'utf8').replace("name: 'toy'", "name: 'my-toy'"))
  await invoke(world, ['--stack=my-toy', '--yes'], { RUNBOOKS_CONFIG: config, TOY_KILL: 'build/c:done' })
  expect(await settle('--revert')).toBe(3)
  have(world.world, 'a', '0')
  expect((await invoke(world, ['--stack=my-toy', '--revert'], { RUNBOOKS_CONFIG: config })).code).toBe(0)
})

describe('a run', () => {
  it('whose journal cannot be made is refused before anything is touched, and lets the lease go', async () => {
    writeFileSync(world.home, 'not a folder')
    const { code, stderr, last } = await invoke(world, ['--yes'])
    expect([code, last]).toEqual([3, expect.stringContaining('nothing was touched')])
    expect(stderr).toContain('RUNBOOKS_HOME')
    const other = { RUNBOOKS_HOME: join(world.folder, 'home2') }
    expect((await invoke(world, ['--yes'], other)).code).toBe(0)
  })

  it('that is done is done, although its summary cannot be made', async () => {
    const { code, last, stdout } = await invoke(world, ['--yes'], { TOY_ENDLESS: '1' })
    expect([code, last]).toEqual([0, expect.stringMatching(/^DONE .*every step is done and verified/)])
    expect(stdout).toContain('no last words')
    expect(isOpen(journal(world))).toBe(false)
  })

  it('whose requirement does not hold says what mends it', async () => {
    const { code, stderr } = await invoke(world, ['--yes'], { TOY_REFUSE: '1' })
    expect([code, stderr]).toEqual([3, expect.stringMatching(/Why\s+it may not run[\s\S]*Next\s+unset TOY_REFUSE/)])
    expect(existsSync(world.home) && readdirSync(world.home)).toBeFalsy()
  })

  it.each([
    [['--yes'], {}, 0, 'DONE'],
    [['--yes'], { TOY_FAIL: 'put/e' }, 4, 'NOT DONE'],
    [['--yes'], { TOY_REFUSE: '1' }, 3, 'REFUSED'],
  ] as const)('with --json prints one object that agrees with its exit code: %j %j', async (flags, more, exit, word) => {
    const { code, stdout, stderr } = await invoke(world, [...flags, '--json'], more)
    expect(JSON.parse(stdout)).toMatchObject({ exit, word, subject: 'toy/local' })
    expect([code, stderr.trimEnd().split('\n').at(-1)]).toEqual([exit, expect.stringMatching(new RegExp(`^${word} toy/local.*\\(exit ${exit}\\)$`))])
  })
})
