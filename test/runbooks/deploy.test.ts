import { rmSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { deployed, must, said, underLoad } from '../releases/runs.ts'
import { closeShops, describeShop, newShop, overlapping, recordsOf, type Shop, served, shopFaults, standingOf, workersOf } from '../releases/world.ts'
import { endWorlds, invoke, jsonOf, pointsOf } from './kit.ts'

// Each starts many processes, and other test files run beside it.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 })

afterAll(async () => {
  await closeShops()
  endWorlds()
})

const sound = async (shop: Shop, version: string) => expect([await served(shop), await shopFaults(shop)]).toEqual([version, []])

/** Ends a version that serves, and lets it not start again. */
async function down(shop: Shop, version: string): Promise<void> {
  const { serving } = await standingOf(shop)
  rmSync(join(shop.kept, 'down'), { force: true })
  writeFileSync(join(shop.kept, 'down'), version)
  await fetch(`http://127.0.0.1:${shop.port}/exit`).catch(() => undefined)
  await vi.waitUntil(async () => (await standingOf(shop)).slots[serving ?? '']?.services.web?.running === 0, { timeout: 60_000, interval: 200 })
}

describe('a web service and a worker that must not run twice', () => {
  let shop: Shop
  beforeAll(async () => {
    shop = await newShop({ worker: true })
  })

  /** Versions of what serves, by service. */
  const versions = async () => {
    const { slots, serving } = await standingOf(shop)
    return Object.fromEntries(Object.entries(slots[serving ?? '']?.services ?? {}).map(([name, { version }]) => [name, version]))
  }

  test('a dry run shows the plan and touches nothing', async () => {
    const ran = await must(0, shop, 'deploy', ['--version=1.0.0', '--dry-run'])
    expect(ran.stdout).toContain('Start 1.0.0, the first release: there is none to go back to')
    expect((await standingOf(shop)).serving).toBeNull()
  })

  test('the first deploy serves everybody', async () => {
    const ran = await deployed(shop, '1.0.0')
    expect(ran.last).toMatch(/^DEPLOYED shop\/local: 1\.0\.0 serves 100 %; [\d,]+ requests, 0 failed, .*\(exit 0\)$/)
    await sound(shop, '1.0.0')
  })

  test('a new version comes under load without a failed request, and its worker begins when the old one has ended', async () => {
    const { done, sent, failures } = await underLoad(shop, () => must(0, shop, 'deploy', ['--version=1.1.0', '--yes', '--json']))
    expect([failures, sent > 100]).toEqual([[], true])
    const { result, word } = jsonOf(done)
    expect([word, result]).toEqual([
      'DEPLOYED',
      expect.objectContaining({ versions: { web: '1.1.0', worker: '1.1.0' }, backup: null, door: expect.objectContaining({ failed: 0 }) }),
    ])
    await sound(shop, '1.1.0')
    expect([overlapping(shop), workersOf(shop).map(({ version }) => version)]).toEqual([[], ['1.0.0', '1.1.0']])
  })

  test('--set is one service’s version, --service gives --version to one, and the others keep theirs', async () => {
    const set = await must(0, shop, 'deploy', ['--set', 'web=1.2.0', '--yes'])
    expect(set.stderr).toMatch(/web +1\.1\.0 → 1\.2\.0/)
    expect(set.stderr).toMatch(/worker +unchanged: 1\.1\.0/)
    expect(await versions()).toEqual({ web: '1.2.0', worker: '1.1.0' })
    await must(0, shop, 'deploy', ['--service=worker', '--version=1.2.0', '--yes'])
    expect(await versions()).toEqual({ web: '1.2.0', worker: '1.2.0' })
    expect(overlapping(shop)).toEqual([])
  })

  test('when the new one fails after the handing over, the worker goes back, too, and was never there twice', async () => {
    const ran = await must(4, shop, 'deploy', ['--set', 'web=1.3.0-late', '--set', 'worker=1.1.0', '--yes'])
    expect(ran.stderr).toContain('Take back: Start worker')
    await sound(shop, '1.2.0')
    expect(await versions()).toEqual({ web: '1.2.0', worker: '1.2.0' })
    expect([overlapping(shop), workersOf(shop).at(-1)?.version]).toEqual([[], '1.2.0'])
  })

  test('a worker that dies at its start is found before any traffic moves', async () => {
    writeFileSync(join(shop.kept, 'worker dies 1.1.0'), '')
    const ran = await must(4, shop, 'deploy', ['--service=worker', '--version=1.1.0', '--yes'])
    expect(said(ran)).toMatch(/Why worker.*no licence/)
    expect(ran.stderr).not.toContain('Take back: Send everything')
    await sound(shop, '1.2.0')
    expect([overlapping(shop), workersOf(shop).at(-1)?.version]).toEqual([[], '1.2.0'])
  })
})

describe('what is overridden, approved and saved', () => {
  let shop: Shop
  const PROTECTED = `protected: true, approvals: 1, freeze: [frozen({ from: '2020-01-01', to: '2090-01-01', why: 'the century' })]`
  const AGREED = ['--confirm=shop/local', '--approved-by=grace', '--override-freeze=DEPLOY']
  beforeAll(async () => {
    shop = await newShop({ environment: PROTECTED, deploy: `tests: ['sh', '-c', 'exit 1']` })
  })

  test('a protected environment gets a recovery point first, labelled with what comes, and its id stands in the record', async () => {
    await must(0, shop, 'deploy', ['--version=1.0.0', '--skip-tests', ...AGREED])
    const [record] = await recordsOf(shop)
    expect(pointsOf(shop)).toEqual([record?.backup])
    const listed = jsonOf(await must(0, shop, 'backup-list', ['--json']))
    expect(JSON.stringify(listed.result)).toContain('before-1.0.0')
    expect(record).toMatchObject({
      how: 'deploy',
      approvedBy: 'grace',
      overrides: ['override-freeze', 'skip-tests'],
      by: { host: hostname() },
      previous: null,
    })
    expect(record?.door?.failed).toBe(0)
  })

  test('--skip-backup is a consent that is recorded, and no backup is made', async () => {
    describeShop(shop, { environment: PROTECTED, deploy: `tests: ['true']` })
    await must(0, shop, 'deploy', ['--version=1.1.0', '--skip-backup', ...AGREED])
    const [record, first] = await recordsOf(shop)
    expect([record?.overrides, record?.backup, record?.previous, pointsOf(shop).length]).toEqual([
      ['override-freeze', 'skip-backup'],
      null,
      first?.release,
      1,
    ])
  })

  test('a lower version is deployed when it is meant, and warned of', async () => {
    describeShop(shop, {})
    const ran = await deployed(shop, '0.9.0')
    expect(said(ran)).toContain('web 1.1.0 → 0.9.0 is lower: rollback.ts goes back in seconds')
    await sound(shop, '0.9.0')
  })

  test('a new secret is a deploy although the version is the same, and its value is shown nowhere', async () => {
    const env = 'SESSION_KEY=correct horse battery\n'
    const secrets = `SESSION_KEY: secret('SESSION_KEY')`
    describeShop(shop, { secrets, env })
    const first = await deployed(shop, '0.9.0')
    expect(first.stderr).toContain('secret SESSION_KEY: new')
    expect((await must(3, shop, 'deploy', ['--version=0.9.0', '--yes'])).stderr).toContain('already serves')
    describeShop(shop, { secrets, env: 'SESSION_KEY=another one\n' })
    const second = await deployed(shop, '0.9.0')
    expect(second.stderr).toContain('secret SESSION_KEY: changed')
    for (const { stdout, stderr } of [first, second]) expect(stdout + stderr).not.toMatch(/correct horse|another one/)
    const answer = await (await fetch(`http://127.0.0.1:${shop.port}/secret`)).text()
    expect(answer.trim()).toBe('another one')
  })
})

describe('a production that is down', () => {
  let shop: Shop
  beforeAll(async () => {
    shop = await newShop({ environment: 'protected: true' })
    await must(0, shop, 'deploy', ['--version=1.0.0', '--confirm=shop/local', '--skip-backup'])
  })

  test('a red production gets its hotfix, when it is meant, and is judged against no worse', async () => {
    await down(shop, '1.0.0')
    const unsaid = await must(2, shop, 'deploy', ['--version=1.2.0', '--yes', '--skip-backup'])
    expect(said(unsaid)).toContain('needs --confirm=shop/local')
    const ran = await invoke(shop, 'deploy', ['--version=1.2.0', '--confirm=shop/local', '--skip-backup'])
    expect([ran.exit, said(ran)]).toEqual([0, expect.stringContaining('Start 1.2.0 beside 1.0.0')])
    expect(said(ran)).toContain('web of what serves is down. Deploy onto it?')
    await sound(shop, '1.2.0')
  })

  test('a hotfix that fails is taken back without a share for it, and a rollback goes behind what is down', async () => {
    describeShop(shop, { deploy: `bake: '6s'` })
    await down(shop, '1.2.0')
    const failed = await must(4, shop, 'deploy', ['--version=1.3.0-late', '--yes'])
    expect(said(failed)).toMatch(/under traffic: web|requests failed/)
    const ran = await must(0, shop, 'rollback', ['--yes'])
    expect(ran.last).toContain('ROLLED BACK shop/local: 1.0.0 serves 100 %')
    await sound(shop, '1.0.0')
  })
})
