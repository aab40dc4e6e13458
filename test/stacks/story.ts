import { expect, test } from 'vitest'
import { journals, type Ran } from '../runbooks/kit.ts'
import type { Site } from './site.ts'

/** A stack that is set up, and how to look at its data and to damage it without the toolkit. */
export type Played = {
  readonly site: Site
  /** Every live record of each part, as text. */
  readonly look: () => Promise<Readonly<Record<string, string>>>
  readonly damage: () => Promise<void>
}

export type Tale = {
  readonly protected: boolean
  /** Flags of a restore and of its undo beyond which one and the consent. */
  readonly restore?: readonly string[]
  /** Flags that give the key, where backups are encrypted. */
  readonly key?: () => readonly string[]
}

/** Runs a runbook that must end well, and prints its last line, so that a log of the tests shows how each stack came out. */
async function ends(site: Site, word: string, runbook: string, ...flags: string[]): Promise<Ran> {
  const ran = await site.run(runbook, ...flags)
  console.log(ran.last)
  expect(ran.exit, `${ran.stdout}\n${ran.stderr}`).toBe(0)
  expect(ran.last).toContain(`${word} ${site.subject}: `)
  return ran
}

/** Backup, drill, list, damage, restore and its undo, each a test of its own that needs those before it. */
export function story(played: () => Played, tale: Tale): void {
  const restore = (tale.restore ?? []) as string[]
  const key = () => [...(tale.key?.() ?? [])]
  const agreed = () => (tale.protected ? `--confirm=${played().site.subject}` : '--yes')
  let before: Readonly<Record<string, string>>
  let damaged: typeof before

  test('is backed up, and its data is not touched', async () => {
    const { site, look } = played()
    before = await look()
    await ends(site, 'DONE', 'backup', '--yes')
    expect(await look()).toEqual(before)
  })

  test('is certified by a drill, which touches nothing', async () => {
    const { site, look } = played()
    await ends(site, 'CERTIFIED', 'restore-drill', '--yes', ...key())
    expect(await look()).toEqual(before)
  })

  test('is listed with that one backup and its certificate', async () => {
    const { site } = played()
    const listed = await ends(site, 'DONE', 'backup-list')
    expect(listed.last).toContain(': 1 backup at ')
    expect(listed.stdout).toContain('CERTIFIED')
  })

  if (tale.protected) {
    test('is not restored with --yes alone', async () => {
      const { site } = played()
      const ran = await site.run('restore', '--backup=latest', '--yes', ...restore, ...key())
      expect(ran.exit, ran.stderr).toBe(2)
      expect(ran.stderr).toContain(`--confirm=${site.subject}`)
    })
  }

  test('is restored after damage to what it was', async () => {
    const { site, look, damage } = played()
    await damage()
    damaged = await look()
    for (const part of Object.keys(before)) expect(damaged[part], part).not.toBe(before[part])
    await ends(site, 'RESTORED', 'restore', '--backup=latest', agreed(), ...restore, ...key())
    expect(await look()).toEqual(before)
  })

  test('is taken back to the damage', async () => {
    const { site, look } = played()
    const run = journals(site.world.home).at(-1)?.run
    await ends(site, 'TAKEN BACK', 'restore', `--undo=${run}`, agreed(), ...restore)
    expect(await look()).toEqual(damaged)
  })
}
