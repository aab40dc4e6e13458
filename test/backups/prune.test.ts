import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { catalogue } from '../../lib/backups/catalogue.ts'
import { seal } from '../../lib/backups/manifest.ts'
import { pinName, writePin } from '../../lib/backups/pins.ts'
import { agingOf, type PruneArgs, type Pruned, prunePlan, removals, worthCopying } from '../../lib/backups/prune.ts'
import type { DataSite } from '../../lib/backups/site.ts'
import { shrunkSince, trendsOf } from '../../lib/backups/trend.ts'
import { type PrunedOld, pinned, pruned, prunedOld } from '../../lib/backups/verbs/prune.ts'
import { checkStack } from '../../lib/stack/schema.ts'
import { directory } from '../../lib/stores/directory/index.ts'
import { type Store, StoreError } from '../../lib/stores/store.ts'
import { doing, refusal } from '../stores/recipes.ts'
import { idAt, pointAt } from './retention-made.ts'

const DAY = 86_400_000
const NOW = Date.now()
const KEEP = { last: 2 }
let root: string
let site: DataSite
let removed: string[]

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'prune-'))
  removed = []
  site = siteOf(tapped(directory({ name: 'a', path: join(root, 'a') })), tapped(directory({ name: 'b', path: join(root, 'b') })))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

/** A store that tells in which order objects are removed, and may fail at one. */
function tapped(store: Store, fail?: (path: string) => StoreError | undefined): Store {
  return {
    ...store,
    async remove(path) {
      const fault = fail?.(path)
      if (fault) throw fault
      removed.push(`${store.name}:${path.slice('shop/local/'.length)}`)
      await store.remove(path)
    },
  }
}

function siteOf(...stores: Store[]): DataSite {
  return {
    stack: 'shop',
    environment: 'local',
    timezone: 'UTC',
    parts: new Map(),
    keeper: stores[0]?.name ?? '',
    stores: new Map(stores.map(store => [store.name, store])),
    policy: 'all',
    identities: [],
    keep: KEEP,
    by: { user: 'u', host: 'h' },
  }
}

/** Writes a point of so many days ago into the stores; its bytes are never read here. */
function make(days: number, { stores = ['a', 'b'], without = [] as string[], files = {} as Record<string, string>, items = 10 } = {}): string {
  const id = idAt(NOW - days * DAY)
  const sum = { bytes: 5, sha256: 'x' }
  const part = {
    object: 'db.zst',
    frames: 'db.zst.frames.json',
    stored: sum,
    plain: sum,
    index: sum,
    readBack: 'x',
    content: { items: { rows: { count: items } }, warnings: [] },
  }
  const begun = new Date(NOW - days * DAY).toISOString()
  const all: Record<string, string> = {
    'manifest.json': seal({ format: 1, id, begun, pinned: false, parts: { db: part } }),
    'db.zst': '12345',
    'db.zst.frames.json': '12345',
    ...files,
  }
  for (const store of stores) {
    mkdirSync(join(root, store, 'shop/local', id), { recursive: true })
    for (const [file, text] of Object.entries(all)) if (!without.includes(file)) writeFileSync(join(root, store, 'shop/local', id, file), text)
  }
  return id
}

const within = (store: string) => readdirSync(join(root, store, 'shop/local')).sort()
const argsFor = async () => (await agingOf(site, KEEP, { nowMs: NOW }, doing())).flatMap(aging => removals(site, aging))
const prune = async (args: PruneArgs, at = site) => (await pruned.does?.(args, at)[0]?.run(doing())) as unknown as Pruned
const pruneOld = async (at = site) => (await prunedOld.does?.({ keep: KEEP, written: '', after: null }, at)[0]?.run(doing())) as unknown as PrunedOld
const proof = { 'proof-20261101T000000Z-verify-good-abcdef.json': '{}' }

