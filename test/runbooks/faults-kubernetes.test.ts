import { readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { applied } from '../../lib/platforms/kubernetes/apply.ts'
import { kubeTo } from '../../lib/platforms/kubernetes/kube.ts'
import { forRelease } from '../../lib/platforms/kubernetes/manifests.ts'
import { liveOf } from '../../lib/platforms/kubernetes/resources.ts'
import type { Site } from '../../lib/platforms/kubernetes/site.ts'
import { keptOf } from '../../lib/platforms/kubernetes/stage.ts'
import { doing, perform, until } from '../platforms/conformance/kit.ts'
import { drafted } from '../platforms/kubernetes/world.ts'
import { standingStill } from '../releases/compose-shop.ts'
import { describeKubernetesShop, type KubernetesShop, kubernetesFaults, newKubernetesShop, servedAt } from '../releases/kubernetes-shop.ts'
import { pointThatSays } from '../releases/points.ts'
import { deployed, must, said } from '../releases/runs.ts'
import { describeWith } from '../testbed/index.ts'
import { faultTable } from './faults.ts'
import { endWorlds, type Ran } from './kit.ts'

// Pods start and end, and other test files run beside it.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 })

/** An account stays known for so long after it is gone: the API server remembers tokens. */
const REMEMBERED_MS = 12_000

const BEFORE = pointThatSays('intent release.replace/live')
const AFTER = pointThatSays('exited release.replace/live')

const autoscaler = {
  apiVersion: 'autoscaling/v2',
  kind: 'HorizontalPodAutoscaler',
  metadata: { name: 'web', labels: { 'runbooks.dev/layer': 'release' } },
  spec: {
    scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
    minReplicas: 2,
    maxReplicas: 4,
    metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 70 } } }],
  },
}

