import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { closeDataShops, type DataShop, describeDataShop, left, newDataShop, opened } from '../releases/rehearse/world.ts'
import { must, said, underLoad } from '../releases/runs.ts'
import { endWorlds, invoke, journals, jsonOf, pointsOf, rowsOf } from './kit.ts'
import { isStopped, until } from './waiting.ts'

// Each starts many processes, and other test files run beside it.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 })

afterAll(async () => {
  await closeDataShops()
  endWorlds()
})

const AGREED = '--confirm=shop/local'
const deploy = (shop: DataShop, version: string) => must(0, shop, 'deploy', [`--version=${version}`, AGREED])
const bytes = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex')

/** Rehearses, and gives what came of it with what is left, which databases releases opened meanwhile, and whether users and live data saw anything. */
async function rehearsed(shop: DataShop, exit: number, ...flags: string[]) {
  const serving = (await (await fetch(`http://127.0.0.1:${shop.port}/`)).text()).split(' ')[1]
  const [before, rows, earlier] = [bytes(shop.database), rowsOf(shop.database), opened(shop).length]
  const { done, failures } = await underLoad(shop, () => must(exit, shop, 'rollback', ['--rehearse', '--yes', ...flags]))
  const aside = opened(shop).slice(earlier)
  return {
    ran: done,
    faults: [
      ...failures,
      ...left(shop),
      ...(bytes(shop.database) === before && rowsOf(shop.database) === rows ? [] : ['live data is other data now']),
    ],
    // What serves tells at which migration live data stands; nobody else opens it.
    live: aside.filter(({ file, what, version }) => file === shop.database && `${version} ${what}` !== `${serving} at`),
    aside: aside.filter(({ file }) => file !== shop.database),
  }
}
const FAULTLESS = { faults: [], live: [] }

describe('over a migration for good', () => {
  let shop: DataShop
  beforeAll(async () => {
    shop = await newDataShop()
    await deploy(shop, '1.0.0-open')
    await deploy(shop, '2.0.0')
  })

  test('a release that understands today’s data is SAFE: on a copy of the newest point, at today’s migration, with no typed name', async () => {
    const { ran, ...saw } = await rehearsed(shop, 0)
    expect(saw).toMatchObject(FAULTLESS)
    expect(ran.last).toMatch(
      /^SAFE shop\/local: 1\.0\.0-open was healthy and passed 1 smoke test in \d+\.\d s on a copy of \w{3} \d+ \w{3} \d\d:\d\d \(.* old\), at migration m2, verified .* \(exit 0\)$/,
    )
    expect(ran.stdout).toMatch(/Next +npx zx runbooks\/rollback\.ts .*--to=\w+ --keep-schema=KEEP/)
    expect(saw.aside.map(({ version, what }) => `${version} ${what}`)).toEqual([...['at', 'up', 'at'].map(what => `2.0.0 ${what}`), '1.0.0-open web'])
    for (const { file } of saw.aside) expect(file).toMatch(/__drill_/)
  })

  test('one that does not start needs a restore, with the point to restore and what is lost until now', async () => {
    writeFileSync(join(shop.kept, 'broken'), '1.0.0-open')
    const { ran, ...saw } = await rehearsed(shop, 7)
    writeFileSync(join(shop.kept, 'broken'), '')
    expect(saw).toMatchObject(FAULTLESS)
    expect(ran.last).toMatch(/^RESTORE NEEDED shop\/local: you would lose .* of writes, verified .* \(exit 7\)$/)
    expect(said(ran)).toMatch(/exited 1 twice.*PAYMENT_URL is not set/)
    expect(said(ran)).toContain(`restore.ts --stack=shop --environment=local --backup=${pointsOf(shop)[1]}`)
  })

  test('the result is for machines, too, and a dry run shows the steps and does none', async () => {
    const dry = await must(0, shop, 'rollback', ['--rehearse', '--dry-run'])
    expect(dry.stdout).toMatch(/Rehearsal with .* What serves and live data are not touched\./)
    expect([left(shop), dry.stdout.includes('with its own SHOP_DATABASE')]).toEqual([[], true])
    const { result } = jsonOf(await must(0, shop, 'rollback', ['--rehearse', '--yes', '--json', `--backup=${pointsOf(shop)[0]}`]))
    expect(result).toMatchObject({ verdict: 'safe', backup: pointsOf(shop)[0], restore: null, because: null, smokeTests: 1 })
  })

  test.each([
    ['', 3, /Nothing says by which setting the release finds database .*rehearse: \{ ‹setting›: 'database' \}/],
    [`{ SHOP_FOLDER: 'database' }`, 3, /SHOP_FOLDER of the release does not lead to database .*SHOP_DATABASE of the release leads to database, too/],
    [`{ DATABASE_URL: 'database' }`, 3, /The release is not given DATABASE_URL/],
    [`{ SHOP_DATABASE: 'databse' }`, 2, /there is no part "databse"/],
  ])('rehearse: %s is refused with what to write', async (rehearse, exit, why) => {
    describeDataShop(shop, { rehearse })
    const ran = await must(exit, shop, 'rollback', ['--rehearse', '--yes'])
    describeDataShop(shop)
    expect(said(ran)).toMatch(why)
    expect(left(shop)).toEqual([])
  })

  test('flags that do not go together are refused', async () => {
    for (const flags of [
      ['--rehearse', '--keep-schema=KEEP'],
      ['--rehearse', '--service=x'],
      ['--backup=latest', '--keep-schema=KEEP'],
    ])
      await must(2, shop, 'rollback', [...flags, AGREED])
    const [newest] = pointsOf(shop).slice(-1)
    expect(said(await must(3, shop, 'rollback', [AGREED]))).toContain('--rehearse, to know whether the old version understands the data')
    expect(newest).toBeDefined()
  })

  test.each(['intent load/database', 'exited rehearsal.put/rehearsal', 'verified rehearsal.start/rehearsal', 'verified rehearsal.remove/rehearsal'])(
    'killed at "%s", it is reverted and leaves neither a rehearsal nor a copy',
    async says => {
      const died = await invoke(shop, 'rollback', ['--rehearse', '--yes'], { die: `says:${says}:after` })
      expect(died.signal, died.stderr).toBe('SIGKILL')
      await must(0, shop, 'rollback', ['--revert', '--yes'])
      expect(left(shop)).toEqual([])
    },
  )

  test('killed while it is judged, it can be resumed to its verdict', async () => {
    const died = await invoke(shop, 'rollback', ['--rehearse', '--yes'], { die: 'says:intent rehearsal.judge/rehearsal:after' })
    expect(died.signal).toBe('SIGKILL')
    expect((await must(0, shop, 'rollback', ['--resume', '--yes'])).last).toMatch(/^SAFE shop\/local: 1\.0\.0-open was healthy/)
    expect(left(shop)).toEqual([])
  })

  test('neither a deploy nor another rehearsal nor a backup, which prunes, runs beside it', async () => {
    let pid = 0
    const known = journals(shop.home).length
    const ran = invoke(shop, 'rollback', ['--rehearse', '--yes'], {
      die: 'says:verified rehearsal.start/rehearsal:after',
      by: 'SIGSTOP',
      started: child => {
        pid = child.pid ?? 0
      },
    })
    await until(() => (journals(shop.home).length > known && isStopped(pid) ? true : undefined), 120_000)
    const others = [
      invoke(shop, 'deploy', ['--version=2.1.0', AGREED]),
      invoke(shop, 'rollback', ['--rehearse', '--yes']),
      invoke(shop, 'backup', ['--yes']),
    ]
    const ends = (await Promise.all(others)).map(({ exit }) => exit)
    process.kill(pid, 'SIGCONT')
    expect([ends, (await ran).exit, left(shop)]).toEqual([[6, 6, 6], 0, []])
  })

  test('Ctrl-C takes it back', async () => {
    const ran = await invoke(shop, 'rollback', ['--rehearse', '--yes'], { die: 'says:verified rehearsal.start/rehearsal:after', by: 'SIGINT' })
    expect([ran.exit, left(shop)]).toEqual([130, []])
    expect(ran.last).toContain('what serves and live data were not touched')
  })
})

