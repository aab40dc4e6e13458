import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { agrees, codesIn } from './faults.ts'
import { copyOf, endWorlds, invoke, journals, jsonOf, newWorld, type World } from './kit.ts'

// Each starts many processes, and other test files run beside it.
vi.setConfig({ testTimeout: 240_000 })

const CONFIRM = '--confirm=shop/local'
let base: World

beforeAll(async () => {
  base = newWorld()
  expect((await invoke(base, 'backup', ['--yes'])).exit).toBe(0)
})
afterAll(endWorlds)

const EVERY: readonly (readonly [string, ...string[]])[] = [
  ['backup', '--yes'],
  ['backup-list'],
  ['backup-verify', '--backup=all', '--yes'],
  ['restore-drill', '--backup=latest', '--yes'],
  ['restore', '--backup=latest', CONFIRM],
  ['restore', '--backup=latest', '--dry-run'],
  ['doctor'],
]

test('with --json stdout is one object that agrees with the exit code, the journal and the log', async () => {
  const world = copyOf(base)
  for (const [runbook, ...flags] of EVERY) {
    const before = journals(world.home).length
    const ran = await invoke(world, runbook, [...flags, '--json'])
    const json = jsonOf(ran)
    expect([runbook, ran.exit, json.exit]).toEqual([runbook, 0, 0])
    expect(json).toMatchObject({ runbook, subject: 'shop/local', says: expect.any(String), warnings: expect.any(Array), stands: expect.any(Array) })
    expect(codesIn(ran.stdout + ran.stderr)).toEqual([])
    agrees(ran, world)
    const journal = journals(world.home)[before]
    expect(json.run).toBe(journal?.run ?? null)
    const ended = journal?.entries.at(-1)
    if (ended?.at === 'ended') expect([ended.outcome.word, ended.outcome.says]).toEqual([json.word, json.says])
  }
  const failed = await invoke(world, 'restore', ['--backup=latest', '--json'])
  expect([failed.exit, jsonOf(failed)]).toMatchObject([2, { exit: 2, word: 'USAGE', run: null, why: expect.stringContaining('--confirm') }])
  const wrong = await invoke(world, 'backup', ['--json', '--yes', '--environment=prod'])
  expect([wrong.exit, jsonOf(wrong)]).toMatchObject([2, { exit: 2 }])
  const unknown = await invoke(world, 'backup', ['--json', '--frobnicate'])
  expect([unknown.exit, jsonOf(unknown)]).toMatchObject([2, { exit: 2 }])
})

test('no output has codes of a terminal, whatever TERM says', async () => {
  for (const env of [{}, { TERM: 'xterm-256color', COLORTERM: 'truecolor' }, { TERM: 'dumb' }, { NO_COLOR: '1', TERM: 'xterm' }, { CI: 'true' }]) {
    const ran = await invoke(base, 'backup-list', [], { env })
    expect([ran.exit, codesIn(ran.stdout + ran.stderr)]).toEqual([0, []])
  }
  const ran = await invoke(copyOf(base), 'backup', ['--yes', '--verbose'], { env: { TERM: 'xterm-256color' } })
  expect([ran.exit, codesIn(ran.stdout + ran.stderr)]).toEqual([0, []])
})

test('--quiet says nothing of what went well, and everything of what did not', async () => {
  const world = copyOf(base)
  const good = await invoke(world, 'backup', ['--yes', '--quiet'])
  expect([good.exit, good.stdout, good.stderr]).toEqual([0, '', ''])
  rmSync(world.database)
  const bad = await invoke(world, 'backup', ['--yes', '--quiet'])
  expect([bad.exit, bad.stderr, bad.last]).toEqual([3, expect.stringContaining('is missing'), expect.stringMatching(/^REFUSED .*\(exit 3\)$/)])
})

test('a runbook runs from any folder, with stack files and home outside the clone, and leaves nothing elsewhere', async () => {
  const world = copyOf(base)
  const tmp = join(world.folder, 'tmp')
  mkdirSync(tmp)
  const ran = await invoke(world, 'backup', ['--yes'], { env: { TMPDIR: tmp } })
  expect([ran.exit, readdirSync(tmp), readdirSync(world.config).sort()]).toEqual([0, [], ['package.json', 'shop.ts']])
})
