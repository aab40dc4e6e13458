import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { faultTable } from './faults.ts'
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
  type Ran,
  remains,
  storeFaults,
  tryWriting,
  type World,
} from './kit.ts'
import { isStopped, until } from './waiting.ts'

// Each starts many processes, and other test files run beside it.
vi.setConfig({ testTimeout: 240_000 })

const CONFIRM = '--confirm=shop/local'
const RESTORE = ['--backup=latest', CONFIRM]
const { row, known, made } = faultTable('While something runs')
let base: World

beforeAll(async () => {
  base = newWorld()
  expect((await invoke(base, 'backup', ['--yes'])).exit).toBe(0)
  changeData(base)
})
afterAll(endWorlds)

/** Starts a runbook that stands still once it has journaled so many lines, and gives its promise with the means to go on. */
async function standingStill(world: World, runbook: string, flags: readonly string[], at: string): Promise<{ ran: Promise<Ran>; goOn(): void }> {
  let pid = 0
  const before = journals(world.home).length
  const ran = invoke(world, runbook, flags, {
    die: at,
    by: 'SIGSTOP',
    started: child => {
      pid = child.pid ?? 0
    },
  })
  await until(() => (journals(world.home).length > before && isStopped(pid) ? true : undefined))
  return { ran, goOn: () => void process.kill(pid, 'SIGCONT') }
}

/** The world is as before a run, sound, and writers are in. */
function asBefore(world: World, digest: string): void {
  expect([dataDigest(world), storeFaults(world), remains(world)]).toEqual([digest, [], []])
  tryWriting(world)
}

test('a second backup waits for the first or says who is at work; looking is always possible', async () => {
  const world = copyOf(base)
  const first = await standingStill(world, 'backup', ['--yes'], 'entry:4:after')
  const second = await invoke(world, 'backup', ['--yes'])
  expect([second.exit, second.stderr.replace(/\s+/g, ' ')]).toEqual([6, expect.stringContaining(`backup (${journals(world.home).at(-1)?.run})`)])
  row('two backups at once', 'backup', second, 'the first goes on', world)
  const restore = await invoke(world, 'restore', RESTORE)
  expect(restore.exit).toBe(6)
  row('a restore during a backup', 'restore --backup=latest', restore, 'the backup goes on', world)
  expect((await invoke(world, 'backup-list')).exit).toBe(0)
  const third = invoke(world, 'backup', ['--yes', '--wait=50s'], {
    started: child => child.stderr?.on('data', (text: string) => void (/Waiting for/.test(text) && first.goOn())),
  })
  expect([(await first.ran).exit, (await third).exit, pointsOf(world).length]).toEqual([0, 0, 3])
  expect((await third).stderr).toContain('Waiting for backup')
})

test('a backup during a restore is refused, and the restore is none the worse', async () => {
  const world = copyOf(base)
  const restore = await standingStill(world, 'restore', RESTORE, 'entry:32:after')
  const backup = await invoke(world, 'backup', ['--yes'])
  expect([backup.exit, backup.stderr.replace(/\s+/g, ' ')]).toEqual([6, expect.stringMatching(/restore \(.*\) by /)])
  row('a backup during a restore', 'backup', backup, 'the restore goes on', world)
  restore.goOn()
  expect((await restore.ran).exit).toBe(0)
  expect(storeFaults(world)).toEqual([])
})

test('Ctrl-C and SIGTERM take everything back wherever they come', async () => {
  const digest = dataDigest(base)
  const points = ['entry:4:after', 'entry:14:after', 'entry:24:after', 'entry:34:after', 'entry:40:after'] as const
  for (const [i, at] of points.entries()) {
    const world = copyOf(base)
    const ran = await invoke(world, 'restore', RESTORE, { die: at, by: i % 2 === 0 ? 'SIGINT' : 'SIGTERM' })
    expect([at, ran.exit], ran.stderr).toEqual([at, i % 2 === 0 ? 130 : 143])
    asBefore(world, digest)
    if (i === 3) row('SIGTERM', 'restore --backup=latest', ran, 'live data as it was', world)
    if (i === 4) row('Ctrl-C', 'restore --backup=latest', ran, 'live data as it was', world)
  }
  const world = copyOf(base)
  const ran = await invoke(world, 'backup', ['--yes'], { die: 'entry:5:after', by: 'SIGINT' })
  expect(ran.exit).toBe(130)
  expect(pointsOf(world)).toEqual(pointsOf(base))
  asBefore(world, digest)
  row('Ctrl-C', 'backup', ran, 'the earlier backups', world)
})

