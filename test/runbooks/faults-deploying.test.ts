import { appendFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type Line, linesOf, lineThatSays } from '../releases/points.ts'
import { deployed, must, said } from '../releases/runs.ts'
import { closeShops, describeShop, newShop, overlapping, type Shop, served, shopFaults } from '../releases/world.ts'
import { faultTable } from './faults.ts'
import { endWorlds, invoke, journals, type Ran } from './kit.ts'
import { isStopped, until } from './waiting.ts'

// Each starts many processes, and other test files run beside it.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 })

const { row, known, made } = faultTable('Releases on the sandbox, while one is on its way')
let shop: Shop
let lines: readonly Line[]

beforeAll(async () => {
  shop = await newShop({ worker: true })
  await deployed(shop, '1.0.0')
  lines = await linesOf(shop, 'deploy', ['--version=1.1.0', '--yes'])
})
afterAll(async () => {
  await closeShops()
  endWorlds()
})

const at = (says: string, when = 'after') => `entry:${lineThatSays(lines, says)}:${when}`
const NEXT = ['--version=1.2.0', '--yes']
const sound = async (version: string) => expect([await served(shop), await shopFaults(shop), overlapping(shop)]).toEqual([version, [], []])

/** Starts a runbook that stands still once it has come to a line of its journal, and gives its promise with the means to go on. */
async function standingStill(flags: readonly string[], point: string): Promise<{ ran: Promise<Ran>; goOn(): void; end(): void }> {
  let pid = 0
  const before = journals(shop.home).length
  const started = (child: { pid?: number | undefined }) => {
    pid = child.pid ?? 0
  }
  const ran = invoke(shop, 'deploy', flags, { die: point, by: 'SIGSTOP', started })
  await until(() => (journals(shop.home).length > before && isStopped(pid) ? true : undefined), 60_000)
  const goOn = () => void process.kill(pid, 'SIGCONT')
  const end = () => {
    process.kill(pid, 'SIGINT')
    goOn()
  }
  return { ran, goOn, end }
}

test('Ctrl-C and SIGTERM take everything back at whatever step they come, traffic first', async () => {
  const steps = [
    'intent release.stage/it',
    'intent release.start/slot',
    'verified release.start/slot',
    'intent workers/worker in slot',
    'intent traffic/front door',
    'intent release.sound/slot',
  ]
  for (const [i, says] of steps.entries()) {
    const by = i % 2 === 0 ? 'SIGINT' : 'SIGTERM'
    const ran = await invoke(shop, 'deploy', NEXT, { die: at(says), by })
    expect([says, ran.exit], ran.stderr).toEqual([says, i % 2 === 0 ? 130 : 143])
    await sound('1.1.0')
    if (i === 4)
      row('Ctrl-C right before the traffic moves', 'deploy --version=1.2.0', ran, '1.1.0 serves, its worker works; no requests failed', shop)
    if (i === 5) row('SIGTERM while it is watched', 'deploy --version=1.2.0', ran, '1.1.0 serves, its worker works; no requests failed', shop)
    expect(ran.last).not.toMatch(/[1-9]\d* failed/)
  }
})

test('a second operator hears who is at work, may wait, and deploys onto what the first has left', async () => {
  const first = await standingStill(NEXT, at('intent release.start/slot'))
  const busy = await must(6, shop, 'deploy', ['--version=1.0.0', '--yes'])
  expect(said(busy)).toContain(`deploy (${journals(shop.home).at(-1)?.run})`)
  row('two operators at once', 'deploy --version=1.0.0', busy, 'the first goes on', shop)
  row('a rollback during a deploy', 'rollback', await must(6, shop, 'rollback', ['--yes']), 'the deploy goes on', shop)
  const third = invoke(shop, 'deploy', ['--version=1.0.0', '--yes', '--wait=55s'], {
    started: child => child.stderr?.on('data', (text: string) => void (/Waiting for/.test(text) && first.goOn())),
  })
  expect([(await first.ran).exit, (await third).exit]).toEqual([0, 3])
  // What was agreed to is not what there is now: the second one has to look at the new plan.
  expect(said(await third)).toContain('The world changed since the plan was shown')
  row(
    'one that waited while another version came to serve',
    'deploy --version=1.0.0 --wait=55s',
    await third,
    '1.2.0 serves, as the first wanted it',
    shop,
  )
  await sound('1.2.0')
})