describeWith(['kubernetes', 'registry'], 'releases on Kubernetes while others are at work', () => {
  const { row, known, made } = faultTable('Releases on Kubernetes, while others are at work')
  let shop: KubernetesShop
  let mark: string
  const kubectl = (...argv: readonly string[]) => shop.kubectl(...argv)
  const node = (value: 'yes' | '') => shop.on.on.kubectl(['label', 'nodes', '--all', '--overwrite', value === '' ? `${mark}-` : `${mark}=${value}`])
  const pods = (more = '') =>
    kubectl('get', 'pods', '-l', 'app=web', '--sort-by=.metadata.creationTimestamp', '-o', `jsonpath={.items[*].metadata.name}${more}`)
  const sound = async (version: string) => expect([await servedAt(shop), await kubernetesFaults(shop)]).toEqual([version, []])

  beforeAll(async () => {
    shop = await newKubernetesShop(['1.3.0-crash'])
    mark = `runbooks.dev/${shop.on.namespace}`
    // The number of pods is the autoscaler's, as in production.
    shop.on.overlay({ spec: { replicas: undefined }, pod: { nodeSelector: { [mark]: 'yes' } }, more: [autoscaler] })
    node('yes')
    await deployed(shop, '1.0.0')
    await until(
      async () => kubectl('get', 'deployment', 'web', '-o', 'jsonpath={.status.readyReplicas}'),
      ready => ready === '2',
    )
  })
  afterAll(async () => {
    if (mark) node('')
    await shop?.end()
    endWorlds()
  })

  // Its label is taken from the node, and the node is not cordoned, because other tests put pods on it.
  test('a node that takes no new pods: the scheduler’s words are said, and it is taken back', async () => {
    describeKubernetesShop(shop, { deploy: `budget: '8s'` })
    const { ran, goOn } = await standingStill(shop, ['--version=1.1.0', '--yes'], BEFORE)
    try {
      node('')
      goOn()
      const done = await ran
      expect([done.exit, said(done)]).toEqual([
        4,
        expect.stringMatching(/web: no node has a place for it: 0\/1 nodes are available.*affinity\/selector/),
      ])
      row('no node has a place for new pods', 'deploy --version=1.1.0', done, '1.0.0 serves; no request failed', shop)
    } finally {
      node('yes')
      describeKubernetesShop(shop)
    }
    await sound('1.0.0')
  })

  test('pods that are evicted on the way, an old one and a new one, are no fault of the release, and no request is lost', async () => {
    const { ran, goOn } = await standingStill(shop, ['--version=1.1.0', '--yes'], AFTER)
    const all = pods().split(' ')
    for (const name of [all.at(0), all.at(-1)]) {
      const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace: shop.on.namespace } }
      shop.on.on.kubectl(['create', '--raw', `/api/v1/namespaces/${shop.on.namespace}/pods/${name}/eviction`, '-f', '-'], JSON.stringify(eviction))
    }
    goOn()
    const done = await ran
    expect([done.exit, done.last]).toEqual([0, expect.stringMatching(/ 0 failed/)])
    row('pods evicted in the middle', 'deploy --version=1.1.0', done, '1.1.0 serves; no request failed', shop)
    await sound('1.1.0')
  })

  test('conversations that are open during a rollout go on until their pod ends them, in peace; and who changes the number of pods is let', async () => {
    const ended: (readonly [code: number, clean: boolean])[] = []
    const heard = new Set<string>()
    const sockets = Array.from({ length: 6 }, () => new WebSocket(shop.on.door.replace('http', 'ws')))
    for (const socket of sockets) {
      socket.onmessage = ({ data }) => heard.add(String(data))
      socket.onclose = ({ code, wasClean }) => ended.push([code, wasClean])
    }
    await until(
      async () => heard.size,
      size => size > 0,
    )
    const { ran, goOn } = await standingStill(shop, ['--version=1.2.0', '--yes'], AFTER)
    kubectl('scale', 'deployment/web', '--replicas=3')
    goOn()
    const done = await ran
    expect([done.exit, done.last]).toEqual([0, expect.stringMatching(/ 0 failed/)])
    await until(
      async () => ended.length,
      n => n === sockets.length,
    )
    expect(ended).toEqual(sockets.map(() => [1001, true]))
    expect([...heard]).toEqual(['1.1.0'])
    row(
      'WebSockets open during a rollout',
      'deploy --version=1.2.0',
      done,
      '1.2.0 serves; each was told that its pod goes (1001); no request failed',
      shop,
    )
    expect(kubectl('get', 'deployment', 'web', '-o', 'jsonpath={.spec.replicas} {.status.readyReplicas}')).toBe('3 3')
    row(
      'another number of pods, set in the middle as an autoscaler does',
      'deploy --version=1.2.0',
      done,
      '1.2.0 serves, in as many pods as were set',
      shop,
    )
    await sound('1.2.0')
  })

  test('a release that was applied by half: what fails on top of it goes back to what was verified last', async () => {
    const half = await halfApplied('1.0.0')
    kubectl('rollout', 'status', 'deployment/web', '--timeout=120s')
    expect((await shop.platform.standing(doing())).slots.live?.release).toContain('+')
    const ran = await must(4, shop, 'deploy', ['--set', 'web=1.3.0-crash', '--yes'])
    expect(said(ran)).toMatch(/web: it crashed 2 times/)
    row(
      'a release that somebody applied by half, and a bad one on top',
      'deploy --set web=1.3.0-crash',
      ran,
      '1.2.0 serves, which was verified last',
      shop,
    )
    await perform(shop.platform.unstage(half))
    reported(ran)
    await sound('1.2.0')
  })

  /** The page of a failed rollout: the cause first, then the last words of what died and what happened, and the timeline below. */
  function reported({ stderr }: Ran): void {
    const page = readFileSync(/^Report {2}(.*)$/m.exec(stderr)?.[1] ?? '', 'utf8')
    if (process.env.KEEP_REPORT) writeFileSync(process.env.KEEP_REPORT, page)
    const parts = [
      'web: it crashed 2 times',
      'last lines of web:',
      'boom: cannot open the database',
      'what happened:',
      'BackOff',
      '<h2>Timeline</h2>',
    ]
    const found = parts.map(part => page.indexOf(part))
    expect([found.every(at => at > 0), found.toSorted((a, b) => a - b)]).toEqual([true, found])
  }

  /** Puts one of the two Deployments of a release there, as an apply that was cut off does. */
  async function halfApplied(version: string): Promise<string> {
    const bundle = await drafted(shop.on, shop.platform, { web: version })
    await perform(shop.platform.stage(bundle))
    const options = { cluster: shop.on.on.server, namespace: shop.on.namespace, overlay: shop.on.folder, door: shop.on.door }
    const kube = kubeTo({ ...options, kubeconfig: shop.on.on.kubeconfig })
    const setting = { stack: 'shop', environment: 'local', services: shop.on.services }
    const site: Site = { setting, options, kube, where: '', kinds: new Map(), sightings: new Map() }
    const { objects = [] } = (await keptOf(site, bundle.release, doing())) ?? {}
    const made = forRelease(site, objects, bundle, await liveOf(site, objects, doing()), [])
    await applied(
      site,
      made.filter(({ kind, metadata }) => kind === 'Deployment' && metadata.name === 'web'),
      doing(),
      'for good',
    )
    await kube.close()
    return bundle.release
  }

  test('a budget that blocks every eviction is found', async () => {
    kubectl('create', 'poddisruptionbudget', 'web', '--selector=app=web', '--min-available=100%')
    await until(
      async () => kubectl('get', 'poddisruptionbudget', 'web', '-o', 'jsonpath={.status.expectedPods}'),
      pods => Number(pods) > 0,
    )
    const ran = await must(7, shop, 'health-check', ['--only=platform'])
    expect(said(ran)).toMatch(/platform: the budget web blocks every eviction, so no node can be drained: it wants \d healthy pods, and there are \d/)
    row('a budget for disruptions that lets no pod go', 'health-check --only=platform', ran, 'nothing changed', shop)
    kubectl('delete', 'poddisruptionbudget', 'web')
    await must(0, shop, 'health-check', ['--only=platform'])
  })

  test('a token that ends: before a run it is refused; in the middle a person settles it with a new one', async () => {
    kubectl('create', 'serviceaccount', 'brief')
    kubectl('create', 'rolebinding', 'brief', '--clusterrole=admin', `--serviceaccount=${shop.on.namespace}:brief`)
    const token = kubectl('create', 'token', 'brief').trim()
    const kubeconfig = shop.on.kubeconfig(config => {
      config.users[0]!.user = { token }
    })
    describeKubernetesShop(shop, { kubeconfig })
    const { ran, goOn } = await standingStill(shop, ['--version=1.1.0', '--yes'], BEFORE)
    kubectl('delete', 'serviceaccount', 'brief')
    await sleep(REMEMBERED_MS)
    goOn()
    const done = await ran
    expect([done.exit, said(done)]).toEqual([5, expect.stringMatching(/the token is expired or not valid/)])
    row('a token that ends in the middle', 'deploy --version=1.1.0', done, 'the version before serves', shop)
    const blind = await must(8, shop, 'health-check', ['--only=web'])
    expect(said(blind)).toMatch(/the token is expired or not valid/)
    row('a token that has ended', 'health-check --only=web', blind, 'the version before serves', shop)
    describeKubernetesShop(shop)
    const reverted = await must(0, shop, 'deploy', ['--revert', '--yes'])
    row('the same, with a new token', 'deploy --revert', reverted, 'the version before serves', shop)
    await sound('1.2.0')
  })

  test('every row of the table was made', () => {
    if (!process.env.UPDATE_FAULTS) expect(made()).toEqual(known())
  })
})
