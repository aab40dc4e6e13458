import { cpSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { catalogue } from '../../lib/backups/catalogue.ts'
import { usable } from '../../lib/backups/choose.ts'
import { plainBytes } from '../../lib/backups/transfer.ts'
import { directory } from '../../lib/stores/index.ts'
import { doing } from '../exec/doing.ts'
import { endWorlds, filesBelow, invoke, newWorld, pointsOf, type World } from './kit.ts'

// Each starts many processes, and other test files run beside it.
vi.setConfig({ testTimeout: 240_000 })

let world: World
let point: string
let folder: string
let files: string[]

beforeAll(async () => {
  world = newWorld({ data: `media: files({ directory: 'media' })` })
  expect((await invoke(world, 'backup', ['--yes'])).exit).toBe(0)
  point = pointsOf(world)[0] as string
  folder = join(world.store, 'shop/local', point)
  files = filesBelow(folder)
})
afterAll(endWorlds)

/** What a verification and a restore find out about the one backup: null when both would take it. */
async function found(): Promise<string | null> {
  const store = directory({ path: world.store })
  const { points } = await catalogue(store, 'shop/local', doing())
  const [sound] = usable(points)
  if (!sound?.manifest) return points[0]?.because ?? 'there is no such backup'
  try {
    for (const part of Object.values(sound.manifest.parts)) for await (const _ of plainBytes(store, `shop/local/${point}`, part, [], doing()));
    return null
  } catch (error) {
    return (error as Error).message
  }
}

test('every flipped byte of a recovery point is found', async () => {
  expect([files.length, await found()]).toEqual([3, null])
  const missed: string[] = []
  for (const file of files) {
    const path = join(folder, file)
    const whole = readFileSync(path)
    for (let at = 0; at < whole.length; at++) {
      const damaged = Buffer.from(whole)
      damaged.writeUInt8(whole.readUInt8(at) ^ (1 << (at % 8)), at)
      writeFileSync(path, damaged)
      if ((await found()) === null) missed.push(`${file} byte ${at}`)
    }
    writeFileSync(path, whole)
  }
  expect(missed).toEqual([])
})

test('every truncation of a recovery point is found', async () => {
  const missed: string[] = []
  for (const file of files) {
    const path = join(folder, file)
    const whole = readFileSync(path)
    for (let bytes = whole.length - 1; bytes >= 0; bytes--) {
      truncateSync(path, bytes)
      if ((await found()) === null) missed.push(`${file} of ${bytes} bytes`)
    }
    writeFileSync(path, whole)
  }
  expect([missed, await found()]).toEqual([[], null])
})

test('latest passes over corrupt points, and says so by its choice', async () => {
  cpSync(folder, folder.replace(/T\d{6}Z-r[0-9a-f]{6}$/, 'T999999Z-rffffff'), { recursive: true })
  const listed = await invoke(world, 'backup-list', ['--json'])
  const { result } = JSON.parse(listed.stdout) as { result: { id: string; status: string }[] }
  expect([listed.exit, result.map(({ status }) => status)]).toEqual([7, ['VERIFIED', 'CORRUPT']])
  const plan = await invoke(world, 'restore', ['--backup=latest', '--dry-run'])
  expect([plan.exit, plan.stdout], plan.stderr).toEqual([0, expect.stringContaining(point)])
})
