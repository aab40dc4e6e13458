import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { deployed, must, said, underLoad } from '../releases/runs.ts'
import { closeShops, describeShop, migratedTo, newShop, recordsOf, type Shop, served, shopFaults } from '../releases/world.ts'
import { endWorlds, journals, jsonOf, pointsOf } from './kit.ts'

// Each starts many processes, and other test files run beside it.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 })

afterAll(async () => {
  await closeShops()
  endWorlds()
})

const sound = async (shop: Shop, version: string) => expect([await served(shop), await shopFaults(shop)]).toEqual([version, []])

describe('going back', () => {
  let shop: Shop
  const releases: string[] = []
  beforeAll(async () => {
    shop = await newShop()
    for (const version of ['1.0.0', '1.1.0', '1.2.0']) {
      await deployed(shop, version)
      releases.push((await recordsOf(shop))[0]?.release ?? '')
    }
  })

  test('the releases are listed with what serves and where a rollback goes', async () => {
    const ran = await must(0, shop, 'releases', [])
    expect(ran.last).toMatch(/^DONE shop\/local: 3 verified releases; 1\.2\.0 serves/)
    expect((ran.stderr + ran.stdout).replace(/\s+/g, ' ')).toMatch(/deploy 1\.2\.0 .* serves .* deploy 1\.1\.0 .* rollback goes .* deploy 1\.0\.0 /)
    const { result } = jsonOf(await must(0, shop, 'releases', ['--json'])) as { result: { serving: string; releases: { release: string }[] } }
    expect([result.serving, result.releases.map(({ release }) => release)]).toEqual([releases[2], [...releases].reverse()])
  })

  test('files of a release that were altered by hand are found, and nothing is touched', async () => {
    const file = join(shop.sandbox, 'releases', releases[1] ?? '', 'files/web/app.ts')
    const before = readFileSync(file, 'utf8')
    appendFileSync(file, '// by hand\n')
    const ran = await must(3, shop, 'rollback', ['--yes'])
    expect(said(ran)).toContain('Of 1.1.0, web/app.ts is not as it was')
    writeFileSync(file, before)
    await sound(shop, '1.2.0')
  })

  test('by default it is the one before, within seconds and without a failed request', async () => {
    const { done, failures } = await underLoad(shop, () => must(0, shop, 'rollback', ['--yes', '--json']))
    expect(failures).toEqual([])
    expect(jsonOf(done)).toMatchObject({ word: 'ROLLED BACK', result: { release: releases[1], from: releases[2], door: { failed: 0 } } })
    await sound(shop, '1.1.0')
    const [planned, moved] = ['planned', 'traffic/front door'].map(at =>
      journals(shop.home)
        .at(-1)
        ?.entries.find(entry => entry.at === at || (entry.at === 'verified' && entry.of === at)),
    )
    console.log(`from confirm to served: ${Date.parse(moved?.t ?? '') - Date.parse(planned?.t ?? '')} ms`)
  })

  test('twice is two back, to one that has to be put there again; then there is nothing to go back to', async () => {
    expect((await must(0, shop, 'rollback', ['--yes'])).last).toMatch(/^ROLLED BACK shop\/local: 1\.0\.0 serves 100 %; .* 0 failed/)
    await sound(shop, '1.0.0')
    const ran = await must(3, shop, 'rollback', ['--yes'])
    expect(said(ran)).toContain('There is nothing to go back to: nothing was verified before what serves')
    await sound(shop, '1.0.0')
  })

  test('--to is any verified release, by the end of its id', async () => {
    expect(said(await must(3, shop, 'rollback', ['--to=ffffff', '--yes']))).toContain('There is no verified release "ffffff"')
    expect(said(await must(3, shop, 'rollback', [`--to=${releases[0]}`, '--yes']))).toContain('That release already serves')
    await must(0, shop, 'rollback', [`--to=${releases[2]?.slice(-6)}`, '--yes'])
    await sound(shop, '1.2.0')
    const [record] = await recordsOf(shop)
    expect(record).toMatchObject({ how: 'rollback', release: releases[2], previous: releases[0], overrides: [] })
  })
})