describe('one point', () => {
  test('goes manifest first, then records, then data, and leaves no folder', async () => {
    const [old] = [make(3, { stores: ['a'], files: proof }), make(2), make(1)]
    const [args] = await argsFor()
    expect(await prune(args as PruneArgs)).toEqual({ left: 0, bytes: expect.any(Number), refused: null })
    expect(removed.map(path => path.slice(path.indexOf('/') + 1))).toEqual(['manifest.json', Object.keys(proof)[0], 'db.zst', 'db.zst.frames.json'])
    expect(existsSync(join(root, 'a/shop/local', old as string))).toBe(false)
  })

  test.each(['manifest.json', 'proof-', 'db.zst', 'db.zst.frames.json'])(
    'of which the removal breaks off at %s is whole or no backup, and goes with the next prune',
    async at => {
      const [old] = [make(3, { stores: ['a'], files: proof }), make(2), make(1)]
      const [args] = await argsFor()
      const down = (path: string) =>
        path.slice(path.lastIndexOf('/') + 1).startsWith(at) ? new StoreError('unreachable', 'a does not answer') : undefined
      const broken = siteOf(tapped(directory({ name: 'a', path: join(root, 'a') }), down))
      expect((await refusal(prune(args as PruneArgs, broken))).message).toBe('a does not answer')
      const { points } = await catalogue(directory({ path: join(root, 'a') }), 'shop/local', doing())
      expect(points.map(({ id, status }) => [id, status])).toContainEqual([old, at === 'manifest.json' ? 'VERIFIED' : 'INCOMPLETE'])
      // Its objects are as young as this test; a day later they are not.
      const aging = await agingOf(site, KEEP, { nowMs: NOW + 2 * DAY }, doing())
      const [rest] = aging.flatMap(one => removals(site, one))
      expect(rest).toMatchObject({ id: old, manifest: at === 'manifest.json' })
      expect(await prune(rest as PruneArgs)).toMatchObject({ left: 0, refused: null })
      expect(within('a')).not.toContain(old)
    },
  )

  test('that the store keeps under a lock stays whole, and what the store said is told', async () => {
    const [old] = [make(3, { stores: ['a'] }), make(2), make(1)]
    const locked = tapped(directory({ name: 'a', path: join(root, 'a') }), () => new StoreError('denied', 'it is locked until 2027-01-01'))
    const [args] = await argsFor()
    const gave = await prune(args as PruneArgs, siteOf(locked))
    expect(gave).toEqual({ left: 3, bytes: 0, refused: 'it is locked until 2027-01-01' })
    // What was measured is what is looked for afterwards, so the step is no failure.
    expect((await pruned.look(args as PruneArgs, site, doing())).state).toEqual({ left: 3 })
    expect(within('a')).toContain(old)
  })

  test('stays when it was pinned meanwhile, when it has a manifest after all, or when what should stand is gone', async () => {
    const [old, , newest] = [make(3, { stores: ['a'] }), make(2), make(1)]
    const [args] = (await argsFor()) as [PruneArgs]
    expect((await refusal(prune({ ...args, manifest: false }))).message).toContain('has a manifest, although the listing had none')
    rmSync(join(root, 'a/shop/local', newest as string, 'db.zst'))
    expect((await refusal(prune(args))).message).toContain(`db.zst of ${newest}, the backup that was to stand, is not there as recorded`)
    rmSync(join(root, 'a/shop/local', newest as string, 'manifest.json'))
    expect((await refusal(prune(args))).message).toContain(`The manifest of ${newest}`)
    const record = { pinned: true, at: new Date(NOW).toISOString(), run: 'r-abcdef', by: site.by }
    writeFileSync(join(root, 'a/shop/local', old as string, pinName(record)), writePin(record))
    expect((await refusal(prune(args))).message).toContain('was pinned meanwhile')
    expect(removed).toEqual([])
  })
})

