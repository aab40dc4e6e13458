import { writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { isAlive } from '../../lib/exec/survivors.ts'
import type { Platform, SlotState } from '../../lib/platforms/platform.ts'
import { type ReleaseRecord, releasesOf } from '../../lib/releases/records.ts'
import { readShared } from '../../lib/run/leases.ts'
import { doing } from '../platforms/conformance/kit.ts'
import type { Differences } from '../platforms/kubernetes/overlay.ts'
import { type KubernetesWorld, kubernetesWorld } from '../platforms/kubernetes/world.ts'
import { newWorld, type World } from '../runbooks/kit.ts'
import { kubectlFile } from '../testbed/kubernetes.ts'
import type { Watched } from './kill.ts'
import { openIn } from './runs.ts'

/** The shop of the platform's tests in a namespace of a real cluster, with a stack file for runbooks. */
export type KubernetesShop = World & {
  readonly on: KubernetesWorld
  readonly port: number
  readonly platform: Platform
  /** kubectl in its namespace. */
  kubectl(...argv: readonly string[]): string
  end(): Promise<void>
}

/** What a shop's stack file says beyond what every one does, as text of TypeScript. */
export type Shape = {
  readonly deploy?: string
  /** A kubeconfig that leads to the same cluster, and the address that it has for it. */
  readonly kubeconfig?: string
  readonly cluster?: string
}

/** Good versions of both services. */
const GOOD = ['1.0.0', '1.1.0', '1.2.0'] as const

/** One pod that ends at once: for tests which only ask what stands in the end. */
export const QUICK: Differences = { spec: { replicas: 1 }, container: { lifecycle: undefined } }

/** Makes the namespace, a registry with the images (`bad` ones besides the good), and the stack file; nothing is deployed. */
export async function newKubernetesShop(bad: readonly string[] = [], overlay: Differences = {}): Promise<KubernetesShop> {
  const on = await kubernetesWorld()
  on.overlay(overlay)
  await on.versions(...GOOD, ...bad)
  const path = `${dirname(kubectlFile() ?? '')}:${process.env.PATH}`
  const world = { ...newWorld({ data: `database: sqlite({ file: 'shop.sqlite' })` }), env: { PATH: path } }
  const shop: KubernetesShop = {
    ...world,
    on,
    port: Number(new URL(on.door).port),
    platform: on.platform(),
    kubectl: (...argv) => on.on.kubectl(['-n', on.namespace, ...argv]),
    end: () => on.close(),
  }
  describeKubernetesShop(shop)
  return shop
}

/** Writes the stack file anew. The recorder asks too seldom to judge how slow answers are, unless a shape says otherwise. */
export function describeKubernetesShop(shop: KubernetesShop, { deploy, kubeconfig, cluster }: Shape = {}): void {
  const { on } = shop
  writeFileSync(
    `${shop.config}/shop.ts`,
    `import { defineStack, directory, http, kubernetes, sqlite } from 'runbooks'
export default defineStack({
  name: 'shop',
  timezone: 'Europe/Paris',
  services: {
    web: { image: '${on.repository}/web', port: 3000, health: '/health', traffic: 'split', twice: 'allowed' },
    worker: { image: '${on.repository}/worker', traffic: 'none', twice: 'allowed' },
  },
  deploy: { smoke: [http('/', { contains: 'web', within: '10s' })], bake: '1s', budget: '2min', probe: { path: '/', perSecond: 3 }, ${deploy ?? ''} },
  data: { database: sqlite({ file: ${JSON.stringify(shop.database)} }) },
  environments: {
    local: {
      platform: kubernetes({
        cluster: '${cluster ?? on.on.server}',
        namespace: '${on.namespace}',
        overlay: ${JSON.stringify(on.folder)},
        kubeconfig: ${JSON.stringify(kubeconfig ?? on.on.kubeconfig)},
        door: '${on.door}',
      }),
      stores: [directory({ path: ${JSON.stringify(shop.store)} })],
    },
  },
})
`,
  )
}

const liveAt = async ({ platform }: KubernetesShop): Promise<SlotState | undefined> => (await platform.standing(doing())).slots.live

/** The version of the web service that stands, as it was applied; `nothing` where none does. */
export const servedAt = async (shop: KubernetesShop): Promise<string> => (await liveAt(shop))?.services.web?.version ?? 'nothing'

/** The verified releases, newest first. */
export const recordsAt = ({ platform }: KubernetesShop): Promise<readonly ReleaseRecord[]> => releasesOf(platform)

/** What is wrong where no run is under way; empty when one verified release runs whole, nobody who lives holds a lease, and nothing is left over. */
export async function kubernetesFaults(shop: KubernetesShop): Promise<string[]> {
  const { shared } = await readShared(shop.platform.cell('release'))
  const wrong = [
    ...(shared.holder && isAlive(shared.holder.by) ? [`${shared.holder.run} holds the lease`] : []),
    ...openIn(shared).map(run => `${run} is open`),
  ]
  const [live, records] = [await liveAt(shop), await recordsAt(shop)]
  if (live?.is !== 'running') return [...wrong, 'nothing serves']
  if (!records.some(({ release }) => release === live.release)) wrong.push(`${live.release} runs, and was never verified`)
  for (const [name, { running, wanted, because }] of Object.entries(live.services))
    if (running !== wanted || wanted === 0) wrong.push(`${running} of ${wanted} ${name} run: ${because ?? ''}`)
  const answer = await fetch(shop.on.door, { headers: { connection: 'close' } }).catch((error: Error) => error)
  const version = answer instanceof Error ? answer.message : answer.headers.get('x-version')
  if (version !== live.services.web?.version) wrong.push(`the front door answers ${version}, and ${live.services.web?.version} stands`)
  const known = new Set(records.map(({ release }) => release))
  const kept = shop.kubectl(
    'get',
    'secrets',
    '-l',
    'runbooks.dev/record=release',
    '-o',
    'jsonpath={.items[*].metadata.labels.runbooks\\.dev/release}',
  )
  const left = kept.split(' ').filter(release => release !== '' && !known.has(release))
  const pods = shop.kubectl('get', 'pods', '-l', 'runbooks.dev/once', '-o', 'name').split('\n').filter(Boolean)
  return [...wrong, ...left.map(release => `the objects of ${release} are left`), ...pods.map(pod => `${pod} is left`)]
}

/** What kills look at; what is killed is settled from `elsewhere`. */
export const watched = (shop: KubernetesShop, elsewhere?: World): Watched => ({
  shop,
  ...(elsewhere ? { elsewhere } : {}),
  served: () => servedAt(shop),
  records: () => recordsAt(shop),
  faults: () => kubernetesFaults(shop),
  byWords: true,
})
