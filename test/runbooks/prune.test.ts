import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Manifest } from '../../lib/backups/manifest.ts'
import { forge } from '../backups/forged.ts'
import { copyOf, describeStack, endWorlds, invoke, journals, jsonOf, newWorld, pointsOf, storeFaults, type World } from './kit.ts'

const DAY = 86_400_000
const HOUR = 3_600_000
const CONFIRM = '--confirm=shop/local'
let base: World
let newest: string
let old: string[]

/** The stack file with a policy. `text` is TypeScript. */
function keeping(world: World, keep: string, environment = '', stores?: string): void {
  describeStack(world, { environment, ...(stores ? { stores } : {}) })
  const file = join(world.config, 'shop.ts')
  writeFileSync(file, readFileSync(file, 'utf8').replace("timezone: 'Europe/Paris',", `timezone: 'Europe/Paris', backups: { keep: ${keep} },`))
}

const folder = (world: World) => join(world.store, 'shop/local')

beforeAll(async () => {
  base = newWorld()
  expect((await invoke(base, 'backup', ['--yes'])).exit).toBe(0)
  newest = pointsOf(base)[0] as string
  const noon = Date.now() - 2 * HOUR
  old = [5, 4, 3, 2, 1].map(days => forge(folder(base), newest, noon - days * DAY))
  keeping(base, '{ last: 3 }')
})
afterAll(endWorlds)

const flat = (text: string) => text.replace(/\s+/g, ' ')

test('a dry run shows every point with its fate and the reason, and removes nothing', async () => {
  const ran = await invoke(base, 'backup-prune', ['--dry-run'])
  expect(ran.exit, ran.stderr).toBe(0)
  const shown = flat(ran.stdout)
  expect(shown).toMatch(new RegExp(`${newest} [\\d.]+ (s|min) .* VERIFIED keep last, the newest good one`))
  expect(shown).toMatch(new RegExp(`${old[0]} 5 d 2 h .* VERIFIED REMOVE beyond what is kept`))
  expect(ran.stdout.match(/REMOVE/g)).toHaveLength(3)
  expect(ran.stdout).toContain('no undo: a removed backup is gone for good')
  expect(ran.last).toContain('a dry run of 3 steps; nothing was touched')
  expect(pointsOf(base)).toHaveLength(6)
})

test('it removes what is beyond the policy, whole, and what it kept still restores', async () => {
  const world = copyOf(base)
  const ran = await invoke(world, 'backup-prune', ['--yes', '--json'])
  const said = jsonOf(ran)
  expect(said.exit, ran.stderr).toBe(0)
  expect((said.result as { removed: { backup: string }[] }).removed.map(({ backup }) => backup)).toEqual(old.slice(0, 3))
  expect(pointsOf(world)).toEqual([...old.slice(3), newest])
  expect(readdirSync(folder(world)).sort()).toEqual(['.state', ...old.slice(3), newest].sort())
  expect(storeFaults(world)).toEqual([])
  const again = await invoke(world, 'backup-prune', ['--quiet'])
  expect([again.exit, again.stdout, again.stderr]).toEqual([0, '', ''])
})

test('nobody there to be asked is never a yes, and a protected environment needs its name', async () => {
  const world = copyOf(base)
  expect(flat((await invoke(world, 'backup-prune')).stderr)).toContain('it needs --confirm=shop/local')
  keeping(world, '{ last: 3 }', 'protected: true')
  const refused = await invoke(world, 'backup-prune', ['--yes'])
  expect([refused.exit, flat(refused.stderr)]).toEqual([2, expect.stringContaining('it needs --confirm=shop/local')])
  expect(pointsOf(world)).toHaveLength(6)
  expect((await invoke(world, 'backup-prune', [CONFIRM])).exit).toBe(0)
  expect(pointsOf(world)).toHaveLength(3)
})

test('a stack file without a policy, or with a wrong one, lets nothing go', async () => {
  const world = copyOf(base)
  describeStack(world, {})
  const none = await invoke(world, 'backup-prune', ['--yes'])
  expect([none.exit, flat(none.stderr)]).toEqual([3, expect.stringContaining('does not say which backups are kept')])
  keeping(world, '{ last: 0 }')
  const wrong = await invoke(world, 'backup-prune', ['--yes'])
  expect([wrong.exit, flat(wrong.stderr)]).toEqual([2, expect.stringContaining('backups.keep.last: at least 1, found 0')])
  expect(pointsOf(world)).toHaveLength(6)
})

