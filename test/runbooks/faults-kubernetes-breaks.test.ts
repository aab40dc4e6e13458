import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { Differences } from '../platforms/kubernetes/overlay.ts'
import { standingStill } from '../releases/compose-shop.ts'
import { describeKubernetesShop, type KubernetesShop, kubernetesFaults, newKubernetesShop, servedAt } from '../releases/kubernetes-shop.ts'
import { pointThatSays } from '../releases/points.ts'
import { deployed, must, said } from '../releases/runs.ts'
import { describeWith } from '../testbed/index.ts'
import { registry } from '../testbed/registry.ts'
import { faultTable } from './faults.ts'
import { endWorlds, invoke, journals, type Ran } from './kit.ts'
import { until } from './waiting.ts'

// Pods start and end, and other test files run beside it.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 })

/** An API server restarts within so many milliseconds; a run waits longer for it. */
const RESTART_MS = 4_000

const BEFORE = pointThatSays('intent release.replace/live')
/** One pod: a rollout is as short as it can be, and no request is lost all the same. */
const ONE: Differences = { spec: { replicas: 1 } }

/** A way to the API server that can be cut, as it is when that restarts. */
async function wayTo(server: string) {
  const to = new URL(server)
  const open = new Set<Socket>()
  const forward = createServer(socket => {
    const up = connect(Number(to.port), to.hostname)
    for (const one of [socket, up]) open.add(one.on('error', () => one.destroy()).on('close', () => open.delete(one)))
    socket.pipe(up).pipe(socket)
  })
  const listen = (port: number) => new Promise<void>(resolve => forward.listen(port, '127.0.0.1', resolve))
  await listen(0)
  const { port } = forward.address() as { port: number }
  return {
    address: `https://127.0.0.1:${port}`,
    name: to.hostname,
    up: () => listen(port),
    async down() {
      const closed = new Promise(resolve => forward.close(resolve))
      for (const one of open) one.destroy()
      await closed
    },
  }
}

