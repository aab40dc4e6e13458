import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { seal } from '../../lib/backups/manifest.ts'
import { faultTable } from './faults.ts'
import { copyOf, dataDigest, describeStack, endWorlds, invoke, journals, newWorld, pointsOf, remains, type World } from './kit.ts'

// Each starts many processes, and other test files run beside it.
vi.setConfig({ testTimeout: 240_000 })

const CONFIRM = '--confirm=shop/local'
const { row, known, made } = faultTable('A small stack on this machine')
let base: World
let point: string

beforeAll(async () => {
  base = newWorld()
  expect((await invoke(base, 'backup', ['--yes'])).exit).toBe(0)
  point = pointsOf(base)[0] as string
})
afterAll(endWorlds)

const object = (world: World, file: string) => join(world.store, 'shop/local', point, file)

/** Runs a runbook that must leave data, backups and what stands beside the data as they were. */
async function untouched(world: World, fault: string, runbook: string, flags: readonly string[], exit: number, why: RegExp | string): Promise<void> {
  const before = [dataDigest(world), ...pointsOf(world), ...remains(world)]
  const runs = journals(world.home).length
  const ran = await invoke(world, runbook, flags)
  expect([ran.exit, ran.stderr.replace(/\s+/g, ' ')], ran.stderr).toEqual([exit, expect.stringMatching(why)])
  expect([dataDigest(world), ...pointsOf(world), ...remains(world)]).toEqual(before)
  if (exit === 2 || exit === 3) expect(journals(world.home)).toHaveLength(runs)
  row(
    fault,
    [runbook, ...flags.filter(flag => flag !== CONFIRM && flag !== '--yes').map(flag => flag.replace(/=\d{8}T.*/, '=‹id›'))].join(' '),
    ran,
    'everything as it was',
    world,
  )
}

test('nobody there to be asked is never a yes', async () => {
  await untouched(base, 'no terminal and no `--yes`', 'backup', [], 2, /needs --yes/)
  await untouched(base, 'no terminal and no stack named', 'backup', ['--yes', '--stack=shpo'], 2, /There is no stack "shpo".*Did you mean shop/)
  await untouched(base, 'an option with a typo', 'backup', ['--yse'], 2, /no option --yse.*Did you mean --yes/)
  await untouched(base, '`--yes` without saying which backup', 'restore', ['--yes'], 2, /--backup is missing/)
  await untouched(base, 'a backup that does not exist', 'restore', ['--backup=20200101T000000Z-rffffff', CONFIRM], 3, /There is no backup 2020/)
  const guarded = copyOf(base)
  describeStack(guarded, { environment: 'protected: true' })
  await untouched(guarded, 'a protected environment and only `--yes`', 'restore', ['--backup=latest', '--yes'], 2, /needs --confirm=shop\/local/)
  await untouched(
    guarded,
    'a confirmation of something else',
    'restore',
    ['--backup=latest', '--yes', '--confirm=shop/prod'],
    2,
    /names something else/,
  )
  expect((await invoke(guarded, 'restore', ['--backup=latest'], { env: { RUNBOOKS_YES: 'true', RUNBOOKS_CONFIRM: 'shop/local' } })).exit).toBe(2)
})

test('a stack file that is wrong is named with its field, and nothing is touched', async () => {
  const wrong = copyOf(base)
  describeStack(wrong, { environment: 'protcted: true' })
  await untouched(wrong, 'a stack file with an unknown field', 'backup', ['--yes'], 2, /shop\.ts is not a valid stack file.*protcted/)
  describeStack(wrong, { data: `database: sqlite({ flie: 'shop.sqlite' })` })
  await untouched(wrong, 'a stack file with a typo in a part', 'backup', ['--yes'], 2, /not a valid stack file.*file/)
  describeStack(wrong, { environment: 'protected: tru' })
  await untouched(wrong, 'a stack file that does not load', 'backup', ['--yes'], 2, /shop\.ts could not be loaded.*tru/)
  describeStack(wrong, { stores: `directory({ path: env('NOT_SET') })` })
  await untouched(wrong, 'a setting that is set nowhere', 'backup', ['--yes'], 2, /NOT_SET is not set/)
})

