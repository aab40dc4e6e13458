import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { deployed } from '../releases/runs.ts'
import { closeShops, describeShop, newShop, type Shop, served } from '../releases/world.ts'
import { endWorlds } from '../runbooks/kit.ts'
import { describeWith } from '../testbed/index.ts'
import { expectScreen, Terminal } from './terminal.ts'

/** A screen in which the figures of the front door, whose width varies, break no line. */
const whole = (screen: string) => screen.replace(/^Stands .*(\n {8}\S.*)+/m, stands => stands.replace(/\n {8}/g, ' '))

const SUBJECT = '--stack=shop --environment=local'

// Several deploys, on a machine that other tests share.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })

describeWith('tmux', 'the screens of releases at 80 × 24', () => {
  let shop: Shop
  let terminal: Terminal
  beforeAll(async () => {
    shop = await newShop()
    await deployed(shop, '1.0.0')
    describeShop(shop, { environment: 'protected: true,', deploy: 'backup: false,' })
  })
  beforeEach(() => {
    terminal = new Terminal(shop)
  })
  afterEach(() => terminal.end())
  afterAll(async () => {
    await closeShops()
    endWorlds()
  })

  test('a deploy asks for the version, shows what changes, and waits for the typed name', async () => {
    terminal.command(`npx zx runbooks/deploy.ts ${SUBJECT}`)
    expectScreen('deploy-1-version', await terminal.until(/Version \(now 1\.0\.0, verified .*\)/))
    terminal.type('1.1.0')
    terminal.press('Enter')
    expectScreen('deploy-2-plan', await terminal.until(/Type shop\/local to go on/))
    terminal.type('shop/local')
    terminal.press('Enter')
    expectScreen('deploy-3-end', await terminal.until(/\(exit 0\)\n\$/))
    expect(await served(shop)).toBe('1.1.0')
  })

  test('one that crashes is taken back, and the cause comes first', async () => {
    terminal.command(`npx zx runbooks/deploy.ts ${SUBJECT} --version=1.3.0-crash --confirm=shop/local`)
    expectScreen('deploy-failed', whole(await terminal.until(/\(exit 4\)\n\$/)))
    expect(await served(shop)).toBe('1.1.0')
  })

  test('Enter at the typed name stops before anything was touched', async () => {
    terminal.command(`npx zx runbooks/rollback.ts ${SUBJECT}`)
    await terminal.until(/Type shop\/local to go on/)
    terminal.press('Enter')
    expectScreen('rollback-declined', await terminal.until(/\(exit 3\)\n\$/))
    expect(await served(shop)).toBe('1.1.0')
  })

  test('a freeze is a refusal that says until when, and how to go on nevertheless', async () => {
    describeShop(shop, { environment: `freeze: [frozen({ whenSet: 'EVENT_DAY_FREEZE', why: 'event day' })],`, env: 'EVENT_DAY_FREEZE=true\n' })
    terminal.command(`npx zx runbooks/deploy.ts ${SUBJECT} --version=1.2.0 --yes`)
    expectScreen('deploy-frozen', await terminal.until(/\(exit 3\)\n\$/))
  })
})
