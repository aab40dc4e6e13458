import { rmSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { changeData, copyOf, dataDigest, endWorlds, invoke, newWorld, type World } from '../runbooks/kit.ts'
import { describeWith } from '../testbed/index.ts'
import { expectScreen, Terminal } from './terminal.ts'

const SUBJECT = '--stack=shop --environment=local'

// Several starts of a runbook each, on a machine that other tests share.
vi.setConfig({ testTimeout: 180_000 })

describeWith('tmux', 'the screens at 80 × 24', () => {
  /** A world with a certified backup and newer data. */
  let proven: World
  let world: World
  let terminal: Terminal
  beforeAll(async () => {
    proven = newWorld()
    expect((await invoke(proven, 'backup', ['--yes'])).exit).toBe(0)
    expect((await invoke(proven, 'restore-drill', ['--backup=latest', '--yes'])).exit).toBe(0)
    changeData(proven)
  })
  beforeEach(() => {
    world = copyOf(proven)
    terminal = new Terminal(world)
  })
  afterEach(() => terminal.end())
  afterAll(endWorlds)

  test('a backup asks for what is missing, shows its plan, and ends with the next command', async () => {
    terminal.command('npx zx runbooks/backup.ts')
    await terminal.until(/Stack\n❯ shop/)
    terminal.press('Enter')
    await terminal.until(/Environment\n❯ local/)
    terminal.press('Enter')
    expectScreen('backup-1-parts', await terminal.until(/Which parts\?\n/))
    terminal.press('Enter')
    expectScreen('backup-2-plan', await terminal.until(/Run 6 steps\? \(Y\/n\)/))
    terminal.press('Enter')
    expectScreen('backup-3-end', await terminal.until(/\(exit 0\)\n\$/))
  })

  test('a restore shows the backups, the losses twice, waits for the typed name, and ends with its undo', async () => {
    const before = dataDigest(world)
    terminal.command(`npx zx runbooks/restore.ts ${SUBJECT}`)
    expectScreen('restore-1-choices', await terminal.until(/Which backup\?\n/))
    terminal.press('Enter')
    await terminal.until(/Which parts\?\n/)
    terminal.press('Enter')
    expectScreen('restore-2-plan', await terminal.until(/\(Y\/n\)/))
    terminal.press('Enter')
    expectScreen('restore-3-gate', await terminal.until(/Type shop\/local/))
    terminal.type('shop/loca')
    terminal.press('Enter')
    await terminal.until(/exactly, or clear the line/)
    expect(dataDigest(world)).toBe(before)
    terminal.type('l')
    terminal.press('Enter')
    expectScreen('restore-4-end', await terminal.until(/\(exit 0\)\n\$/))
    expect(dataDigest(world)).not.toBe(before)
  })

  test('Enter at the gate of a restore cleans up and leaves the data as it was', async () => {
    const before = dataDigest(world)
    terminal.command(`npx zx runbooks/restore.ts ${SUBJECT} --backup=latest --part=media`)
    await terminal.until(/\(Y\/n\)/)
    terminal.press('Enter')
    await terminal.until(/Type shop\/local/)
    terminal.press('Enter')
    expectScreen('restore-declined', await terminal.until(/\(exit \d+\)\n\$/))
    expect(dataDigest(world)).toBe(before)
  })

  test('an unfinished run comes before everything else, and Enter touches nothing', async () => {
    const died = await invoke(world, 'restore', ['--backup=latest', '--yes'], { die: 'entry:30:after' })
    expect(died.signal).toBe('SIGKILL')
    terminal.command(`npx zx runbooks/backup.ts ${SUBJECT}`)
    expectScreen('unfinished-1-table', await terminal.until(/What now\?\n/))
    terminal.press('Enter')
    expectScreen('unfinished-2-quit', await terminal.until(/\(exit 5\)\n\$/))
  })

  test('a refusal says why, and what to type', async () => {
    rmSync(world.database)
    terminal.command(`npx zx runbooks/backup.ts ${SUBJECT} --yes`)
    expectScreen('refusal', await terminal.until(/\(exit 3\)\n\$/))
  })

  test('a mistyped option is answered with the nearest right one', async () => {
    terminal.command(`npx zx runbooks/restore.ts ${SUBJECT} --backp=latest`)
    expectScreen('usage', await terminal.until(/\(exit 2\)\n\$/))
  })

  test('the doctor says what holds and what does not', async () => {
    terminal.command(`npx zx runbooks/doctor.ts ${SUBJECT}`)
    expectScreen('doctor', await terminal.until(/\(exit \d\)\n\$/))
  })
})