describeWith(['kubernetes', 'registry'], 'releases on Kubernetes that break', () => {
  const { row, known, made } = faultTable('Releases on Kubernetes that break')
  let shop: KubernetesShop
  const kubectl = (...argv: readonly string[]) => shop.kubectl(...argv)
  const sound = async (version: string) => expect([await servedAt(shop), await kubernetesFaults(shop)]).toEqual([version, []])

  beforeAll(async () => {
    shop = await newKubernetesShop(['1.3.0-oom', '1.3.0-late'], ONE)
    await deployed(shop, '1.0.0')
  })
  afterAll(async () => {
    await shop?.end()
    endWorlds()
  })

  test('Ctrl-C at any kind of step takes everything back, until the release is recorded', async () => {
    for (const [says, when] of [
      ['intent release.stage/it', 'before anything is applied'],
      ['exited release.replace/live', 'while pods are replaced'],
      ['intent release.sound/live', 'while it is watched'],
    ] as const) {
      const ran = await must(130, shop, 'deploy', ['--version=1.1.0', '--yes'], { die: pointThatSays(says), by: 'SIGINT' })
      row(`Ctrl-C ${when}`, 'deploy --version=1.1.0', ran, '1.0.0 serves', shop)
      await sound('1.0.0')
    }
    const ran = await must(0, shop, 'deploy', ['--version=1.1.0', '--yes'], { die: pointThatSays('verified release.record/it'), by: 'SIGINT' })
    expect(said(ran)).toContain('cancelled by the operator (Ctrl-C)')
    row('Ctrl-C once the release is recorded', 'deploy --version=1.1.0', ran, '1.1.0 serves', shop)
    await sound('1.1.0')
  })

  test('who sets an image by hand in the middle is named, and left alone; what it says to type helps, also while the API server restarts', async () => {
    const { ran, goOn } = await standingStill(shop, ['--version=1.2.0', '--yes'], BEFORE)
    kubectl('set', 'image', 'deployment/web', `web=${shop.on.repository}/web:1.0.0`)
    goOn()
    const done = await ran
    expect([done.exit, said(done)]).toEqual([4, expect.stringMatching(/Somebody else has set fields.*Deployment\/web.*"kubectl-set".*image/)])
    row('somebody sets an image by hand between plan and apply', 'deploy --version=1.2.0', done, 'what they have set; nothing of the release', shop)
    await sound('1.0.0')
    // To set the former image by hand would not help: who set a field last keeps it.
    const typed = /set it again.*?: (kubectl .*)$/m.exec(done.stderr)?.[1] ?? ''
    execFileSync('sh', ['-c', typed], { env: { ...process.env, ...shop.env } })
    const way = await wayTo(shop.on.on.server)
    try {
      throughWay(way)
      const next = await standingStill(shop, ['--version=1.2.0', '--yes'], pointThatSays('exited release.replace/live'))
      await way.down()
      next.goOn()
      await sleep(RESTART_MS)
      await way.up()
      const after = await next.ran
      expect(after.exit, after.stderr).toBe(0)
      row('an API server that restarts in the middle', 'deploy --version=1.2.0', after, '1.2.0 serves; no request failed', shop)
      await sound('1.2.0')
      await awayWhileTakenBack(way)
    } finally {
      await way.down()
      describeKubernetesShop(shop)
    }
  })

  type Way = Awaited<ReturnType<typeof wayTo>>

  function throughWay({ address, name }: Way): void {
    const kubeconfig = shop.on.kubeconfig(config => {
      Object.assign(config.clusters[0]!.cluster, { server: address, 'tls-server-name': name })
    })
    describeKubernetesShop(shop, { cluster: address, kubeconfig })
  }

  /** A release that breaks while the API server is away for longer than it is waited for: a person settles it. */
  async function awayWhileTakenBack(way: Way): Promise<void> {
    const flags = ['--set', 'web=1.3.0-oom', '--yes']
    const { ran, goOn } = await standingStill(shop, flags, pointThatSays('intent undo/release.replace/live'))
    await way.down()
    goOn()
    const gaveUp = () =>
      journals(shop.home)
        .at(-1)
        ?.entries.find(entry => entry.at === 'failed' && entry.of.startsWith('undo/'))
    await until(gaveUp, 120_000)
    await way.up()
    const done = await ran
    expect([done.exit, said(done)]).toEqual([5, expect.stringMatching(/taking it back failed: .*does not answer/)])
    row(
      'an API server that stays away while a bad release is taken back',
      'deploy --set web=1.3.0-oom',
      done,
      '1.2.0 still answers; the bad one is applied, and must be settled',
      shop,
    )
    const answer = await fetch(shop.on.door, { headers: { connection: 'close' } })
    expect([answer.headers.get('x-version'), await servedAt(shop)]).toEqual(['1.2.0', '1.3.0-oom'])
    const reverted = await must(0, shop, 'deploy', ['--revert', '--yes'])
    row('the same, once it is there again', 'deploy --revert', reverted, '1.2.0 serves', shop)
    await sound('1.2.0')
  }

  test('what can be known is refused before anything is touched, in the words of who refuses', async () => {
    const NEXT = ['--version=1.1.0', '--yes']
    const refuses = async (fault: string, says: RegExp) => {
      const ran = await must(3, shop, 'deploy', NEXT)
      expect(said(ran)).toMatch(says)
      row(fault, 'deploy --version=1.1.0', ran, 'nothing changed', shop)
    }
    kubectl('create', 'quota', 'few', '--hard=pods=2')
    await refuses(
      'a quota that is full',
      /A pod of Deployment\/\w+ would be refused: .*exceeded quota: few, requested: pods=1, used: pods=2, limited: pods=2/,
    )
    kubectl('delete', 'quota', 'few')
    shop.on.overlay({ ...ONE, pod: { hostNetwork: true } })
    await refuses('pods that the security level of the namespace forbids', /violates PodSecurity "restricted.*host namespaces/)
    shop.on.overlay({ ...ONE, container: { envFrom: [{ configMapRef: { name: 'by-hand' } }] } })
    await refuses('a config map that is not there', /Deployment\/web needs the ConfigMap by-hand, which is not in/)
    shop.on.overlay(ONE)
    writeFileSync(join(shop.on.folder, 'objects.yaml'), 'kind: [Deployment\n')
    await refuses('YAML that is none', /overlay cannot be rendered: .*yaml: line 1: .*objects\.yaml/)
    shop.on.overlay(ONE)
    writeFileSync(join(shop.on.folder, 'kustomization.yaml'), 'resources: [nothing.yaml]\n')
    await refuses('a kustomization that refers to nothing', /overlay cannot be rendered: .*nothing\.yaml: no such file/)
    shop.on.overlay(ONE)
    const asks = await registry({ asks: true })
    const file = join(shop.config, 'shop.ts')
    writeFileSync(file, readFileSync(file, 'utf8').replace(`'${shop.on.repository}/web'`, `'${asks.name}/shop/web'`))
    await refuses(
      'a private image that the cluster has no account for',
      /shop\/web:1\.1\.0 is denied: .* give the account of the pods an imagePullSecret/,
    )
    await asks.stop()
    kubectl('create', 'serviceaccount', 'reader')
    kubectl('create', 'rolebinding', 'reader', '--clusterrole=view', `--serviceaccount=${shop.on.namespace}:reader`)
    const token = kubectl('create', 'token', 'reader').trim()
    const kubeconfig = shop.on.kubeconfig(config => {
      config.users[0]!.user = { token }
    })
    describeKubernetesShop(shop, { kubeconfig })
    await refuses('an account that may only read', /We may not get secrets, create secrets.*patch deployments in .*the role runbooks-operator/)
    describeKubernetesShop(shop)
    await sound('1.2.0')
  })

  /** A deploy that must be taken back, for this reason. */
  async function takenBack(
    fault: string,
    flags: readonly string[],
    says: RegExp,
    run: () => Promise<Ran>,
    stood = '1.2.0 serves; no request failed',
  ) {
    const ran = await run()
    expect([ran.exit, said(ran)]).toEqual([4, expect.stringMatching(says)])
    row(fault, `deploy ${flags.join(' ')}`, ran, stood, shop)
    await sound('1.2.0')
  }

  test('what only shows when pods start is said in its own words, and taken back', async () => {
    const flags = ['--version=1.1.0']
    const { ran, goOn } = await standingStill(shop, [...flags, '--yes'], BEFORE)
    kubectl('create', 'quota', 'few', '--hard=pods=2')
    goOn()
    await takenBack('a quota that fills up after the plan', flags, /(web|worker): the cluster refuses its pods: exceeded quota: few/, () => ran)
    kubectl('delete', 'quota', 'few')
    const oom = ['--set', 'web=1.3.0-oom']
    const killed = () => invoke(shop, 'deploy', [...oom, '--yes'])
    await takenBack('a version that needs more memory than it may have', oom, /web: it crashed 2 times, .*want of memory \(OOM\), exit 137/, killed)
    const claim = {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'uploads' },
      spec: { accessModes: ['ReadWriteOnce'], storageClassName: 'none-such', resources: { requests: { storage: '1Gi' } } },
    }
    shop.on.overlay({ ...ONE, more: [claim], pod: { volumes: [{ name: 'uploads', persistentVolumeClaim: { claimName: 'uploads' } }] } })
    describeKubernetesShop(shop, { deploy: `budget: '8s'` })
    const pending = () => invoke(shop, 'deploy', [...flags, '--yes'])
    await takenBack('a claim that no volume comes for', flags, /web: no node has a place for it: .*persistentvolumeclaim/i, pending)
    shop.on.overlay(ONE)
    kubectl('delete', 'pvc', 'uploads')
  })

  test('a version that crashes after 20 s is found while it is watched', async () => {
    describeKubernetesShop(shop, { deploy: `bake: '40s'` })
    const flags = ['--set', 'web=1.3.0-late']
    const late = () => invoke(shop, 'deploy', [...flags, '--yes'])
    const stood = '1.2.0 serves; what failed until then is counted'
    await takenBack(
      'a version that crashes after 20 s',
      flags,
      /(after \d.* under traffic: web: it ended once|requests failed at the front door)/,
      late,
      stood,
    )
  })

  test('every row of the table was made', () => {
    if (!process.env.UPDATE_FAULTS) expect(made()).toEqual(known())
  })
})
