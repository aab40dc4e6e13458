import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { standingStill } from '../releases/compose-shop.ts'
import { newPostgresShop, type PostgresShop } from '../releases/rehearse/compose.ts'
import { must, said, underLoad } from '../releases/runs.ts'
import { describeWith } from '../testbed/index.ts'
import { endWorlds, invoke } from './kit.ts'

// Containers, images and a database; other test files run beside it.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 })

const SERVED = 'SELECT says FROM served; SELECT * FROM migrations'

describeWith(['docker', 'nginx-image', 'postgres', 'zstd'], 'rehearsals on Docker Compose, with PostgreSQL', () => {
  let shop: PostgresShop
  beforeAll(async () => {
    shop = await newPostgresShop()
    await deploy('1.0.0')
    await deploy('1.1.0')
    await must(0, shop, 'backup', ['--yes'])
  })
  afterAll(async () => {
    await shop?.end()
    endWorlds()
  })

  function deploy(version: string) {
    shop.image(version)
    return must(0, shop, 'deploy', [`--version=${version}`, '--yes'])
  }
  const docker = (...argv: string[]) => shop.host.engine.docker(...argv)
  const left = () => [
    ...docker('ps', '-aq', '--filter', 'label=com.docker.compose.project=shop-rehearsal').split('\n').filter(Boolean),
    ...shop.sql("SELECT datname FROM pg_database WHERE datname LIKE '%drill%'").split('\n').filter(Boolean),
    ...(existsSync(join(shop.host.directory, '.runbooks/rehearsal')) ? ['its folder'] : []),
  ]

  test('the former release is SAFE: it runs beside what serves, on a copy, with no address of live data', async () => {
    const before = shop.sql(SERVED)
    const { done, failures } = await underLoad(shop, async () => {
      const { ran, goOn } = await standingStill(shop, ['--rehearse', '--yes'], 'says:verified rehearsal.judge/rehearsal:after', 'rollback')
      const address = docker('exec', 'shop-rehearsal-web-1', 'cat', '/run/secrets/database_url')
      const [all] = JSON.parse(docker('inspect', 'shop-rehearsal-web-1'))
      goOn()
      expect(address).toMatch(/^postgres:\/\/shop@postgres:5432\/shop__drill_\w+$/)
      expect(JSON.stringify(all)).not.toContain('5432/shop')
      expect(Object.keys(all.NetworkSettings.Networks)).toEqual(['shop-edge'])
      expect(all.NetworkSettings.Networks['shop-edge'].Aliases).toContain('web-rehearsal')
      return ran
    })
    expect([done.exit, failures, left(), shop.sql(SERVED)], done.stderr).toEqual([0, [], [], before])
    expect(done.last).toMatch(/^SAFE shop\/local: 1\.0\.0 was healthy and passed 1 smoke test in .* on a copy of .* old\), at migration m1, verified/)
  })

  test('over a migration that it does not understand it needs a down-migration, and says the command', async () => {
    await deploy('2.0.0')
    const before = shop.sql(SERVED)
    const { done, failures } = await underLoad(shop, () => must(7, shop, 'rollback', ['--rehearse', '--yes']))
    expect([failures, left(), shop.sql(SERVED)]).toEqual([[], [], before])
    expect(done.last).toMatch(/^NEEDS A DOWN-MIGRATION shop\/local: 1\.1\.0 is fit once the data is migrated back from m2 to m1, verified/)
    expect(said(done)).toMatch(/crashed \d+ times.*docker compose .*run --rm .* web node \/app\.mjs down m1 .*unknown schema m2/)
  })

  test('one that was killed in the middle is taken back', async () => {
    const died = await invoke(shop, 'rollback', ['--rehearse', '--yes'], { die: 'says:exited rehearsal.start/rehearsal:after' })
    expect([died.signal, left().length > 0]).toEqual(['SIGKILL', true])
    await must(0, shop, 'rollback', ['--revert', '--yes'])
    expect(left()).toEqual([])
  })
})