test('a second Ctrl-C leaves at once, says what stands, and nothing new starts before that is settled', async () => {
  const world = copyOf(base)
  const digest = dataDigest(world)
  const stubborn = `trap '' INT TERM; touch ${join(world.folder, 'stopping')}; for i in $(seq 300); do sleep 0.1; done`
  const writers = (stop: string) => `writers: { stop: ['sh', '-c', ${JSON.stringify(stop)}], start: ['true'], running: ['true'] }`
  describeStack(world, { environment: writers(stubborn) })
  let kill = () => {}
  const running = invoke(world, 'restore', RESTORE, {
    started: child => {
      kill = () => void child.kill('SIGINT')
    },
  })
  await until(() => (existsSync(join(world.folder, 'stopping')) ? true : undefined))
  kill()
  setTimeout(kill, 700)
  const left = await running
  expect([left.exit, left.last], left.stderr).toEqual([5, expect.stringMatching(/^HUMAN NEEDED/)])
  expect(left.stderr).toContain('--revert')
  row('a second Ctrl-C', 'restore --backup=latest', left, 'what the run had done so far, for `--revert` or `--resume`', world)
  const next = await invoke(world, 'backup', ['--yes'])
  expect([next.exit, next.stderr.replace(/\s+/g, ' ')]).toEqual([5, expect.stringContaining('nothing new starts over it')])
  row('a run that was left half-way', 'backup', next, 'as before', world)
  describeStack(world, { environment: `writers: { stop: ['true'], start: ['true'], running: ['true'] }` })
  const revert = await invoke(world, 'restore', ['--revert', CONFIRM])
  expect([revert.exit, revert.last], revert.stderr).toEqual([0, expect.stringMatching(/^REVERTED/)])
  row('a run that was left half-way', 'restore --revert', revert, 'live data as it was', world)
  asBefore(world, digest)
})

test('SIGKILL costs nothing: a killed restore must be settled, a killed backup heals itself off a terminal', async () => {
  const world = copyOf(base)
  const digest = dataDigest(world)
  const died = await invoke(world, 'restore', RESTORE, { die: 'entry:36:after' })
  expect(died.signal).toBe('SIGKILL')
  row('SIGKILL', 'restore --backup=latest', died, 'the journal, and a run that must be settled first', world)
  const next = await invoke(world, 'restore', RESTORE)
  expect([next.exit, next.stderr]).toEqual([5, expect.stringContaining('started by')])
  row('an earlier run was killed', 'restore --backup=latest', next, 'as before', world)
  expect((await invoke(world, 'restore', ['--resume', CONFIRM])).exit).toBe(0)
  expect(dataDigest(world)).not.toBe(digest)
  const healed = copyOf(base)
  expect((await invoke(healed, 'backup', ['--yes'], { die: 'entry:6:after' })).signal).toBe('SIGKILL')
  const backup = await invoke(healed, 'backup', ['--yes'])
  expect([backup.exit, pointsOf(healed).length], backup.stderr).toEqual([0, 2])
  row('an earlier backup was killed', 'backup', backup, 'a new backup; what the dead one left is removed', healed)
  asBefore(healed, digest)
})

test('a run that was mended by hand is closed by its name', async () => {
  const world = copyOf(base)
  expect((await invoke(world, 'restore', RESTORE, { die: 'entry:24:after' })).signal).toBe('SIGKILL')
  const run = journals(world.home).at(-1)?.run ?? ''
  expect((await invoke(world, 'restore', ['--close=nothing', CONFIRM])).exit).toBe(2)
  const closed = await invoke(world, 'restore', [`--close=${run}`, CONFIRM])
  expect([closed.exit, closed.last], closed.stderr).toEqual([0, expect.stringContaining('closed on your word')])
  expect((await invoke(world, 'backup', ['--yes'])).exit).toBe(0)
})

test('a step that fails is taken back, and a journal that cannot be written stops the run before it begins', async () => {
  const world = copyOf(base)
  const digest = dataDigest(world)
  describeStack(world, { environment: `writers: { stop: ['sh', '-c', 'echo no such unit >&2; exit 5'], start: ['true'], running: ['true'] }` })
  const failed = await invoke(world, 'restore', RESTORE)
  expect([failed.exit, failed.stderr], failed.stderr).toEqual([4, expect.stringContaining('no such unit')])
  row('writers that cannot be stopped', 'restore --backup=latest', failed, 'live data as it was', world)
  asBefore(world, digest)
  writeFileSync(join(world.folder, 'file'), '')
  const nowhere = await invoke(world, 'backup', ['--yes'], { env: { RUNBOOKS_CONFIG: join(world.folder, 'file') } })
  expect(nowhere.exit).toBe(2)
  row('a folder of stack files that is none', 'backup', nowhere, 'everything as it was', world)
})

test('a closed stdin and a reader that goes away change nothing', async () => {
  const world = copyOf(base)
  const closed = await invoke(world, 'backup', ['--yes'], { stdin: 'closed' })
  expect([closed.exit, pointsOf(world).length], closed.stderr).toEqual([0, 2])
  row('stdin is closed', 'backup', closed, 'a new backup', world)
  const deaf = await invoke(world, 'backup', ['--yes'], {
    started: child => {
      child.stderr?.destroy()
      child.stdout?.destroy()
    },
  })
  expect([deaf.exit, pointsOf(world).length]).toEqual([0, 3])
})

test('the table has no row of this section that nothing makes', () => {
  if (!process.env.UPDATE_FAULTS) expect(new Set(made())).toEqual(new Set(known()))
})