test('what somebody changed by hand between the plan and its beginning makes the plan stale', async () => {
  const first = await standingStill(['--version=1.1.0', '--yes'], at('intent release.start/slot'))
  const waits = invoke(shop, 'deploy', ['--version=1.0.0', '--yes', '--wait=55s'], {
    started: child =>
      child.stderr?.on('data', (text: string) => {
        if (!/Waiting for/.test(text)) return
        appendFileSync(shop.script, '// by hand\n')
        first.end()
      }),
  })
  expect((await first.ran).exit).toBe(130)
  const stale = await waits
  expect([stale.exit, said(stale)]).toEqual([3, expect.stringMatching(/The world changed since the plan was shown: ~ Fetch the images: .*sha256/)])
  row('a script that was changed by hand between plan and apply', 'deploy --version=1.0.0 --wait=55s', stale, '1.2.0 serves', shop)
  await sound('1.2.0')
})

test('a bad version whose run died after the traffic had moved is found when the run is gone on with', async () => {
  describeShop(shop, { worker: true, deploy: `bake: '6s'` })
  const died = await invoke(shop, 'deploy', ['--version=1.3.0-errors', '--yes'], { die: at('exited traffic/front door') })
  expect(died.signal).toBe('SIGKILL')
  const ran = await must(4, shop, 'deploy', ['--resume', '--yes'])
  expect(said(ran)).toMatch(/requests failed at the front door \(status 500\)/)
  expect(ran.last).not.toContain('traffic never moved')
  row('a bad version whose run died under traffic', 'deploy --resume', ran, '1.2.0 serves; some requests failed, and are counted', shop)
  await sound('1.2.0')
  describeShop(shop, { worker: true })
})

test.each([
  ['--resume', '1.1.0', 'DEPLOYED', 'intent traffic/front door'],
  ['--revert', '1.1.0', 'REVERTED', 'intent release.sound/slot'],
])('a machine that is lost for good is settled from another one by %s', async (how, version, word, says) => {
  const next = how === '--resume' ? version : '1.0.0'
  const died = await invoke(shop, 'deploy', [`--version=${next}`, '--yes'], { die: at(says) })
  expect(died.signal).toBe('SIGKILL')
  rmSync(join(shop.home, 'runs'), { recursive: true })
  const elsewhere = { env: { RUNBOOKS_HOME: join(shop.folder, `other ${how}`) } }
  const asked = await must(5, shop, 'deploy', NEXT, elsewhere)
  expect(asked.stderr).toMatch(/Unfinished: deploy .*\n?.*Survivors: none/s)
  row(`another machine after one was lost, before it settles (${how})`, 'deploy --version=1.2.0', asked, 'what the lost one left', {
    ...shop,
    home: elsewhere.env.RUNBOOKS_HOME,
  })
  const settled = await must(0, shop, 'deploy', [how, '--yes'], elsewhere)
  expect(settled.last).toMatch(new RegExp(`^${word} .*${how === '--resume' ? '1\\.1\\.0 serves 100 %; .*; 1\\.2\\.0 is ready to come back' : ''}`))
  row(`a machine that is lost for good, settled from another (${how})`, `deploy ${how}`, settled, `${version} serves everybody`, {
    ...shop,
    home: elsewhere.env.RUNBOOKS_HOME,
  })
  await sound(version)
})

test('every fault of the table was tested', () => {
  if (!process.env.UPDATE_FAULTS) expect(made()).toEqual(known())
})
