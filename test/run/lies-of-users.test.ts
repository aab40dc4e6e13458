import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { step } from '../../lib/plan/nodes.ts'
import { Secret } from '../../lib/plan/secrets.ts'
import { readShared } from '../../lib/run/leases.ts'
import { directory } from '../../lib/stores/index.ts'
import { inside } from './engine/inside.ts'
import { begin, invoke, journal, newWorld, removeWorld, runs, type World } from './toys/invoke.ts'
import { toy } from './toys/verbs.ts'
import { effects, everything } from './toys/world.ts'

let world: World
beforeEach(() => {
  world = newWorld()
})
afterEach(() => removeWorld(world))

const lines = () => effects(world.world).slice(2)

describe('resume', () => {
  it('starts at the wrong task (ansible #86769), or sees no change and loses the restart (ansible #10498): each effect is there once', async () => {
    await invoke(world, ['--yes'], { TOY_KILL: 'put/e:intent' })
    expect((await invoke(world, ['--resume'])).code).toBe(0)
    expect([...lines()].sort()).toEqual(['a 1', 'b 1', 'c 1', 'c half', 'e 1'])
  })

  it('takes a dead run for live because its status was read (cli-agent-orchestrator #372)', async () => {
    await invoke(world, ['--yes'], { TOY_KILL: 'put/e:done' })
    for (const flags of [['--dry-run'], ['--yes'], []]) expect((await invoke(world, flags)).stderr).toContain('Unfinished: toy (')
    expect((await invoke(world, ['--resume'])).code).toBe(0)
  })

  it('is lost to a new run that is started over the unfinished one (gravity #1698)', async () => {
    await invoke(world, ['--yes'], { TOY_KILL: 'build/c:running' })
    await pause(300)
    const before = effects(world.world)
    const { code, last } = await invoke(world, ['--yes'])
    expect([code, last]).toEqual([5, expect.stringContaining('an unfinished run must be settled first')])
    expect(effects(world.world)).toEqual(before)
    expect(runs(world)).toHaveLength(1)
  })

  it('undoes out of order (gravity #2155): the newest goes first', async () => {
    await invoke(world, ['--yes'], { TOY_KILL: 'put/e:verify' })
    expect((await invoke(world, ['--revert'])).code).toBe(0)
    const done = journal(world).flatMap(entry => (entry.at === 'intent' && !entry.undoes && entry.of !== 'put/d' ? [entry.of] : []))
    expect(journal(world).flatMap(entry => (entry.at === 'intent' && entry.undoes ? [entry.undoes] : []))).toEqual(done.reverse())
  })
})

it('dry run: a skipped command counts as done, and another branch runs (ansible #8753): nothing runs, nothing is written', async () => {
  const { code, stdout, last } = await invoke(world, ['--dry-run', '--yes'])
  expect([code, last]).toEqual([0, expect.stringContaining('a dry run of 5 steps; nothing was touched')])
  expect(stdout).toContain('build c 1')
  expect(lines()).toEqual([])
  expect(existsSync(world.home)).toBe(false)
})

it('half done: 45 orphans that no state knows of (terraform #14487): what is about to be done is in the shared state before it is', async () => {
  await invoke(world, ['--yes'], { TOY_KILL: 'put/a:intent' })
  const { shared } = await readShared(directory({ path: world.store }).cell('toy/local/.state/data.json'))
  expect(Object.values(shared.open)[0]?.at(-1)).toMatchObject({ at: 'intent', of: 'put/a', undo: { verb: 'take' } })
  expect(lines()).toEqual([])
})

describe('locks', () => {
  it('of a cancelled or dead run stay (opentofu #3798, rundeck #3993, #7139): the next one has it at once', async () => {
    const cancelled = begin(world, ['--yes'], { TOY_SLOW: 'a' })
    while (!existsSync(join(world.world, 'began.a'))) await pause(20)
    cancelled.child.kill('SIGTERM')
    await cancelled.ran
    await invoke(world, ['--yes'], { TOY_KILL: 'put/a:intent' })
    const { code, stderr } = await invoke(world, ['--revert'])
    expect([code, stderr]).toEqual([0, expect.not.stringContaining('Waiting for')])
  })

  it('cannot be listed (terraform #28710), and the timeout is ignored (opentofu #4225): the holder is named, and the wait ends in time', async () => {
    const holder = begin(world, ['--yes'], { TOY_SLOW: 'a' })
    while (!existsSync(join(world.world, 'began.a'))) await pause(20)
    const began = performance.now()
    const { code, stderr } = await invoke(world, ['--yes', '--wait=500ms'])
    expect([code, stderr]).toEqual([6, expect.stringContaining('Waiting for toy (')])
    expect(performance.now() - began).toBeLessThan(20_000)
    holder.child.kill('SIGINT')
    expect((await holder.ran).code).toBe(130)
  })
})