test('a pinned point stays until it is unpinned', async () => {
  const world = copyOf(base)
  const pin = await invoke(world, 'backup-pin', [`--backup=${old[0]}`, '--yes'])
  expect([pin.exit, pin.last], pin.stderr).toEqual([0, expect.stringContaining(`PINNED shop/local: ${old[0]} is never pruned`)])
  expect((await invoke(world, 'backup-list')).stdout).toMatch(new RegExp(`${old[0]}\n.*pinned`))
  expect((await invoke(world, 'backup-prune', ['--yes'])).exit).toBe(0)
  expect(pointsOf(world)).toEqual([old[0], ...old.slice(3), newest])
  const unpin = await invoke(world, 'backup-pin', [`--backup=${old[0]}`, '--unpin', '--yes'])
  expect([unpin.exit, unpin.last]).toEqual([0, expect.stringContaining('goes when the policy says so')])
  expect((await invoke(world, 'backup-prune', ['--yes'])).exit).toBe(0)
  expect(pointsOf(world)).toEqual([...old.slice(3), newest])
  expect((await invoke(world, 'backup-pin', ['--backup=2020', '--yes'])).stderr).toContain('There is no backup 2020')
})

const halved = (manifest: Manifest) => {
  const database = manifest.parts.database as Manifest['parts'][string]
  const items = Object.fromEntries(Object.entries(database.content.items).map(([name, one]) => [name, { ...one, count: one.count * 3 }]))
  return { ...manifest, parts: { ...manifest.parts, database: { ...database, content: { ...database.content, items } } } }
}

test('a newest backup that shrank suspiciously needs a person who types it', async () => {
  const world = copyOf(base)
  for (const [i, id] of old.entries()) {
    rmSync(join(folder(world), id), { recursive: true })
    forge(folder(world), newest, Date.now() - 2 * HOUR - (5 - i) * DAY, { manifest: halved })
  }
  const refused = await invoke(world, 'backup-prune', ['--yes'])
  expect([refused.exit, flat(refused.stderr)]).toEqual([
    3,
    expect.stringMatching(/database SHRANK by more than half: 13\d items before, 4\d items in .* add --shrunk=SHRUNK/),
  ])
  const backup = await invoke(world, 'backup', ['--yes'])
  expect([backup.exit, flat(backup.stdout)]).toEqual([0, expect.stringMatching(/Warning Nothing was let go of in directory: database SHRANK/)])
  expect(pointsOf(world)).toHaveLength(7)
  expect((await invoke(world, 'backup-list')).stdout).not.toContain('half the usual size')
  expect((await invoke(world, 'backup-prune', ['--yes', '--shrunk=SHRUNK'])).exit).toBe(0)
  expect(pointsOf(world)).toHaveLength(3)
})

test('a listing that looks wrong, and a clock that was set back, let nothing go', async () => {
  const strange = copyOf(base)
  mkdirSync(join(folder(strange), `${old[0]} copy`))
  writeFileSync(join(folder(strange), `${old[0]} copy/manifest.json`), '{}')
  const strays = await invoke(strange, 'backup-prune', ['--yes'])
  expect([strays.exit, flat(strays.stderr)]).toEqual([
    3,
    expect.stringMatching(/1 object in unknown places look like backups, such as shop\/local\/.* copy\/manifest\.json/),
  ])
  const ahead = copyOf(base)
  forge(folder(ahead), newest, Date.now() + DAY)
  const future = await invoke(ahead, 'backup-prune', ['--yes'])
  expect([future.exit, flat(future.stderr)]).toEqual([3, expect.stringContaining('begins after now: a clock was set')])
  const unreadable = copyOf(base)
  for (const id of old.slice(0, 2)) writeFileSync(join(folder(unreadable), id, 'manifest.json'), '{')
  const share = await invoke(unreadable, 'backup-prune', ['--yes'])
  expect([share.exit, flat(share.stderr)]).toEqual([3, expect.stringContaining('the manifests of 2 of 6 backups cannot be read')])
  for (const world of [strange, ahead, unreadable]) expect(readdirSync(folder(world)).length).toBeGreaterThanOrEqual(7)
})