describe('several stores', () => {
  test('each is pruned by what it holds itself', async () => {
    const ids = [make(5), make(4), make(3, { stores: ['a'] }), make(2, { stores: ['a'] }), make(1, { stores: ['b'] })]
    const gave = await pruneOld()
    expect(gave.went).toEqual([`${ids[0]} in a`, `${ids[1]} in a`, `${ids[0]} in b`])
    expect([within('a'), within('b')]).toEqual([
      [ids[2], ids[3]],
      [ids[1], ids[4]],
    ])
  })

  test('a pin in one counts in all', async () => {
    const [old] = [make(3), make(2), make(1)]
    const args = { store: 'a', folder: `shop/local/${old}`, id: old as string, run: 'r-abcdef', pinned: true }
    await pinned.does?.(args, site)[0]?.run(doing())
    expect(await argsFor()).toEqual([])
    await pinned.does?.({ ...args, store: 'b', pinned: false }, site)[0]?.run(doing())
    expect((await argsFor()).map(({ store }) => store)).toEqual(['a', 'b'])
  })

  test('one that is down keeps everything and is named, and the other is pruned', async () => {
    make(3)
    make(2)
    make(1)
    const down: Store = {
      ...directory({ name: 'b', path: join(root, 'b') }),
      list: () => Promise.reject(new StoreError('unreachable', 'b does not answer')),
    }
    const gave = await pruneOld(siteOf(directory({ name: 'a', path: join(root, 'a') }), down))
    expect([within('a').length, within('b').length]).toEqual([2, 3])
    expect(gave.warnings).toEqual(['Nothing was let go of in b: b does not answer'])
    expect(prunePlan(site, await agingOf(siteOf(down), KEEP, { nowMs: NOW }, doing()))).toEqual([])
  })

  test('what one store has let go of does not come back from another', () => {
    const points = [2, 1].map(days => pointAt(NOW - days * DAY))
    const gap = (days: number) => ({ id: idAt(NOW - days * DAY, 'r111111'), from: 'b', to: 'a' })
    expect(worthCopying(site, points, [gap(3), gap(1.5)], NOW)).toEqual([gap(1.5)])
    const { keep: _, ...without } = site
    expect(worthCopying(without, points, [gap(3)], NOW)).toHaveLength(1)
  })
})

test('after a backup that is suspiciously small nothing goes, also while small ones are new', async () => {
  for (const days of [9, 8, 7, 6]) make(days, { items: 100 })
  make(2, { items: 10 })
  make(1, { items: 10 })
  const gave = await pruneOld()
  expect(gave.went).toEqual([])
  expect(gave.warnings[0]).toMatch(/^Nothing was let go of in a: db SHRANK by more than half: 100 items before, 10 items/)
})

test('what is usual follows a growing or shrinking application, and a backup of another part is no shrink', () => {
  const of = (items: readonly number[]) => items.map((n, i) => pointAt(NOW - (items.length - i) * DAY, { items: n, bytes: n }))
  expect(shrunkSince(of([100, 60, 40, 25]))).toHaveLength(1)
  expect(shrunkSince(of([100, 90, 80, 70, 60]))).toEqual([])
  expect(shrunkSince(of([10, 10, 10, 10, 100, 49]))).toHaveLength(1)
  expect(shrunkSince([...of([100]), pointAt(NOW, { parts: ['media'], items: 1 })])).toEqual([])
  expect([...trendsOf(of([100, 150, 40])).values()]).toEqual([
    { change: 0.5, half: false },
    { change: 40 / 150 - 1, half: true },
  ])
})

test('a later pin record counts also when the clock was set back since', async () => {
  const old = make(1)
  const at = new Date(NOW + 5 * DAY).toISOString()
  writeFileSync(join(root, 'a/shop/local', old, pinName({ pinned: true, at, run: 'r-abcdef' })), '')
  const args = { store: 'a', folder: `shop/local/${old}`, id: old, run: 'r-123456', pinned: false }
  expect((await pinned.look(args, site, doing())).state).toEqual({ pinned: true })
  await pinned.does?.(args, site)[0]?.run(doing())
  expect((await pinned.look(args, site, doing())).state).toEqual({ pinned: false })
})

test.each([
  ['nothing', {}, /backups\.keep: at least one of days, last, hourly, daily, weekly, monthly, yearly/],
  ['none of something', { daily: 0 }, /backups\.keep\.daily: at least 1, found 0/],
  ['a part of a day', { days: 1.5 }, /backups\.keep\.days: a whole number, found 1\.5/],
  ['a typo', { dayly: 7 }, /keep.*dayly/s],
])('a policy that keeps %s is refused by name', async (_, keep, wrong) => {
  const stack = { name: 'shop', timezone: 'UTC', data: {}, backups: { keep }, environments: {} }
  expect((await refusal(checkStack(stack, 'shop.ts'))).message).toMatch(wrong)
})