it('Ctrl-C: a timed-out apply runs on beside the destroy (soperator #2600): what is out of time is ended before the undo begins', async () => {
  const e = await inside()
  const ending = await e.carry([step('a', toy('put', e.world, 'a')), step('slow', toy('put', e.world, 'slow', '1', { nap: 1 }), { budgetMs: 300 })])
  expect(ending).toMatchObject({ how: 'undone' })
  await pause(1200)
  expect(e.effects()).toEqual(['a 1', 'a -'])
})

describe('prompts', () => {
  it.each([
    ['without a terminal the question ends with exit 0 and nothing done (enquirer #480, Inquirer #495)', {}],
    ['CI=1 is missed, and it hangs (cipherstash/stack #727)', { CI: '1' }],
  ])('%s: exit 2 at once', async (_, more) => {
    const { code, last } = await invoke(world, [], more)
    expect([code, last]).toEqual([2, expect.stringContaining('(exit 2)')])
    expect(lines()).toEqual([])
  })
})

it('secrets: a failing step prints them (ansible #38214), and so does debug (rundeck #1780, #5455): neither journal nor reason holds one', async () => {
  const secret = new Secret('DB_PASSWORD', 'p4ss "wörd" 100% sure')
  const e = await inside()
  const fails = `cannot connect to mongodb://root:${encodeURIComponent(secret.reveal())}@db (${JSON.stringify(secret.reveal())}): ${secret.reveal()}`
  process.env.TOY_FAIL_WITH = fails
  try {
    const ending = await e.carry([step('x', toy('put', e.world, 'x', '1', { ends: 'says' }))])
    expect(ending).toMatchObject({ why: 'cannot connect to mongodb://root:***@db ("***"): ***' })
    expect(readFileSync(join(e.context.journal.folder, 'journal.jsonl'), 'utf8')).not.toMatch(/p4ss/)
    expect((await e.cell.read()).body).not.toMatch(/p4ss/)
  } finally {
    delete process.env.TOY_FAIL_WITH
  }
})

it('output: nothing is seen until the end (ansible #3887): each step is told when it begins', async () => {
  const toy = begin(world, ['--yes'], { TOY_SLOW: 'e' })
  let said = ''
  toy.child.stderr?.on('data', text => (said += text))
  while (!existsSync(join(world.world, 'began.e'))) await pause(20)
  await pause(100)
  expect(said).toMatch(/start +Put e/)
  expect(said).toMatch(/done +Put a/)
  toy.child.kill('SIGINT')
  await toy.ran
})

it.each([
  ['a step that fails', { TOY_FAIL: 'put/e' }, 4, 'NOT DONE'],
  ['an undo that fails', { TOY_FAIL: 'take/b', TOY_PLAN: 'main' }, 0, 'DONE'],
  ['a tidy step that fails', { TOY_FAIL: 'put/t', TOY_PLAN: 'commits' }, 0, 'DONE'],
] as const)(
  'false success (rundeck #1528, #5318): after %s the exit code, the last line, the journal and the world agree',
  async (_, more, exit, word) => {
    const { code, last, stdout, stderr } = await invoke(world, ['--yes'], more)
    expect([code, last]).toEqual([exit, expect.stringMatching(new RegExp(`^${word} .*\\(exit ${exit}\\)$`))])
    expect(journal(world).at(-1)).toMatchObject({ at: 'ended', outcome: { exit, word } })
    if (exit === 4) expect(everything(world.world)).toEqual({ a: '0', d: '1' })
    if (more.TOY_FAIL === 'put/t') expect(stdout + stderr).toMatch(/Warning\s+put\/t: it was told to fail/)
  },
)
