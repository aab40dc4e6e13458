import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { isAlive } from '../../lib/exec/survivors.ts'
import { readJournal } from '../../lib/run/journal.ts'
import { begin, environment, FLAGS, invoke, journal, newWorld, type Ran, removeWorld, runs, TOY, type World } from './toys/invoke.ts'
import { effects, everything, have } from './toys/world.ts'

let world: World
beforeEach(() => {
  world = newWorld()
})
afterEach(() => removeWorld(world))

const AS_BEFORE = { a: '0', d: '1' }

/** A toy whose step or undo of that name has begun and does not end by itself. */
async function atWork(name: string, more: Record<string, string> = {}, flags = ['--yes']): Promise<ReturnType<typeof begin>> {
  const started = begin(world, flags, { TOY_SLOW: name, ...more })
  while (!existsSync(join(world.world, `began.${name}`))) await pause(20)
  return started
}

/** The processes that the newest run started and that still run. */
const left = () => journal(world).filter(entry => entry.at === 'spawned' && isAlive({ ...entry, boot: '' }))

async function told({ ran }: { ran: Promise<Ran> }, code: number, last: RegExp): Promise<Ran> {
  const end = await ran
  expect([end.code, end.last]).toEqual([code, expect.stringMatching(last)])
  return end
}

describe('a run that is told to stop', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 143],
  ] as const)('by %s ends its processes with their own, undoes, lets the lease go, and exits %i', async (signal, exit) => {
    const toy = await atWork('e')
    expect(left()).toHaveLength(1)
    toy.child.kill(signal)
    await told(toy, exit, new RegExp(`^CANCELLED toy/local: the world is as it was, verified .* \\(exit ${exit}\\)$`))
    expect(everything(world.world)).toEqual(AS_BEFORE)
    expect(left()).toEqual([])
    expect(journal(world).at(-1)).toMatchObject({ at: 'ended', outcome: { exit, word: 'CANCELLED' } })
    expect((await invoke(world, ['--yes'])).code).toBe(0)
  })

  it('once more leaves at once: exit 5, what stands is said, and the journal can be gone on with', async () => {
    const toy = await atWork('e', { TOY_STUBBORN: 'take/b' })
    toy.child.kill('SIGINT')
    while (!readFileSync(join(runs(world).at(-1) as string, 'journal.jsonl'), 'utf8').includes('"of":"undo/put/b"')) await pause(20)
    await pause(200)
    const began = performance.now()
    toy.child.kill('SIGINT')
    const { stderr } = await told(toy, 5, /^HUMAN NEEDED toy\/local: the run was left half-way \(exit 5\)$/)
    expect(performance.now() - began).toBeLessThan(2000)
    expect(stderr).toMatch(/Stands {2}not taken back: Put b|Stands\n {2}not taken back: Put b/)
    expect(stderr).toMatch(/not taken back: Put a/)
    expect(stderr).toContain('--revert')
    expect(left()).toEqual([])
    expect(readJournal(runs(world).at(-1) as string).at(-1)?.at).not.toBe('ended')
    expect((await invoke(world, ['--revert'])).code).toBe(0)
    expect(everything(world.world)).toEqual(AS_BEFORE)
  })

  it('once more before anything was begun is no half-done run', async () => {
    const holder = await atWork('a')
    const waiting = begin(world, ['--yes', '--wait=1min'])
    let said = ''
    waiting.child.stderr?.on('data', text => (said += text))
    while (!said.includes('Waiting for toy')) await pause(20)
    waiting.child.kill('SIGINT')
    waiting.child.kill('SIGINT')
    await told(waiting, 130, /^CANCELLED toy\/local: nothing was touched.*\(exit 130\)$/)
    holder.child.kill('SIGINT')
    await told(holder, 130, /^CANCELLED/)
  })

  it('by a terminal that closes, which hangs up twice, is undone all the same', async () => {
    const toy = await atWork('e')
    toy.child.kill('SIGHUP')
    await pause(20)
    toy.child.kill('SIGHUP')
    await told(toy, 143, /^CANCELLED/)
    expect(everything(world.world)).toEqual(AS_BEFORE)
  })

  it('while it takes a dead run back can be taken up again', async () => {
    await invoke(world, ['--yes'], { TOY_KILL: 'put/e:verify' })
    const again = begin(world, ['--revert'], { TOY_STUBBORN: 'take/b' })
    while (!readFileSync(join(runs(world).at(-1) as string, 'journal.jsonl'), 'utf8').includes('"of":"undo/put/b"')) await pause(20)
    again.child.kill('SIGTERM')
    await pause(300)
    again.child.kill('SIGKILL')
    await again.ran
    have(world.world, 'other', 'x')
    expect((await invoke(world, ['--revert'])).code).toBe(0)
    expect(everything(world.world)).toEqual({ ...AS_BEFORE, other: 'x' })
  })
})

describe('a run whose reader goes away', () => {
  it('at stdout (| head -1) comes to its end with its own exit code', () => {
    const command = `"$@" | head -c 1 >/dev/null; exit \${PIPESTATUS[0]}`
    for (const [flags, code] of [
      [['--yes', '--json'], 0],
      [['--dry-run'], 0],
      [['--help'], 0],
      [['--dryrn'], 2],
    ] as const) {
      const ran = spawnSync('bash', ['-c', command, 'bash', process.execPath, TOY, ...FLAGS, ...flags], { env: environment(world) })
      expect([flags, ran.status]).toEqual([flags, code])
    }
    expect(journal(world).at(-1)).toMatchObject({ at: 'ended', outcome: { exit: 0 } })
    expect(everything(world.world)).toMatchObject({ a: '1', e: '1' })
  })

  it('at stderr, in the middle, still does everything and says so on stdout', async () => {
    const child = spawn(process.execPath, [TOY, ...FLAGS, '--yes'], { env: environment(world), stdio: ['ignore', 'pipe', 'pipe'] })
    let stdout = ''
    child.stdout.on('data', text => (stdout += text))
    child.stderr.once('data', () => child.stderr.destroy())
    const code = await new Promise(resolve => child.once('close', resolve))
    expect([code, stdout]).toEqual([0, expect.stringMatching(/DONE toy\/local: all is put.*\(exit 0\)\n$/)])
    expect(effects(world.world).filter(line => line === 'e 1')).toHaveLength(1)
  })
})

it('a run whose stdin is closed refuses to guess, and with --yes does not need it', async () => {
  const closed = (flags: readonly string[]) =>
    spawnSync('bash', ['-c', '"$@" <&-', 'bash', process.execPath, TOY, ...FLAGS, ...flags], { env: environment(world), encoding: 'utf8' })
  expect(closed([]).status).toBe(2)
  expect(effects(world.world)).toHaveLength(2)
  const ran = closed(['--yes'])
  expect([ran.status, ran.stdout]).toEqual([0, expect.stringMatching(/^DONE toy\/local/m)])
})
