import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { seal } from '../../lib/backups/manifest.ts'
import {
  changeData,
  copyOf,
  dataDigest,
  endWorlds,
  invoke,
  journals,
  jsonOf,
  newWorld,
  pointsOf,
  remains,
  rowsOf,
  storeFaults,
  tryWriting,
  type World,
} from './kit.ts'
import { isStopped, until } from './waiting.ts'

// Each starts many processes, and other test files run beside it.
vi.setConfig({ testTimeout: 240_000 })

const CONFIRM = '--confirm=shop/local'
let base: World

beforeAll(async () => {
  base = newWorld()
  expect((await invoke(base, 'backup', ['--yes'])).exit).toBe(0)
})
afterAll(endWorlds)

/** A copy of the first backup of a world, as if it had been begun at another moment. */
function pointOf(world: World, begun: string): string {
  const first = pointsOf(base)[0] as string
  const id = `${begun.slice(0, 19).replace(/[-:]/g, '')}Z-r000000`
  const folder = join(world.store, 'shop/local')
  cpSync(join(folder, first), join(folder, id), { recursive: true })
  const { digest: _, ...manifest } = JSON.parse(readFileSync(join(folder, id, 'manifest.json'), 'utf8'))
  writeFileSync(join(folder, id, 'manifest.json'), seal({ ...manifest, id, begun }))
  return id
}

