import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { demoPaths, destroyDemo, digestDemo, makeDemo, writeSome } from '../../demo/data.ts'
import { files } from '../../lib/sources/files/index.ts'
import { sqlite } from '../../lib/sources/sqlite/index.ts'
import { doing, streamOf } from '../sources/conformance.ts'
import { temporary } from '../sources/temporary.ts'

const now = new Date('2025-12-09T03:12:00Z')

it('makes the same data twice, as much and as awkward as it promises', async () => {
  const folder = await temporary()
  await makeDemo(folder, now)
  const first = await digestDemo(folder)
  await makeDemo(folder, now)
  expect(await digestDemo(folder)).toEqual(first)

  const { database, media } = demoPaths(folder)
  const shop = await sqlite('database', { file: database }).facts(doing())
  expect(Object.keys(shop.counts)).toHaveLength(5)
  expect(Object.values(shop.counts).reduce((sum, rows) => sum + rows, 0)).toBeGreaterThanOrEqual(100_000)
  expect(shop.newest).toBe(now.toISOString())
  const tree = await files('media', { directory: media }).facts(doing())
  expect(tree.counts.files).toBeGreaterThanOrEqual(500)
  expect(tree.counts.links).toBe(4)
  expect(tree.sizeBytes).toBeGreaterThan(50_000_000)
  const names = await readdir(media, { recursive: true })
  for (const part of ['\n', '"', "'", ' ', '\u0301', 'é'])
    expect(
      names.some(name => name.includes(part)),
      JSON.stringify(part),
    ).toBe(true)
  expect(names.some(name => /\/-/.test(name))).toBe(true)
})

it('writes on, is destroyed, and comes back whole', async () => {
  const folder = await temporary()
  await makeDemo(folder, now)
  const { database, media } = demoPaths(folder)
  const sources = [sqlite('database', { file: database }), files('media', { directory: media })]
  const atBackup = await digestDemo(folder)
  const dumps = await Promise.all(
    sources.map(async source => {
      const chunks: Buffer[] = []
      for await (const chunk of source.dump().open(doing())) chunks.push(chunk)
      return chunks
    }),
  )
  const made = await writeSome(folder, 20, 2)
  expect(made.uploads.every(path => path.startsWith(join('uploads', 'new')))).toBe(true)
  const later = await digestDemo(folder)
  expect(later.database).not.toBe(atBackup.database)
  expect(later.media).not.toBe(atBackup.media)
  expect((await sources[0]!.facts(doing())).newest! > now.toISOString()).toBe(true)

  const lost = await destroyDemo(folder)
  expect(lost.rows).toBeGreaterThan(10_000)
  expect(lost.files).toBeGreaterThan(100)
  for (const [n, source] of sources.entries()) {
    await source.load('beside', 'r7f3').take(streamOf(...dumps[n]!), doing())
    await source.swap('r7f3', []).run(doing())
  }
  expect(await digestDemo(folder)).toEqual(atBackup)
})