test('data that is not there, not readable or empty is no backup', async () => {
  const empty = copyOf(base)
  new DatabaseSync(empty.database).exec('DELETE FROM orders; DELETE FROM users')
  await untouched(empty, 'an empty database', 'backup', ['--yes'], 3, /database .* is empty: 0 items/)
  const small = copyOf(base)
  new DatabaseSync(small.database).exec('DELETE FROM orders WHERE id > 3')
  const other = copyOf(small)
  const shrunk = await invoke(small, 'backup', ['--yes'])
  expect([shrunk.exit, shrunk.stdout.replace(/\s+/g, ' ')]).toEqual([
    0,
    expect.stringMatching(/Warning database SHRANK by more than half .*: 44 items then, 5 now/),
  ])
  expect((await invoke(other, 'backup', ['--yes', '--quiet'])).stderr).toContain('SHRANK')
  row('a source that shrank by more than half', 'backup', shrunk, 'a new backup, and a warning (also with `--quiet`)', small)
  const gone = copyOf(base)
  rmSync(gone.database)
  const missing = await invoke(gone, 'backup', ['--yes'])
  expect([missing.exit, missing.stderr, pointsOf(gone)]).toEqual([3, expect.stringContaining('is missing'), [point]])
  row('an unknown database', 'backup', missing, 'everything as it was', gone)
  writeFileSync(gone.database, 'not a database '.repeat(1000))
  const garbage = await invoke(gone, 'backup', ['--yes'])
  expect([garbage.exit, garbage.stderr.replace(/\s+/g, ' ')]).toEqual([3, expect.stringContaining('is not an SQLite database')])
  row('a database file that is none', 'backup', garbage, 'everything as it was', gone)
})

test('a present that cannot be read is not written over unless that is agreed to, and its undo brings it back', async () => {
  const world = copyOf(base)
  const bytes = 'not a database '.repeat(1000)
  writeFileSync(world.database, bytes)
  const refused = await invoke(world, 'restore', ['--backup=latest', CONFIRM])
  expect([refused.exit, refused.stderr]).toEqual([3, expect.stringContaining('--skip-safety-backup=SKIP')])
  row('a present that cannot be saved first', 'restore --backup=latest', refused, 'everything as it was', world)
  const agreed = await invoke(world, 'restore', ['--backup=latest', CONFIRM, '--skip-safety-backup=SKIP'])
  expect([agreed.exit, dataDigest(world)], agreed.stderr).toEqual([0, dataDigest(base)])
  expect(agreed.stderr).toContain('Loss, counted again: database ?, media 0.')
  expect(agreed.stderr).not.toContain('no item less than now')
  row(
    'the same, with its loss agreed to',
    'restore --backup=latest --skip-safety-backup=SKIP',
    agreed,
    'the backup; the ruined file set aside',
    world,
  )
  const back = await invoke(world, 'restore', [`--undo=${journals(world.home).at(-1)?.run}`, CONFIRM])
  expect([back.exit, readFileSync(world.database, 'utf8')], back.stderr).toEqual([0, bytes])
})

test('a part that was not there is restored, and nothing is promised that could bring back nothing', async () => {
  const world = copyOf(base)
  rmSync(world.database)
  const ran = await invoke(world, 'restore', ['--backup=latest', CONFIRM])
  expect([ran.exit, dataDigest(world)], ran.stderr).toEqual([0, dataDigest(base)])
  const back = await invoke(world, 'restore', [`--undo=${journals(world.home).at(-1)?.run}`, CONFIRM])
  expect([back.exit, back.last]).toEqual([0, expect.stringContaining('but database stays: before it there was none')])
  const only = copyOf(base)
  rmSync(only.database)
  const one = await invoke(only, 'restore', ['--backup=latest', '--part=database', CONFIRM])
  expect([one.exit, one.stdout]).toEqual([0, expect.not.stringContaining('--undo')])
})

test('a damaged backup is found by its list, its verification, and its restore, whichever comes first', async () => {
  const cut = copyOf(base)
  truncateSync(object(cut, 'media.tar.zst'), 100)
  await untouched(cut, 'a truncated object', 'backup-list', [], 7, /media\.tar\.zst has 100 of \d+ bytes/)
  await untouched(cut, 'a truncated object', `restore`, [`--backup=${point}`, CONFIRM], 7, /is CORRUPT/)
  await untouched(cut, 'no sound backup is left', 'restore', ['--backup=latest', CONFIRM], 3, /no sound backup/)
  const flipped = copyOf(base)
  const bytes = readFileSync(object(flipped, 'media.tar.zst'))
  bytes.writeUInt8(bytes.readUInt8(100) ^ 4, 100)
  writeFileSync(object(flipped, 'media.tar.zst'), bytes)
  await untouched(flipped, 'a flipped bit', 'restore', ['--backup=latest', CONFIRM], 7, /media.*damaged/)
  await untouched(flipped, 'a flipped bit', 'restore-drill', ['--backup=latest', '--yes'], 7, /media.*damaged/)
  await untouched(flipped, 'a flipped bit', 'backup-verify', ['--backup=all', '--yes'], 7, /media.*damaged/)
  await untouched(flipped, 'a flipped bit that a verification found', 'restore', [`--backup=${point}`, CONFIRM], 7, /is CORRUPT/)
  const part = copyOf(base)
  rmSync(object(part, 'database.sqlite.zst'))
  await untouched(part, 'an object that is gone', 'restore', [`--backup=${point}`, CONFIRM], 7, /database\.sqlite\.zst is missing/)
  await untouched(part, 'an object that is gone', 'backup-verify', ['--backup=all', '--yes'], 7, /is missing/)
})

