import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { kubernetes } from '../../../lib/platforms/kubernetes/index.ts'
import type { KubernetesOptions } from '../../../lib/platforms/kubernetes/site.ts'
import type { Bundle, Platform, Service } from '../../../lib/platforms/platform.ts'
import { appImages, filesLayer } from '../../testbed/images.ts'
import { type Cluster, cluster, type Namespace } from '../../testbed/kubernetes.ts'
import { registry } from '../../testbed/registry.ts'
import { doing, releaseId, started } from '../conformance/kit.ts'
import { type Differences, writeOverlay } from './overlay.ts'
import { push } from './push.ts'

/** A namespace of a real cluster with the stack for tests: nothing of it runs yet. */
export type KubernetesWorld = {
  readonly on: Cluster
  readonly namespace: string
  readonly door: string
  readonly services: readonly Service[]
  /** Name of the registry, and of its repositories: `127.0.0.1:5000/shop`. */
  readonly repository: string
  /** The folder of the overlay. */
  readonly folder: string
  /** A new object for the same place. */
  platform(other?: Partial<KubernetesOptions>): Platform
  /** Writes the overlay anew. */
  overlay(other?: Differences): void
  /** Makes images of both services in these versions. */
  versions(...versions: readonly string[]): Promise<void>
  /** A kubeconfig like the cluster's, changed by words. */
  kubeconfig(change: (config: Config) => void): string
  close(): Promise<void>
}

/** What tests change of a kubeconfig. */
export type Config = {
  clusters: { cluster: { server: string } }[]
  users: { name: string; user: Record<string, unknown> }[]
}

/** What a stack for tests runs unless said. */
const APP = join(import.meta.dirname, 'app.mjs')

/** `level` is what the namespace asks of pods, and `program` what both services run. */
export async function kubernetesWorld(level: 'restricted' | 'privileged' = 'restricted', program = APP): Promise<KubernetesWorld> {
  const on = cluster()
  const images = await registry()
  const work = mkdtempSync(join(tmpdir(), 'kubernetes-world-'))
  const space: Namespace = on.namespace('shop', { 'pod-security.kubernetes.io/enforce': level })
  const folder = join(work, 'overlay')
  const repository = `${images.name}/shop`
  const port = 30_500 + Math.floor(Math.random() * 2_000)
  const overlay = (other: Differences = {}) => writeOverlay(folder, space.name, repository, port, other)
  overlay()
  on.kubectl(['-n', space.name, 'create', 'secret', 'generic', 'shop-secrets', '--from-literal=TOKEN=one two three'])
  const [base] = appImages('check-in/backend', ['1'], work)
  const app = filesLayer(join(work, 'app.tar'), { 'app.mjs': readFileSync(program, 'utf8') })
  const services: readonly Service[] = [
    { name: 'web', image: `${repository}/web`, port: 3000, health: '/health', traffic: 'split', twice: 'allowed' },
    { name: 'worker', image: `${repository}/worker`, traffic: 'none', twice: 'allowed' },
  ]
  const door = `http://127.0.0.1:${port}`
  const made: Platform[] = []
  const kubeconfig = (change: (config: Config) => void) => {
    const config = JSON.parse(on.kubectl(['config', 'view', '--raw', '--minify', '-o', 'json'])) as Config
    change(config)
    const file = join(mkdtempSync(join(work, 'config-')), 'kubeconfig')
    writeFileSync(file, JSON.stringify(config), { mode: 0o600 })
    return file
  }
  return {
    on,
    namespace: space.name,
    door,
    services,
    repository,
    folder,
    overlay,
    kubeconfig,
    platform(other = {}) {
      const options: KubernetesOptions = { cluster: on.server, namespace: space.name, overlay: folder, kubeconfig: on.kubeconfig, door, ...other }
      const platform = kubernetes({ stack: 'shop', environment: 'test', services }, options)
      made.push(platform)
      return platform
    },
    async versions(...versions) {
      for (const name of ['web', 'worker'])
        for (const version of versions)
          await push({
            name: `${repository}/${name}:${version}`,
            layers: [base!.layers[0]!, app],
            entrypoint: [process.execPath, '/app.mjs'],
            env: { PATH: base!.env.PATH ?? '/bin', APP_VERSION: version },
          })
    },
    async close() {
      await Promise.all(made.map(platform => platform.close?.()))
      space.remove()
      await images.stop()
      rmSync(work, { recursive: true, force: true })
    },
  }
}

/** A release of these versions, put there and started; gives it with the platform's time from right before. */
export async function put(world: KubernetesWorld, platform: Platform, versions: Readonly<Record<string, string>>) {
  const bundle = await drafted(world, platform, versions)
  const since = await started(platform, bundle)
  return { bundle, since }
}

/** A release of these versions as a deploy plans it; `web` and `worker` are of 1.0.0 unless said. Images are taken as they are named. */
export async function drafted(world: KubernetesWorld, platform: Platform, versions: Readonly<Record<string, string>>): Promise<Bundle> {
  const wanted = world.services.map(({ name, image }) => [name, { image, version: versions[name] ?? '1.0.0', digest: null }] as const)
  return { release: releaseId(), slot: 'live', services: Object.fromEntries(wanted), ...(await platform.draft(doing())) }
}
