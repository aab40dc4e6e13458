import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import {
  changeData,
  copyOf,
  dataDigest,
  describeStack,
  endWorlds,
  invoke,
  journals,
  newWorld,
  pointsOf,
  storeFaults,
  tryWriting,
  type World,
} from './kit.ts'
import { isStopped, until } from './waiting.ts'

// Each starts many processes, and other test files run beside it.
vi.setConfig({ testTimeout: 240_000 })

// Both machines are this one, with a home each; that the first is elsewhere is written into the shared state afterwards.
const CONFIRM = '--confirm=shop/local'
let base: World

beforeAll(() => {
  base = newWorld()
})
afterAll(endWorlds)

/** Two homes that see the same data and the same store. */
async function twoMachines(): Promise<[World, World]> {
  const first = copyOf(base)
  describeStack(first, {
    data: `database: sqlite({ file: '${first.database}' }), media: files({ directory: '${first.media}' })`,
    stores: `directory({ path: '${first.store}' })`,
  })
  expect((await invoke(first, 'backup', ['--yes'])).exit).toBe(0)
  changeData(first)
  const home = join(first.folder, 'second')
  mkdirSync(home)
  return [first, { ...first, home }]
}

/** Rewrites what the machines share: the run was begun on another host, and its lease ends at `untilMs`. */
function begunElsewhere(world: World, untilMs: number): void {
  const folder = join(world.store, 'shop/local/.state')
  const newest = join(
    folder,
    readdirSync(folder)
      .filter(name => name.startsWith('.cell-data.json.'))
      .sort()
      .at(-1) as string,
  )
  const shared = JSON.parse(readFileSync(newest, 'utf8'))
  const elsewhere = (by: object) => ({ ...by, host: 'laptop', boot: 'another', user: 'ada' })
  shared.holder = { ...shared.holder, by: elsewhere(shared.holder.by), untilMs }
  for (const entries of Object.values<{ at: string; by?: object }[]>(shared.open))
    for (const entry of entries) if (entry.by) entry.by = elsewhere(entry.by)
  writeFileSync(newest, JSON.stringify(shared))
}

test('two machines exclude each other, say who is at work, and one can wait for the other', async () => {
  const [first, second] = await twoMachines()
  let pid = 0
  const running = invoke(first, 'backup', ['--yes'], {
    die: 'entry:5:after',
    by: 'SIGSTOP',
    started: child => {
      pid = child.pid ?? 0
    },
  })
  await until(() => (pid > 0 && isStopped(pid) ? true : undefined))
  const busy = await invoke(second, 'backup', ['--yes'])
  expect([busy.exit, busy.stderr.replace(/\s+/g, ' ')]).toEqual([
    6,
    expect.stringMatching(/backup \(.*-backup-r[0-9a-f]{6}\) by \S+@\S+, process \d+/),
  ])
  const waiting = invoke(second, 'backup', ['--yes', '--wait=50s'], {
    started: child => child.stderr?.on('data', (text: string) => void (/Waiting for/.test(text) && process.kill(pid, 'SIGCONT'))),
  })
  expect([(await running).exit, (await waiting).exit]).toEqual([0, 0])
})

test('what a lost machine left is settled by another, whole', async () => {
  for (const how of ['resume', 'revert'] as const) {
    const [first, second] = await twoMachines()
    const changed = dataDigest(first)
    expect((await invoke(first, 'restore', ['--backup=latest', CONFIRM], { die: 'entry:37:after' })).signal).toBe('SIGKILL')
    begunElsewhere(first, Date.now() + 60_000)
    const busy = await invoke(second, 'restore', ['--backup=latest', CONFIRM])
    expect([busy.exit, busy.stderr], busy.stderr).toEqual([6, expect.stringContaining('ada@laptop')])
    expect((await invoke(second, 'restore', [`--${how}`, CONFIRM])).exit).toBe(3)
    begunElsewhere(first, Date.now() - 1_000)
    const refused = await invoke(second, 'backup', ['--yes'])
    expect([refused.exit, refused.stderr]).toEqual([5, expect.stringContaining('started by ada@laptop')])
    const settled = await invoke(second, 'restore', [`--${how}`, CONFIRM])
    expect(settled.exit, settled.stderr).toBe(0)
    // Meanwhile the newest backup is the saved present: what was restored is still called by its own name.
    if (how === 'resume') expect(settled.last).toContain(`(${pointsOf(first)[0]})`)
    expect(dataDigest(first) === changed).toBe(how === 'revert')
    expect(storeFaults(first)).toEqual([])
    tryWriting(first)
    // The first machine comes back: its own journal learns how its run ended, and it goes on with its work.
    const back = await invoke(first, 'backup', ['--yes'])
    expect(back.exit, back.stderr).toBe(0)
    const died = journals(first.home)
      .find(({ run }) => run.includes('-restore-'))
      ?.entries.at(-1)
    expect(died).toMatchObject({ at: 'ended', outcome: { exit: 0, word: how === 'resume' ? 'RESTORED' : 'REVERTED' } })
    expect(pointsOf(first)).toHaveLength(3)
  }
})
