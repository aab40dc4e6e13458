import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { survivors } from '../../lib/exec/survivors.ts'
import { step } from '../../lib/plan/nodes.ts'
import { inside } from './engine/inside.ts'
import { begin, invoke, journal, newWorld, type Ran, removeWorld, runs, type World } from './toys/invoke.ts'
import { toy } from './toys/verbs.ts'
import { effects, everything } from './toys/world.ts'

let world: World
beforeEach(() => {
  world = newWorld()
})
afterEach(() => removeWorld(world))

/** Starts a toy that will not end by itself, and resolves once its step is at work. */
async function atWork(name: string, more: Record<string, string> = {}): Promise<{ child: ReturnType<typeof begin>['child']; ran: Promise<Ran> }> {
  const toy = begin(world, ['--yes'], { TOY_SLOW: name, ...more })
  while (!existsSync(join(world.world, `began.${name}`))) await pause(20)
  return toy
}

/** Every file below a folder with its content, to see whether anything was written. */
function contents(folder: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .map(name => join(folder, name))
      .filter(file => statSync(file).isFile())
      .map(file => [file, readFileSync(file, 'base64')]),
  )
}

const AS_BEFORE = { a: '0', d: '1' }
const lines = () => effects(world.world).slice(2)

describe('runbookdev', () => {
  it('Ctrl-C skips the rest and exits 0: ours undoes, exits 130 and says so', async () => {
    const { child, ran } = await atWork('b')
    child.kill('SIGINT')
    const { code, last } = await ran
    expect(code).toBe(130)
    expect(last).toMatch(/^CANCELLED toy\/local: the world is as it was, verified .* \(exit 130\)$/)
    expect(everything(world.world)).toEqual(AS_BEFORE)
    expect(lines().some(line => line.startsWith('e '))).toBe(false)
  })

  it('failed undos after Ctrl-C count as rolled back: ours exit 5 and say what stands', async () => {
    const { child, ran } = await atWork('e', { TOY_FAIL: 'take/b' })
    child.kill('SIGINT')
    const { code, last, stderr } = await ran
    expect(code).toBe(5)
    expect(last).toMatch(/^HUMAN NEEDED toy\/local: a run stands half-way/)
    expect(stderr).toMatch(/Stands\s+Put a: was .*"0".*wanted .*"1".*found .*"1"/)
    expect(stderr).toContain('--revert')
    expect(everything(world.world)).toMatchObject({ a: '1', b: '1' })
  })

  it("a failed step's own undo never runs: ours does", async () => {
    const e = await inside()
    expect(await e.carry([step('x', toy('build', e.world, 'x', '1', { ends: 'breaks' }))])).toMatchObject({ how: 'undone', undos: 1 })
    expect(e.effects()).toEqual(['x half', 'x -'])
  })

  it('on SIGTERM the undo runs on the cancelled context and is killed at once: ours runs to its end', async () => {
    const { child, ran } = await atWork('e')
    child.kill('SIGTERM')
    const { code, last } = await ran
    expect(code).toBe(143)
    expect(last).toMatch(/^CANCELLED .*\(exit 143\)$/)
    expect(everything(world.world)).toEqual(AS_BEFORE)
    expect(journal(world).filter(entry => entry.at === 'spawned' && entry.of.startsWith('undo/')).length).toBeGreaterThanOrEqual(3)
  })

  it('a wait is validated and never run: ours fails when its thing does not come', async () => {
    const e = await inside()
    const nodes = [step('x', toy('wait', e.world, 'x'), { budgetMs: 300 }), step('y', toy('put', e.world, 'y'))]
    expect(await e.carry(nodes)).toMatchObject({ how: 'undone', exit: 4 })
    expect(e.effects()).toEqual([])
  })

  it('the end of input means yes: ours names the flag and touches nothing', async () => {
    const { code, last, stderr } = await invoke(world, [])
    expect(code).toBe(2)
    expect(stderr).toContain('--yes')
    expect(last).toMatch(/^USAGE .*nothing was touched/)
    expect(lines()).toEqual([])
  })

  it('--non-interactive confirms all: --yes does not burn on a protected environment', async () => {
    const { code, stderr } = await invoke(world, ['--environment=guarded', '--yes'], { TOY_PLAN: 'burns' })
    expect(code).toBe(2)
    expect(stderr).toContain('--confirm=toy/guarded')
    const other = await invoke(world, ['--environment=guarded', '--yes', '--confirm=toy/local'], { TOY_PLAN: 'burns' })
    expect(other.code).toBe(2)
    expect(lines()).toEqual([])
  })

  it('the audit comes after the step, and a killed run is running for ever: ours is written before, and is called unfinished', async () => {
    await invoke(world, ['--yes'], { TOY_KILL: 'put/a:intent' })
    expect(journal(world).at(-1)).toMatchObject({ at: 'intent', of: 'put/a' })
    const next = await invoke(world, ['--yes'])
    expect(next.code).toBe(5)
    expect(next.stderr).toContain('Unfinished: toy (')
    expect(lines()).toEqual([])
  })
})

