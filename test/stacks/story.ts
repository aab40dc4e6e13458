import { expect, test } from 'vitest'
import { journals, jsonOf, type Ran } from '../runbooks/kit.ts'
import type { Site } from './site.ts'

/** A stack that is set up, and how to look at its data and to damage it without the toolkit. */
export type Played = {
  readonly site: Site
  /** Every live record of every part, as text. */
  readonly look: () => Promise<string>
  readonly damage: () => Promise<void>
}

export type Tale = {
  readonly protected: boolean
  /** Flags of a restore and of its undo beyond which one and the consent. */
  readonly restore?: readonly string[]
  /** Flags that give the key, where backups are encrypted. */
  readonly key?: () => readonly string[]
}

/** Runs a runbook that must end well, and shows its last line, which is what an operator reads. */
async function ends(site: Site, word: string, runbook: string, ...flags: string[]): Promise<Ran> {
  const ran = await site.run(runbook, ...flags)
  // biome-ignore lint/suspicious/noConsole: the log of CI shows how each stack came out.
  console.log(ran.last)
  expect(ran.exit, `${ran.stdout}\n${ran.stderr}`).toBe(0)
  expect(ran.last).toContain(`${word} ${site.subject}: `)
  return ran
}

/** Backup, list, drill, damage, restore and its undo, each a test of its own that needs those before it. */
export function story(played: () => Played, tale: Tale): void {
  const restore = (tale.restore ?? []) as string[]
  const key = () => [...(tale.key?.() ?? [])]
  const agreed = () => (tale.protected ? `--confirm=${played().site.subject}` : '--yes')
  let before: string
  let damaged: string

  test('is backed up, and its data is not touched', async () => {
    const { site, look } = played()
    before = await look()
    await ends(site, 'DONE', 'backup', '--yes')
    expect(await look()).toBe(before)
  })

  test('is listed with that one backup', async () => {
    const { site } = played()
    const listed = await ends(site, 'DONE', 'backup-list')
    const id = journals(site.world.home).flatMap(({ entries }) => entries.flatMap(entry => (entry.at === 'planned' ? [entry.run] : [])))[0] ?? 'none'
    expect(listed.stdout).toContain(id.slice(0, 16))
  })

  test('is certified by a drill, which touches nothing', async () => {
    const { site, look } = played()
    await ends(site, 'CERTIFIED', 'restore-drill', '--yes', ...key())
    expect(await look()).toBe(before)
    expect((await site.run('backup-list')).stdout).toContain('CERTIFIED')
  })

  test.runIf(tale.protected)('is not restored with --yes alone', async () => {
    const { site, look, damage } = played()
    await damage()
    damaged = await look()
    expect(damaged).not.toBe(before)
    const ran = await site.run('restore', '--backup=latest', '--yes', ...restore, ...key())
    expect(ran.exit, ran.stderr).toBe(2)
    expect(ran.stderr).toContain(`--confirm=${site.subject}`)
    expect(await look()).toBe(damaged)
  })

  test('is restored after damage to what it was, and taken back to the damage', async () => {
    const { site, look, damage } = played()
    if (!tale.protected) await damage()
    damaged = await look()
    expect(damaged).not.toBe(before)
    await ends(site, 'RESTORED', 'restore', '--backup=latest', agreed(), ...restore, ...key())
    expect(await look()).toBe(before)
    const run = journals(site.world.home).findLast(({ folder }) => folder.includes('-restore-') && !folder.includes('-restore-drill-'))?.run ?? ''
    await ends(site, 'TAKEN BACK', 'restore', `--undo=${run}`, agreed(), ...restore)
    expect(await look()).toBe(damaged)
  })
}
