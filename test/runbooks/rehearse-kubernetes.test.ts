import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { door } from '../k8s/stand.ts'
import { standingStill } from '../releases/compose-shop.ts'
import { newPodShop, type PodShop } from '../releases/rehearse/kubernetes.ts'
import { must, said, underLoad } from '../releases/runs.ts'
import { describeWith } from '../testbed/index.ts'
import { endWorlds, invoke } from './kit.ts'
import { until } from './waiting.ts'

// Pods, images and a database; other test files run beside it.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 })

const SERVED = 'SELECT says FROM served; SELECT * FROM migrations'

type Pod = {
  metadata: { name: string; labels: Record<string, string> }
  spec: { containers: { env: { name: string; value?: string; valueFrom?: { secretKeyRef: { name: string; key: string } } }[] }[] }
}

describeWith(['kubernetes', 'registry', 'postgres', 'zstd'], 'rehearsals on Kubernetes, with PostgreSQL in the cluster', () => {
  if (door() === undefined) return void test.skip('rehearsals on Kubernetes (skipped, needs TESTBED_CLUSTER_DOOR)', () => {})
  let shop: PodShop
  beforeAll(async () => {
    shop = await newPodShop()
    await deploy('1.0.0')
    await deploy('1.1.0')
    await must(0, shop, 'backup', ['--yes'])
  })
  afterAll(async () => {
    await shop?.end()
    endWorlds()
  })

  /** Until the pods of the former release are gone as well, so that what users meet afterwards is the rehearsal's doing. */
  async function deploy(version: string) {
    await must(0, shop, 'deploy', [`--set=web=${version}`, '--set=worker=1.0.0', '--yes'])
    await until(() => shop.kubectl('get', 'pods', '-l', 'app in (web, worker)', '-o', 'name').trim().split('\n').length === 2 || undefined, 60_000)
  }
  const left = () => [
    ...shop.kubectl('get', 'pods,services,configmaps,secrets', '-l', 'runbooks.dev/rehearsal', '-o', 'name').split('\n').filter(Boolean),
    ...shop.kubectl('get', 'pods', '-l', 'runbooks.dev/once', '-o', 'name').split('\n').filter(Boolean),
    ...shop.sql("SELECT datname FROM pg_database WHERE datname LIKE '%drill%'").split('\n').filter(Boolean),
  ]
  const asidePods = () => JSON.parse(shop.kubectl('get', 'pods', '-l', 'runbooks.dev/once=rehearsal', '-o', 'json')).items as Pod[]
  const addressesOf = (name: string) =>
    (
      JSON.parse(shop.kubectl('get', 'endpointslices', '-l', `kubernetes.io/service-name=${name}`, '-o', 'json')).items as {
        endpoints: { addresses: string[]; conditions: { ready: boolean }; targetRef: { name: string } }[]
      }[]
    )
      .flatMap(({ endpoints }) => endpoints)
      .filter(({ conditions }) => conditions.ready)
      .map(({ targetRef }) => targetRef.name)

  test('the former release is SAFE: it runs beside what serves, on a copy, hears only its own, and no user meets it', async () => {
    const before = shop.sql(SERVED)
    const { done, failures } = await underLoad({ ...shop, pauseMs: 20 }, async () => {
      const { ran, goOn } = await standingStill(shop, ['--rehearse', '--yes'], 'says:verified rehearsal.judge/rehearsal:after', 'rollback')
      const pods = asidePods()
      const [web, worker] = ['web', 'worker'].map(service => pods.find(({ metadata }) => metadata.labels['runbooks.dev/service'] === service))
      const address = shop.kubectl('exec', web?.metadata.name ?? '', '--', 'sh', '-c', 'echo "$DATABASE_URL"')
      const served = addressesOf('web')
      const cache = shop.kubectl('logs', web?.metadata.name ?? '')
      expect(shop.kubectl('get', 'deployments', '-o', 'name').trim().split('\n')).toEqual(['deployment.apps/web', 'deployment.apps/worker'])
      const heard = shop.kubectl('logs', worker?.metadata.name ?? '')
      goOn()
      expect(address).toMatch(/^postgres:\/\/bookkeeper@postgres:5432\/shop__drill_\w+\n$/)
      expect(cache).toContain('cache: stands in')
      expect(served.filter(name => name.includes('rehearsal'))).toEqual([])
      expect(served.length).toBeGreaterThan(0)
      expect([...new Set(heard.split('\n').filter(line => line.startsWith('web ')))]).toEqual(['web 1.0.0'])
      return ran
    })
    expect([done.exit, failures, left(), shop.sql(SERVED)], done.stderr).toEqual([0, [], [], before])
    expect(done.last).toMatch(/^SAFE shop\/local: 1\.0\.0 was healthy and passed 1 smoke test in .* on a copy of .* old\), at migration m1, verified/)
  })

  test('over a migration that it does not understand it needs a down-migration, and says the command', async () => {
    await deploy('2.0.0')
    const before = shop.sql(SERVED)
    const { done, failures } = await underLoad({ ...shop, pauseMs: 20 }, () => must(7, shop, 'rollback', ['--rehearse', '--yes']))
    expect([failures, left(), shop.sql(SERVED)]).toEqual([[], [], before])
    expect(done.last).toMatch(/^NEEDS A DOWN-MIGRATION shop\/local: .* is fit once the data is migrated back from m2 to m1, verified/)
    expect(said(done)).toMatch(/crashed \d+ times.*unknown schema m2/)
  })

  test('a pod that somebody removes is no verdict on the release', async () => {
    const { ran, goOn } = await standingStill(shop, ['--rehearse', '--yes'], 'says:verified rehearsal.start/rehearsal:after', 'rollback')
    shop.kubectl('delete', 'pods', '-l', 'runbooks.dev/service=web', '--now')
    goOn()
    const done = await ran
    expect([done.exit, left()], done.stderr).toEqual([4, []])
    expect(said(done)).toMatch(/nothing was judged: somebody removed its pod/)
    expect(done.last).toMatch(/^NOT DONE shop\/local: nothing was found out/)
  })

  test('one that was killed in the middle is taken back', async () => {
    const died = await invoke(shop, 'rollback', ['--rehearse', '--yes'], { die: 'says:exited rehearsal.start/rehearsal:after' })
    expect([died.signal, left().length > 0]).toEqual(['SIGKILL', true])
    await must(0, shop, 'rollback', ['--revert', '--yes'])
    expect(left()).toEqual([])
  })
})