const command = (name: string, ...more: string[]) => JSON.stringify(['node', 'app.ts', name, ...more])
const migrate = (down: boolean) =>
  `migrate: { service: 'web', at: ${command('at')}, up: ${command('up')}, ${down ? `down: ${command('down', '{to}')}` : ''} }`

describe('migrations with a way back', () => {
  let shop: Shop
  beforeAll(async () => {
    shop = await newShop({ deploy: migrate(true) })
    await deployed(shop, '1.0.0')
  })

  test('one with nothing to do is a step like others', async () => {
    expect(migratedTo(shop)).toBe('m1')
    await deployed(shop, '1.1.0')
    expect([migratedTo(shop), (await recordsOf(shop))[0]?.migration]).toEqual(['m1', { before: 'm1', after: 'm1', reversible: true }])
  })

  test('one with a way back is taken back when the release fails later', async () => {
    describeShop(shop, { deploy: `${migrate(true)}, bake: '6s'` })
    const ran = await must(4, shop, 'deploy', ['--version=3.0.0-errors', '--yes'])
    expect(said(ran)).toContain('Take back: Migrate the data')
    expect(migratedTo(shop)).toBe('m1')
    await sound(shop, '1.1.0')
  })

  test('one with a way back stays when its release is rolled back, and that is said', async () => {
    describeShop(shop, { deploy: migrate(true) })
    await deployed(shop, '2.0.0')
    expect((await recordsOf(shop))[0]?.migration).toEqual({ before: 'm1', after: 'm2', reversible: true })
    const ran = await must(0, shop, 'rollback', ['--yes'])
    expect(said(ran)).toContain('the data stays at migration m2')
    expect(migratedTo(shop)).toBe('m2')
    await sound(shop, '1.1.0')
  })
})

describe('migrations without a way back', () => {
  let shop: Shop
  const shape = `${migrate(false)}, backup: true`
  beforeAll(async () => {
    shop = await newShop({ deploy: shape })
    await deployed(shop, '1.0.0')
    await deployed(shop, '2.0.0')
  })

  test('a rollback over one needs a restore first, or a person’s word, which is recorded', async () => {
    const [record] = await recordsOf(shop)
    expect(record?.migration).toEqual({ before: 'm1', after: 'm2', reversible: false })
    const refused = await must(3, shop, 'rollback', ['--yes'])
    expect(said(refused)).toContain('2.0.0 migrated the data for good (m1 → m2); 1.0.0 has never run on it')
    expect(said(refused)).toContain(`--backup=${record?.backup}`)
    const ran = await must(0, shop, 'rollback', ['--yes', '--keep-schema=KEEP'])
    expect(said(ran)).toContain('the data stays at migration m2')
    expect([(await recordsOf(shop))[0]?.overrides, migratedTo(shop)]).toEqual([['keep-schema'], 'm2'])
    await sound(shop, '1.0.0')
  })

  test('when its release fails later nothing is undone: exit 5 says where the backup is, and what to type', async () => {
    describeShop(shop, { deploy: `${shape}, bake: '6s'` })
    const ran = await must(5, shop, 'deploy', ['--version=3.0.0-errors', '--yes'])
    expect(said(ran)).toContain('this migration cannot be taken back')
    expect(said(ran)).toContain(`restore.ts --backup=${pointsOf(shop).at(-1)}`)
    expect(said(ran)).toContain('--close=')
    expect([migratedTo(shop), await served(shop)]).toEqual(['m3', '3.0.0-errors'])
    expect((await must(5, shop, 'rollback', ['--yes'])).last).toContain('an unfinished run must be settled first')
    const run = journals(shop.home).findLast(({ run }) => run.includes('-deploy-'))?.run
    await must(0, shop, 'deploy', [`--close=${run}`])
    expect(await served(shop)).toBe('3.0.0-errors')
  })
})
