import { existsSync } from 'node:fs'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type ComposeShop, composeFaults, newComposeShop, recordsAt, servedAt, servesAgain, standingStill } from '../releases/compose-shop.ts'
import { pointThatSays } from '../releases/points.ts'
import { deployed, must, said } from '../releases/runs.ts'
import { describeWith } from '../testbed/index.ts'
import { faultTable } from './faults.ts'
import { endWorlds, type Ran } from './kit.ts'
import { until } from './waiting.ts'

// Each starts many processes and containers, and other test files run beside it.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 })

describeWith(['docker', 'nginx-image'], 'releases on Docker Compose when the host fails', () => {
  const { row, known, made } = faultTable('Releases on Docker Compose, when the host fails')
  let shop: ComposeShop
  beforeAll(async () => {
    shop = await newComposeShop()
    await deployed(shop, '1.1.0')
  })
  afterAll(async () => {
    await shop?.end()
    endWorlds()
  })

  const sound = async (version: string) => expect([await servedAt(shop), await composeFaults(shop)]).toEqual([version, []])
  const engine = () => shop.host.engine
  const docker = (...argv: readonly string[]) => engine().docker(...argv)
  /** As `systemctl stop docker` ends it, with all containers; they are started again with it. */
  const dockerEnds = async () => {
    const pid = engine().pid()
    process.kill(pid, 'SIGTERM')
    await until(() => (existsSync(`/proc/${pid}`) ? undefined : true), 120_000)
  }
  const rebooted = () => docker('rm', '--force', ...docker('ps', '-aq').split('\n'))

  test('Docker that is gone in the middle: what stands is said, and is taken back once it is there again', async () => {
    const first = await standingStill(shop, ['--version=1.2.0', '--yes'], pointThatSays('intent release.start/slot'))
    await dockerEnds()
    first.goOn()
    const lost = await first.ran
    expect([lost.exit, said(lost)]).toEqual([5, expect.stringMatching(/docker/i)])
    row('Docker that is gone in the middle', 'deploy --version=1.2.0', lost, 'what stands is unknown until Docker is there', shop)
    await engine().start()
    expect(await servesAgain(shop, '1.1.0')).toBe('1.1.0')
    const taken = await must(0, shop, 'deploy', ['--revert', '--yes'])
    row('the same, once it is there again', 'deploy --revert', taken, '1.1.0 serves', shop)
    await sound('1.1.0')
  })

  test('Docker that is restarted in the middle', async () => {
    const first = await standingStill(shop, ['--version=1.2.0', '--yes'], pointThatSays('intent release.start/slot'))
    await dockerEnds()
    await engine().start()
    await servesAgain(shop, '1.1.0')
    first.goOn()
    const ran = await first.ran
    expect([ran.exit, await servedAt(shop)]).toEqual([0, '1.2.0'])
    row(
      'Docker that is restarted in the middle',
      'deploy --version=1.2.0',
      withoutFailures(ran),
      '1.2.0 serves; what failed meanwhile is counted',
      shop,
    )
    await sound('1.2.0')
  })

  /** How many requests met the restart is chance. */
  const withoutFailures = (ran: Ran): Ran => ({ ...ran, last: ran.last.replace(/requests, [\d,]+ failed/, 'requests, ‹n› failed') })

  test('a host that was rebooted: the state is there, the containers are gone', async () => {
    rebooted()
    const sick = await must(7, shop, 'health-check', [])
    expect(said(sick)).toContain('nothing serves')
    row('a host that has lost its containers', 'health-check', sick, 'nothing serves', shop)
    const [last] = await recordsAt(shop)
    const back = await must(0, shop, 'rollback', [`--to=${last?.release}`, '--yes'])
    row(
      'a host that has lost its containers, with the last release',
      'rollback --to=‹release›',
      withoutFailures(back),
      '1.2.0 serves, as before',
      shop,
    )
    await sound('1.2.0')
    rebooted()
    const next = await must(0, shop, 'deploy', ['--version=1.1.0', '--yes'])
    row('a host that has lost its containers, with another version', 'deploy --version=1.1.0', withoutFailures(next), '1.1.0 serves', shop)
    await sound('1.1.0')
  })

  test('every fault of the table was tested', () => {
    if (!process.env.UPDATE_FAULTS) expect(made()).toEqual(known())
  })
})
