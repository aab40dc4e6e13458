import { appendFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Secret } from '../../../lib/plan/secrets.ts'
import { compose } from '../../../lib/platforms/compose/index.ts'
import type { ComposeOptions } from '../../../lib/platforms/compose/site.ts'
import type { Bundle, Platform, Service } from '../../../lib/platforms/platform.ts'
import { type DockerHost, dockerHost } from '../../testbed/docker-host.ts'
import { freePort } from '../../testbed/ports.ts'
import { doing, releaseId, started } from '../conformance/kit.ts'

/** The value of the secret of the stack for tests. */
export const TOKEN = 'line one of the token\nand line two: $HOME "quoted" \\ \'single\''

/** A Docker engine with the stack for tests: nothing of it runs yet. */
export type ComposeWorld = {
  readonly engine: DockerHost
  /** Folder of the assets, for this world alone. */
  readonly files: string
  readonly directory: string
  readonly door: string
  readonly services: readonly Service[]
  /** A new object for the same place. */
  platform(other?: Partial<ComposeOptions>, services?: readonly Service[]): Platform
  /** Makes an image `<repository>:<version>` of the app. */
  version(repository: string, version: string): string
  close(): Promise<void>
}

/** `prefix` stands before the repositories: `127.0.0.1:5000/`. */
export async function composeWorld(prefix = ''): Promise<ComposeWorld> {
  const engine = await dockerHost()
  // Scripts of the platform run in processes of their own, with this engine.
  process.env.DOCKER_HOST = engine.address
  const port = await freePort()
  const work = mkdtempSync(join(tmpdir(), 'compose-world-'))
  const [files, directory] = [join(work, 'assets'), join(work, 'host')]
  mkdirSync(directory)
  for (const name of ['app.yaml', 'edge.yaml', 'nginx']) cpSync(join(import.meta.dirname, name), join(files, name), { recursive: true })
  const services: readonly Service[] = [
    { name: 'web', image: `${prefix}shop/web`, port: 3000, health: '/health', traffic: 'split', twice: 'allowed' },
    { name: 'worker', image: `${prefix}shop/worker`, health: '/health', traffic: 'none', twice: 'never' },
  ]
  const door = `http://127.0.0.1:${port}`
  const options: ComposeOptions = {
    project: 'shop',
    directory,
    files,
    door,
    environment: { NGINX_IMAGE: engine.base(), HTTP_PORT: String(port) },
    secrets: { token: new Secret('TOKEN', TOKEN) },
  }
  return {
    engine,
    files,
    directory,
    door,
    services,
    platform: (other = {}, own = services) => compose({ stack: 'shop', environment: 'test', services: own }, { ...options, ...other }),
    version: (repository, version) =>
      engine.image(`${repository}:${version}`, {
        file: [join(import.meta.dirname, 'app.mjs'), '/app.mjs'],
        env: { APP_VERSION: version },
        run: ['node', '/app.mjs'],
      }),
    async close() {
      delete process.env.DOCKER_HOST
      await engine.stop()
      rmSync(work, { recursive: true, force: true })
    },
  }
}

/** Writes app.yaml with these services instead; each joins the network of the edge. */
export function setServices(world: ComposeWorld, services: Readonly<Record<string, object>>): void {
  const joined = Object.entries(services).map(([name, service]) => [
    name,
    { networks: { edge: { aliases: [`${name}-\${SLOT:-blue}`] } }, ...service },
  ])
  const networks = { edge: { name: `\${EDGE_PROJECT:-shop}-edge`, external: true } }
  // JSON is YAML.
  writeFileSync(join(world.files, 'app.yaml'), JSON.stringify({ services: Object.fromEntries(joined), networks }))
}

/** A release of these versions, put into a slot and started; gives it with the platform's time from right before. */
export async function put(platform: Platform, services: readonly Service[], versions: Readonly<Record<string, string>>, slot: string) {
  const asked = Object.fromEntries(services.map(({ name, image }) => [name, { image, version: versions[name] ?? '1.0.0' }]))
  const wanted = (await platform.images(asked, doing())).map(({ service, image, version, digest }) => [service, { image, version, digest }] as const)
  const bundle: Bundle = { release: releaseId(), slot, services: Object.fromEntries(wanted), ...(await platform.draft(doing())) }
  const since = await started(platform, bundle)
  return { bundle, since }
}

let changes = 0

/** Changes a file that belongs to releases, each time anew. */
export function changed(world: ComposeWorld): void {
  changes += 1
  appendFileSync(join(world.files, 'app.yaml'), `# ${changes}\n`)
}