describe('braintree/runbook', () => {
  it('--noop deletes the saved position: --dry-run changes no byte', async () => {
    await invoke(world, ['--yes'], { TOY_KILL: 'put/e:done' })
    const before = contents(world.folder)
    for (const flags of [['--dry-run'], ['--dry-run', '--yes'], ['--dry-run', '--resume'], ['--dry-run', '--revert'], ['--dry-run', '--close=toy']])
      await invoke(world, flags)
    expect(contents(world.folder)).toEqual(before)
    expect((await invoke(world, ['--resume'])).code).toBe(0)
  })

  it('the position knows no environment: an unfinished run of one is none of another', async () => {
    await invoke(world, ['--yes'], { TOY_KILL: 'put/e:intent' })
    const { code, stderr } = await invoke(world, ['--environment=guarded', '--resume'])
    expect(code).toBe(3)
    expect(stderr).toContain('There is no unfinished run of toy/guarded')
  })

  it('answers are lost: options are in the journal', async () => {
    await invoke(world, ['--yes', '--only=x', '--only=y', '--loud', '--skip-care=CARELESS'], { TOY_KILL: 'put/a:intent' })
    expect(journal(world).find(entry => entry.at === 'planned')).toMatchObject({ options: { only: ['x', 'y'], loud: true, skipCare: true } })
  })
})

describe('runme', () => {
  it('no terminal means no confirmation: ours runs nothing without --yes', async () => {
    expect((await invoke(world, [])).code).toBe(2)
    expect(runs(world)).toEqual([])
  })
})

describe('Ansible', () => {
  it('--start-at-task without a match runs nothing and exits 0: --resume and --close without a run are refused', async () => {
    expect((await invoke(world, ['--yes', '--resume'])).code).toBe(3)
    expect((await invoke(world, ['--yes', '--revert'])).code).toBe(3)
    expect((await invoke(world, ['--yes', '--close=r123456'])).code).toBe(3)
    await invoke(world, ['--yes'], { TOY_KILL: 'put/a:intent' })
    const wrong = await invoke(world, ['--yes', '--close=r-no-such'])
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('no unfinished run "r-no-such"')])
    expect(lines()).toEqual([])
  })
})

describe('gravity', () => {
  it('a failed post-check leaves the phase in progress: a command that exits 0 without its effect has failed, and is undone', async () => {
    const e = await inside()
    const nodes = [step('a', toy('put', e.world, 'a')), step('x', toy('put', e.world, 'x', '1', { ends: 'lies' }))]
    expect(await e.carry(nodes)).toMatchObject({ how: 'undone', exit: 4, why: 'wanted {"value":"1"}, found {"value":null}' })
    expect(e.told()).toContain('failed put/x')
    expect(e.effects()).toEqual(['a 1', 'a -'])
  })
})

describe('clack', () => {
  it('Ctrl-C under a spinner exits 0: with --quiet, without any output to draw on, ours exits 130', async () => {
    const toy = begin(world, ['--yes', '--quiet'], { TOY_SLOW: 'a' })
    while (!existsSync(join(world.world, 'began.a'))) await pause(20)
    toy.child.kill('SIGINT')
    expect((await toy.ran).code).toBe(130)
    expect(lines()).toEqual([])
  })
})

describe('processes that a cancelled run started (ansible #23958, #87327)', () => {
  it('are gone with their own children', async () => {
    const { child, ran } = await atWork('e')
    const planned = journal(world).find(entry => entry.at === 'planned')
    const run = planned?.at === 'planned' ? planned.run : ''
    // The step's shell, and the shell's own child, which begins a moment later.
    while ((await survivors(run)).length < 2) await pause(20)
    child.kill('SIGINT')
    await ran
    expect(await survivors(run)).toEqual([])
  })
})