test('what is no backup is named, and never restored from', async () => {
  const bare = copyOf(base)
  rmSync(object(bare, 'manifest.json'))
  const listed = await invoke(bare, 'backup-list')
  expect([listed.exit, listed.stdout]).toEqual([0, expect.stringMatching(new RegExp(`${point} +INCOMPLETE: no manifest`))])
  await untouched(bare, 'objects without a manifest', 'restore', [`--backup=${point}`, CONFIRM], 7, /INCOMPLETE: no manifest/)
  const newer = copyOf(base)
  const { digest: _, ...manifest } = JSON.parse(readFileSync(object(newer, 'manifest.json'), 'utf8'))
  writeFileSync(object(newer, 'manifest.json'), seal({ ...manifest, format: 99 }))
  await untouched(newer, 'a manifest from a newer format', 'restore', [`--backup=${point}`, CONFIRM], 3, /format 99/)
  await untouched(newer, 'a manifest from a newer format', 'backup-verify', [`--backup=${point}`, '--yes'], 3, /format 99/)
})

test('a store that is away or read-only is told before anything is touched', async () => {
  const world = copyOf(base)
  describeStack(world, { stores: `directory({ path: '/nowhere/at/all' })` })
  await untouched(world, 'a store that is not mounted', 'backup', ['--yes'], 3, /is its disk mounted/)
  await untouched(world, 'a store that is not mounted', 'backup-list', [], 8, /is its disk mounted/)
  await untouched(world, 'a store that is not mounted', 'restore', ['--backup=latest', CONFIRM], 3, /is its disk mounted/)
})

const mountable = (() => {
  const folder = join('/tmp', `runbooks-mount-${process.pid}`)
  mkdirSync(folder)
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder], { stdio: 'ignore' })
    execFileSync('umount', [folder])
    return true
  } catch {
    return false
  } finally {
    rmSync(folder, { recursive: true })
  }
})()

test.skipIf(!mountable)('a full disk, before and in the middle, leaves no half backup (skipped where nothing can be mounted)', async () => {
  const world = copyOf(base)
  const disk = join(world.folder, 'disk')
  mkdirSync(disk)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=300k', 'tmpfs', disk])
  try {
    describeStack(world, { stores: `directory({ path: '${disk}/backups' })` })
    writeFileSync(join(world.media, 'noise'), Buffer.from(Array.from({ length: 500_000 }, () => Math.floor(Math.random() * 256))))
    const before = await invoke(world, 'backup', ['--yes'])
    expect([before.exit, before.stderr.replace(/\s+/g, ' ')]).toEqual([3, expect.stringContaining('left, and this needs about')])
    row('a store that is too full before', 'backup', before, 'everything as it was', world)
    writeFileSync(join(world.media, 'noise'), Buffer.from(Array.from({ length: 150_000 }, () => Math.floor(Math.random() * 256))))
    expect((await invoke(world, 'backup', ['--yes'])).exit).toBe(0)
    // The room that the last backup took is there, but not the room for what came since.
    execFileSync('mount', ['-o', 'remount,size=520k', disk])
    writeFileSync(join(world.media, 'more noise'), Buffer.from(Array.from({ length: 400_000 }, () => Math.floor(Math.random() * 256))))
    const during = await invoke(world, 'backup', ['--yes'])
    expect([during.exit, during.stderr.replace(/\s+/g, ' ')]).toEqual([4, expect.stringMatching(/ran full after|too full/)])
    row('a store that runs full in the middle', 'backup', during, 'the earlier backup; nothing of the new one', world)
    const listed = await invoke(world, 'backup-list')
    expect([listed.exit, listed.last]).toEqual([0, expect.stringContaining('1 backup at')])
    execFileSync('mount', ['-o', 'remount,ro', disk])
    const locked = await invoke(world, 'backup', ['--yes'])
    expect([locked.exit, locked.stderr]).toEqual([3, expect.stringContaining('read-only')])
    row('a read-only store', 'backup', locked, 'everything as it was', world)
    expect((await invoke(world, 'backup-list')).exit).toBe(0)
  } finally {
    execFileSync('umount', [disk])
  }
})

test('the table has no row of this section that nothing makes', () => {
  if (mountable && !process.env.UPDATE_FAULTS) expect(new Set(made())).toEqual(new Set(known()))
})