test('a backup lets go of old ones by the policy, the new one counted', async () => {
  const world = copyOf(base)
  keeping(world, '{ last: 4 }')
  const ran = await invoke(world, 'backup', ['--yes'])
  expect(ran.exit, ran.stderr).toBe(0)
  const made = jsonOf(await invoke(world, 'backup-list', ['--json'])).result as { id: string }[]
  expect(made.map(({ id }) => id).slice(0, 3)).toEqual([old[3], old[4], newest])
  expect(made).toHaveLength(4)
  expect(storeFaults(world)).toEqual([])
})

test('a backup does not let more than half of the good ones go at once', async () => {
  const world = copyOf(base)
  keeping(world, '{ last: 1 }')
  const ran = await invoke(world, 'backup', ['--yes'])
  expect([ran.exit, flat(ran.stdout)]).toEqual([0, expect.stringMatching(/let go of 6 backups at once, more than half of the good ones/)])
  expect(pointsOf(world)).toHaveLength(7)
})

test('a damaged point is let go of only beyond the policy; one without a manifest after a day', async () => {
  const world = copyOf(base)
  const bytes = join(folder(world), old[0] as string, 'database.sqlite.zst')
  rmSync(bytes)
  const young = forge(folder(world), newest, Date.now() - 3 * HOUR, { without: ['manifest.json'], mark: 'raaaaaa' })
  const dead = forge(folder(world), newest, Date.now() - 30 * HOUR, { without: ['manifest.json'], mark: 'rbbbbbb' })
  keeping(world, '{ last: 6 }')
  expect((await invoke(world, 'backup-prune', ['--yes'])).exit).toBe(0)
  expect([old[0] as string, young, dead].map(id => existsSync(join(folder(world), id)))).toEqual([true, true, false])
  keeping(world, '{ last: 5 }')
  expect((await invoke(world, 'backup-prune', ['--yes'])).exit).toBe(0)
  expect(existsSync(join(folder(world), old[0] as string))).toBe(false)
  expect(pointsOf(world)).toHaveLength(5)
})

test('killed in the middle, the next prune finishes, whatever stood half-removed', async () => {
  for (const die of ['effect:12:before', 'entry:8:torn']) {
    const world = copyOf(base)
    const died = await invoke(world, 'backup-prune', ['--yes'], { die })
    expect([die, died.signal]).toEqual([die, 'SIGKILL'])
    const next = await invoke(world, 'backup-prune', ['--yes'])
    expect([die, next.exit], next.stderr).toEqual([die, 0])
    expect(readdirSync(folder(world)).sort()).toEqual(['.state', ...old.slice(3), newest].sort())
    expect(storeFaults(world)).toEqual([])
  }
})

test('two at once: one prunes, the other says who', async () => {
  const world = copyOf(base)
  const both = await Promise.all([invoke(world, 'backup-prune', ['--yes']), invoke(world, 'backup-prune', ['--yes'])])
  const exits = both.map(({ exit }) => exit).sort()
  // The slower one is told who is at work, or that the plan which it showed is not what stands any more.
  expect([0, 3, 6]).toContain(exits[1])
  expect(exits[0], both.map(({ stderr }) => stderr).join()).toBe(0)
  expect(pointsOf(world)).toHaveLength(3)
  expect(storeFaults(world)).toEqual([])
  expect(journals(world.home).length).toBeGreaterThanOrEqual(2)
})

test('the list tells the trend, and how old the newest is against what the stack allows', async () => {
  const world = copyOf(base)
  const big = (manifest: Manifest) => {
    const database = manifest.parts.database as Manifest['parts'][string]
    return { ...manifest, parts: { ...manifest.parts, database: { ...database, stored: { ...database.stored, bytes: 3000 } } } }
  }
  for (const [i, id] of old.entries()) {
    rmSync(join(folder(world), id), { recursive: true })
    forge(folder(world), newest, Date.now() - (9 - i) * DAY, { manifest: big, with: { 'database.sqlite.zst': 'x'.repeat(3000) } })
  }
  const file = join(world.config, 'shop.ts')
  writeFileSync(file, readFileSync(file, 'utf8').replace('backups: {', "backups: { objectives: { dataLoss: '1s' },"))
  const listed = await invoke(world, 'backup-list')
  expect(listed.stdout.split('\n')[2]).toMatch(/−\d\d % ! half the usual size$/)
  expect(flat(listed.stdout)).toMatch(/The newest proven backup is .* old; the stack allows 1.0 s/)
})