/** The exit code with the backup that would be restored, or with why none would. */
const chosen = async (world: World, flag: string) => {
  const ran = await invoke(world, 'restore', [flag, '--dry-run', '--json'])
  const { result, why } = jsonOf(ran)
  return [ran.exit, /shop\/local\/(\d{8}T\d{6}Z-r[0-9a-f]{6})"/.exec(JSON.stringify(result))?.[1] ?? why]
}

test('--date means the day in the time zone of the stack, --at the newest until then, an id may be shortened', async () => {
  const world = copyOf(base)
  const day = pointOf(world, '2025-12-06T22:30:00.000Z')
  const night = pointOf(world, '2025-12-06T23:30:00.000Z')
  const noon = pointOf(world, '2025-12-07T11:00:00.000Z')
  expect(await chosen(world, '--date=2025-12-06')).toEqual([0, day])
  expect(await chosen(world, '--date=2025-12-07')).toEqual([0, noon])
  expect(await chosen(world, '--at=2025-12-07T11:59:59+01:00')).toEqual([0, night])
  expect(await chosen(world, '--backup=20251206T2330')).toEqual([0, night])
  expect(await chosen(world, '--backup=20251206')).toEqual([2, expect.stringContaining('Several backups begin with 20251206')])
  expect(await chosen(world, '--date=2025-12-08')).toEqual([3, expect.stringContaining('no sound backup begun on 2025-12-08 (Europe/Paris)')])
  expect(await chosen(world, '--date=yesterday')).toEqual([2, expect.stringContaining('is not a day')])
  expect(await chosen(world, '--at=2025-12-07T11:00:00')).toEqual([2, expect.stringContaining('with its zone')])
})

test('the undo of a restore puts everything back, once', async () => {
  const world = copyOf(base)
  changeData(world)
  const changed = dataDigest(world)
  expect((await invoke(world, 'restore', ['--backup=latest', CONFIRM])).exit).toBe(0)
  const run = journals(world.home).at(-1)?.run
  expect([dataDigest(world), remains(world).length]).toEqual([dataDigest(base), 2])
  const back = await invoke(world, 'restore', [`--undo=${run}`, CONFIRM])
  expect([back.exit, dataDigest(world)], back.stderr).toEqual([0, changed])
  tryWriting(world)
  const again = await invoke(world, 'restore', [`--undo=${run}`, CONFIRM])
  expect([again.exit, again.stderr.replace(/\s+/g, ' '), dataDigest(world)]).toEqual([3, expect.stringContaining('taken back already'), changed])
})

test('one part can be restored alone, and the other is not touched', async () => {
  const world = copyOf(base)
  changeData(world)
  const rows = rowsOf(world.database)
  const ran = await invoke(world, 'restore', ['--backup=latest', '--part=media', CONFIRM])
  expect([ran.exit, rowsOf(world.database) === rows], ran.stderr).toEqual([0, true])
  expect(dataDigest({ ...world, database: base.database })).toBe(dataDigest(base))
  expect((await invoke(world, 'restore', ['--backup=latest', '--part=nothing', CONFIRM])).exit).toBe(2)
})

test('what a writer was told is written is live or set aside, and what is refused it hears of', async () => {
  const world = copyOf(base)
  const kept = new DatabaseSync(world.database)
  kept.exec('PRAGMA busy_timeout = 2000')
  const written: number[] = []
  const refused: string[] = []
  let n = 1000
  let over = false
  const write = (database: DatabaseSync) => {
    n += 1
    try {
      database.prepare('INSERT INTO orders VALUES (?, ?)').run(n, 'under way')
      written.push(n)
    } catch (error) {
      refused.push((error as Error).message)
    }
  }
  const writer = (async () => {
    while (!over) {
      write(kept)
      const fresh = new DatabaseSync(world.database)
      write(fresh)
      fresh.close()
      await new Promise(resolve => setTimeout(resolve, 4))
    }
  })().catch(error => refused.push(String(error)))
  const ran = await invoke(world, 'restore', ['--backup=latest', CONFIRM])
  await new Promise(resolve => setTimeout(resolve, 100))
  over = true
  await writer
  kept.close()
  expect(ran.exit, ran.stderr).toBe(0)
  const aside = remains(world).find(name => name.startsWith('shop.sqlite__aside')) as string
  const stands = new Set(
    [...rowsOf(world.database).matchAll(/"id":(\d+)/g), ...rowsOf(join(world.home, aside)).matchAll(/"id":(\d+)/g)].map(found => Number(found[1])),
  )
  expect(written.filter(id => !stands.has(id))).toEqual([])
  expect(written.length).toBeGreaterThan(20)
  expect(refused.length).toBeGreaterThan(0)
  expect(refused.filter(why => !/locked by restore|locked|no such table|unable to open|readonly|disk I\/O/.test(why))).toEqual([])
  // The connection that was open all the time is still told, instead of writing where nobody looks.
  expect(refused.at(-1)).toContain('locked by restore')
  tryWriting(world)
})

test('writes that come after the plan was shown are counted again before the question', async () => {
  const world = copyOf(base)
  let pid = 0
  const ran = invoke(world, 'restore', ['--backup=latest', CONFIRM], {
    die: 'entry:14:after',
    by: 'SIGSTOP',
    started: child => {
      pid = child.pid ?? 0
    },
  })
  await until(() => (pid > 0 && isStopped(pid) ? true : undefined))
  changeData(world)
  process.kill(pid, 'SIGCONT')
  const { exit, stderr } = await ran
  expect([exit, stderr], stderr).toEqual([0, expect.stringMatching(/database orders +40 +40 +0\n/)])
  expect(stderr).toContain('Loss, counted again: database 2, media 0.')
})

test('a backup that is taken under writes passes its drill', async () => {
  const world = copyOf(base)
  const database = new DatabaseSync(world.database)
  database.exec('PRAGMA journal_mode = WAL')
  let n = 5000
  const timer = setInterval(() => {
    database.prepare('INSERT INTO orders VALUES (?, ?)').run(n, `written ${n}`)
    writeFileSync(join(world.media, `written ${n++}.txt`), String(n))
  }, 10)
  const backup = await invoke(world, 'backup', ['--yes'])
  clearInterval(timer)
  database.close()
  expect([backup.exit, n > 5010], backup.stderr).toEqual([0, true])
  const drill = await invoke(world, 'restore-drill', ['--backup=latest', '--yes'])
  expect([drill.exit, drill.last], drill.stderr).toEqual([0, expect.stringMatching(/^CERTIFIED/)])
  expect((await invoke(world, 'backup-list')).stdout).toContain('CERTIFIED  restored in')
  expect([storeFaults(world), remains(world)]).toEqual([[], []])
})
