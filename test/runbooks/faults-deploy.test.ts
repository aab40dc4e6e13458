import { rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { deployed, must, said } from '../releases/runs.ts'
import { closeShops, describeShop, newShop, type Shape, type Shop, served, shopFaults, standingOf } from '../releases/world.ts'
import { faultTable } from './faults.ts'
import { endWorlds, invoke, type Ran } from './kit.ts'

// Each starts many processes, and other test files run beside it.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 })

const { row, known, made } = faultTable('Releases on the sandbox')
let shop: Shop

beforeAll(async () => {
  shop = await newShop()
  await deployed(shop, '1.0.0')
})
afterAll(async () => {
  await closeShops()
  endWorlds()
})

/** One release serves, everything else is as it was, and nothing is left of the new one. */
async function stillServes(version: string): Promise<void> {
  expect([await served(shop), await shopFaults(shop)]).toEqual([version, []])
}

/** What the flight recorder says of failures in the last line of a run; null where it saw nothing. */
const failures = ({ last }: Ran): number | null => {
  const found = /requests, ([\d,]+) failed/.exec(last)?.[1]
  return found === undefined ? null : Number(found.replaceAll(',', ''))
}

describe('a bad version is taken back, and what served before serves', () => {
  const longer: Shape = { deploy: `bake: '6s'` }
  const rows: readonly [fault: string, flaw: string, shape: Shape, why: RegExp, some: boolean | null][] = [
    ['a version that crashes at its start', 'crash', {}, /web.*exit(ed)? .*1.*PAYMENT_URL is not set/, false],
    ['a version that is never ready', 'never-ready', { deploy: `budget: '3s'` }, /not done within 3\.0 s: .*the queue cannot be reached/, false],
    ['a version that answers wrongly', 'wrong', { deploy: `budget: '5s'` }, /not done within 5\.0 s: \/ answered without "shop"/, false],
    ['a version with errors under load', 'errors', longer, /requests failed at the front door \(status 500\)/, true],
    ['a version that is slow for some', 'slow', longer, /one answer in twenty takes \d\.\d s at the front door/, false],
    [
      'a version that takes requests and answers none',
      'hangs',
      { deploy: `bake: '6s', smoke: []` },
      /one answer in twenty takes \d\.\d s at the front door/,
      false,
    ],
    ['a version that dies under traffic', 'late', longer, /under traffic: web exited 1|requests failed at the front door/, null],
  ]
  test.each(rows)('%s', async (fault, flaw, shape, why, some) => {
    describeShop(shop, shape)
    const ran = await invoke(shop, 'deploy', [`--version=1.3.0-${flaw}`, '--yes'])
    expect([ran.exit, said(ran)]).toEqual([4, expect.stringMatching(why)])
    await stillServes('1.0.0')
    const failed = failures(ran) ?? 0
    if (some !== null) expect(failed > 0).toBe(some)
    const seen = some === null ? 'what failed until then is counted' : some ? 'some requests failed, and are counted' : 'no request failed'
    // Whether the recorder or the verdict is first is a matter of milliseconds.
    const last = some === null ? ran.last.replace(/, [\d,]+ failed/, ', ‹n› failed') : ran.last
    row(fault, `deploy --version=1.3.0-${flaw}`, { ...ran, last }, `1.0.0 serves; ${seen}`, shop)
    describeShop(shop, {})
  })
})

describe('what is asked for wrongly is refused, and nothing is touched', () => {
  const rows: readonly [fault: string, flags: readonly string[], exit: number, why: RegExp][] = [
    ['a version that there is none of', ['--version=9.9.9', '--yes'], 3, /shop\/web:9\.9\.9 is missing/],
    ['the version that serves', ['--version=1.0.0', '--yes'], 3, /1\.0\.0 already serves, with the same images, files and secrets/],
    ['no version at all', ['--yes'], 2, /--version is missing/],
    ['a service that there is none of', ['--set', 'wbe=1.1.0', '--yes'], 2, /There is no service "wbe"; there are web/],
    ['--set without a version', ['--set', 'web', '--yes'], 2, /--set=web is written --set <service>=<version>/],
    ['--service without a version', ['--service=web', '--yes'], 2, /--version is missing/],
    ['two versions of one service', ['--set', 'web=1.1.0', '--set', 'web=1.2.0', '--yes'], 2, /web gets two versions/],
    ['no terminal and no `--yes`', ['--version=1.1.0'], 2, /Nobody can be asked here/],
    ['a consent with a typo', ['--version=1.1.0', '--yes', '--override-freeze=yes'], 2, /only --override-freeze=DEPLOY counts/],
  ]
  test.each(rows)('%s', async (fault, flags, exit, why) => {
    const before = await standingOf(shop)
    const ran = await must(exit, shop, 'deploy', flags)
    expect(said(ran)).toMatch(why)
    expect(await standingOf(shop)).toEqual(before)
    row(fault, `deploy ${flags.filter(flag => flag !== '--yes').join(' ')}`.trim(), ran, '1.0.0 serves', shop)
  })
})

describe('what the environment does not allow is refused, and nothing is touched', () => {
  const YES = ['--version=1.1.0', '--yes']
  const shapes: readonly [fault: string, shape: Shape, flags: readonly string[], exit: number, why: RegExp][] = [
    [
      'a freeze by a setting',
      { environment: `freeze: [frozen({ whenSet: 'EVENT_DAY_FREEZE', why: 'the match' })]`, env: 'EVENT_DAY_FREEZE=true\n' },
      YES,
      3,
      /shop\/local is frozen: the match \(EVENT_DAY_FREEZE is set\)/,
    ],
    [
      'a freeze by a window',
      { environment: `freeze: [frozen({ from: '2020-01-01', to: '2090-01-01', why: 'the century' })]` },
      YES,
      3,
      /is frozen: the century, until 2089-12-31T23:00Z/,
    ],
    ['nobody approved', { environment: 'approvals: 1' }, YES, 3, /needs the approval of 1 other person/],
    ['the operator approved', { environment: 'approvals: 1' }, [...YES, '--approved-by=ada'], 3, /Whoever deploys \(ada\) cannot approve it/],
    ['tests that fail', { deploy: `tests: ['sh', '-c', 'echo 3 tests failed; exit 1']` }, YES, 3, /exited 1: 3 tests failed/],
    ['a scanner that finds something', { deploy: `scan: ['sh', '-c', 'echo bad: $0; exit 1']` }, YES, 3, /exited 1: bad: shop\/web:1\.1\.0/],
    ['an image that is too large', { deploy: `imageSize: '1kB'` }, YES, 3, /shop\/web:1\.1\.0 has .* more than/],
    ['a protected environment and only `--yes`', { environment: 'protected: true' }, YES, 2, /needs --confirm=shop\/local/],
    ['a confirmation of something else', { environment: 'protected: true' }, ['--version=1.1.0', '--confirm=shop/prod'], 2, /names something else/],
    ['a secret that is not set', { secrets: `SESSION_KEY: secret('SESSION_KEY')` }, YES, 2, /SESSION_KEY is not set/],
    [
      'a store that cannot be written, before a backup',
      { environment: `protected: true, stores: [directory({ path: '/proc/nowhere' })]` },
      ['--version=1.1.0', '--confirm=shop/local'],
      3,
      /nowhere/,
    ],
  ]
  test.each(shapes)('%s', async (fault, shape, flags, exit, why) => {
    const before = await standingOf(shop)
    describeShop(shop, shape)
    const ran = await must(exit, shop, 'deploy', flags, { env: { CI: 'true', GITHUB_ACTOR: 'ada' } })
    describeShop(shop, {})
    expect(said(ran)).toMatch(why)
    expect(await standingOf(shop)).toEqual(before)
    row(fault, `deploy ${flags.filter(flag => flag !== '--yes').join(' ')}`, ran, '1.0.0 serves', shop)
  })
})

test('a script that is gone is refused with its place', async () => {
  rmSync(shop.script)
  const ran = await must(3, shop, 'deploy', ['--version=1.1.0', '--yes'])
  expect(said(ran)).toContain(`the script of web cannot be read: ${shop.script}`)
  row('a script that is gone', 'deploy --version=1.1.0', ran, '1.0.0 serves', shop)
  await stillServes('1.0.0')
})

test('the first release of all says that there is nothing to go back to; a bad one leaves nothing; a taken port is found before', async () => {
  const empty = await newShop()
  const other = createServer((_, response) => response.end('another program')).listen(empty.port, '127.0.0.1')
  await new Promise(resolve => other.once('listening', resolve))
  const taken = await must(3, empty, 'deploy', ['--version=1.0.0', '--yes'])
  expect(said(taken)).toContain(`port ${empty.port} is taken by another program`)
  row('a front door whose port is taken', 'deploy --version=1.0.0', taken, 'nothing serves, as before', empty)
  await new Promise(resolve => other.close(resolve))
  const none = await must(2, empty, 'deploy', ['--yes'])
  expect(said(none)).toContain('--version is missing')
  row('a first deploy without a version', 'deploy', none, 'nothing serves, as before', empty)
  const back = await must(3, empty, 'rollback', ['--yes'])
  expect(said(back)).toContain('no release was ever verified here')
  row('a rollback where nothing was ever deployed', 'rollback', back, 'nothing serves, as before', empty)
  const bad = await must(4, empty, 'deploy', ['--version=1.3.0-crash', '--yes'])
  expect(said(bad)).toContain('the first release: there is none to go back to')
  expect([await served(empty), await shopFaults(empty)]).toEqual(['nothing', ['nothing serves']])
  row('a first version that crashes', 'deploy --version=1.3.0-crash', bad, 'nothing serves, as before', empty)
})

test('a stack without a platform says where to write one', async () => {
  const file = join(shop.config, 'shop.ts')
  writeFileSync(
    file,
    `import { defineStack, directory } from 'runbooks'\nexport default defineStack({ name: 'shop', timezone: 'UTC', data: {}, environments: { local: { stores: [directory({ path: 'b' })] } } })\n`,
  )
  const ran = await must(2, shop, 'deploy', ['--version=1.0.0', '--yes'])
  expect(said(ran)).toContain('shop/local has no platform, so nothing can be deployed to it')
  row('a stack without a platform', 'deploy --version=1.0.0', ran, 'everything as it was', shop)
  expect((await must(2, shop, 'rollback', ['--yes'])).stderr).toContain('no platform')
  expect((await must(2, shop, 'releases', [])).stderr).toContain('no platform')
})

test('every fault of the table was tested', () => {
  if (!process.env.UPDATE_FAULTS) expect(made()).toEqual(known())
})