describe('over a migration with a way back', () => {
  let shop: DataShop
  beforeAll(async () => {
    shop = await newDataShop()
  })

  test('a release whose data is a secret is led away from it, too, and needs a down-migration', async () => {
    describeDataShop(shop, {
      down: true,
      worker: true,
      environment: `environment: { SHOP_FOLDER: ${JSON.stringify(shop.kept)} }, secrets: { SHOP_DATABASE: secret('SHOP_DATABASE') },`,
    })
    writeFileSync(join(shop.config, 'shop.local.env'), `SHOP_DATABASE=${shop.database}\n`)
    await deploy(shop, '1.0.0')
    await deploy(shop, '2.0.0')
    const { ran, ...saw } = await rehearsed(shop, 7)
    expect(saw).toMatchObject(FAULTLESS)
    expect(ran.last).toMatch(
      /^NEEDS A DOWN-MIGRATION shop\/local: 1\.0\.0 is fit once the data is migrated back from m2 to m1, verified .* \(exit 7\)$/,
    )
    expect(said(ran)).toMatch(
      /1\.0\.0 on today’s data: web exited 1 twice.*app\.ts down m1\) # while nothing writes .*rollback\.ts.*unknown schema m2/,
    )
    // Its work would be done a second time.
    expect([said(ran), saw.aside.filter(({ what }) => what === 'worker')]).toEqual([
      expect.stringContaining('! without worker: it must not run twice'),
      [],
    ])
    for (const { entries } of journals(shop.home)) expect(JSON.stringify(entries)).not.toContain('SHOP_DATABASE=')
  })

  test('where the way back does not work, it needs a restore', async () => {
    writeFileSync(join(shop.kept, 'broken'), 'down')
    const { ran, ...saw } = await rehearsed(shop, 7)
    writeFileSync(join(shop.kept, 'broken'), '')
    expect(saw).toMatchObject(FAULTLESS)
    expect(ran.last).toMatch(/^RESTORE NEEDED shop\/local: you would lose /)
    expect(said(ran)).toMatch(/the migration back: .*column "price" cannot be made again/)
  })

  test('a release that dies without a migration between is neither safe nor a case for a restore', async () => {
    await deploy(shop, '2.1.0')
    writeFileSync(join(shop.kept, 'broken'), '2.0.0')
    const { ran, ...saw } = await rehearsed(shop, 7)
    writeFileSync(join(shop.kept, 'broken'), '')
    expect(saw).toMatchObject(FAULTLESS)
    expect(ran.last).toMatch(
      /^NOT SAFE shop\/local: 2\.0\.0 does not fit, and the data was not migrated since: neither a migration back nor a restore would help/,
    )
  })
})
