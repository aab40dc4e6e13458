import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Platform, Standing } from '../../lib/platforms/platform.ts'
import { type ReleaseRecord, releasesOf } from '../../lib/releases/records.ts'
import { readShared } from '../../lib/run/leases.ts'
import { type ComposeWorld, composeWorld } from '../platforms/compose/world.ts'
import { doing, until } from '../platforms/conformance/kit.ts'
import { invoke, journals, newWorld, type Ran, type World } from '../runbooks/kit.ts'
import { isStopped, until as sooner } from '../runbooks/waiting.ts'
import { registry } from '../testbed/registry.ts'
import { find } from '../testbed/tools.ts'
import type { Watched } from './kill.ts'
import { openIn } from './runs.ts'

/** The shop of the platform's tests on a Docker engine of its own, with a stack file for runbooks. */
export type ComposeShop = World & {
  readonly host: ComposeWorld
  readonly port: number
  readonly platform: Platform
  /** Ends the engine and the registry. */
  end(): Promise<void>
}

/** What a shop's stack file says beyond what every one does, as text of TypeScript, and where it runs. */
export type Shape = {
  readonly deploy?: string
  readonly secrets?: string
  readonly services?: string
  readonly env?: string
  readonly project?: string
  readonly directory?: string
  readonly port?: number
}

/** Good versions of both services. */
const GOOD = ['1.0.0', '1.1.0', '1.2.0'] as const

/** Makes the engine, a registry with the images (`bad` ones are of the web service alone), and the stack file; nothing is deployed. */
export async function newComposeShop(bad: readonly string[] = []): Promise<ComposeShop> {
  const images = await registry()
  const host = await composeWorld(`${images.name}/`)
  for (const { name, image } of host.services)
    for (const version of [...GOOD, ...(name === 'web' ? bad : [])]) {
      host.version(image, version)
      host.engine.docker('push', '--quiet', `${image}:${version}`)
      host.engine.docker('rmi', `${image}:${version}`)
    }
  const docker = find('docker') ?? 'docker'
  const path = `${docker.slice(0, docker.lastIndexOf('/'))}:${process.env.PATH}`
  const world = { ...newWorld({ data: `database: sqlite({ file: 'shop.sqlite' })` }), env: { DOCKER_HOST: host.engine.address, PATH: path } }
  const end = async () => {
    await host.close()
    await images.stop()
  }
  const shop: ComposeShop = { ...world, host, port: Number(new URL(host.door).port), platform: host.platform(), end }
  describeComposeShop(shop)
  return shop
}

/** The repository of a service's images. */
export const imageOf = ({ host }: ComposeShop, service: string): string => host.services.find(({ name }) => name === service)?.image ?? service

/** Writes the stack file anew. The recorder asks too seldom to judge how slow answers are, unless a shape says otherwise: on a machine that does other things besides, that is chance. */
export function describeComposeShop(shop: ComposeShop, shape: Shape = {}): void {
  const { host, port } = shop
  const at = shape.port ?? port
  writeFileSync(
    join(shop.config, 'shop.ts'),
    `import { compose, defineStack, directory, http, secret, sqlite } from 'runbooks'
void [http, secret]
export default defineStack({
  name: 'shop',
  timezone: 'Europe/Paris',
  services: {
    web: { image: '${imageOf(shop, 'web')}', port: 3000, health: '/health', traffic: 'split', twice: 'allowed' },
    worker: { image: '${imageOf(shop, 'worker')}', health: '/health', traffic: 'none', twice: 'never' },
    ${shape.services ?? ''}
  },
  deploy: { smoke: [http('/', { contains: 'web', within: '10s' })], bake: '1s', budget: '2min', probe: { path: '/', perSecond: 3 }, ${shape.deploy ?? ''} },
  data: { database: sqlite({ file: ${JSON.stringify(shop.database)} }) },
  environments: {
    local: {
      platform: compose({
        project: '${shape.project ?? 'shop'}',
        directory: ${JSON.stringify(shape.directory ?? host.directory)},
        files: ${JSON.stringify(host.files)},
        door: 'http://127.0.0.1:${at}',
        environment: { NGINX_IMAGE: '${host.engine.base()}', HTTP_PORT: '${at}' },
        secrets: { ${shape.secrets ?? `token: secret('TOKEN')`} },
      }),
      stores: [directory({ path: ${JSON.stringify(shop.store)} })],
    },
  },
})
`,
  )
  writeFileSync(join(shop.config, 'shop.local.env'), shape.env ?? "TOKEN='a token'\n")
}

/** What stands in the slots, and who gets the traffic. */
export const standingAt = ({ platform }: ComposeShop): Promise<Standing> => platform.standing(doing())

/** The version that users get; `nothing` where the front door is closed. */
export async function servedAt(shop: ComposeShop): Promise<string> {
  const { slots, serving } = await standingAt(shop)
  return serving === null ? 'nothing' : (slots[serving]?.services.web?.version ?? 'nothing')
}

/** Waits until users get this version: after its engine was ended, Docker brings things up by and by. */
export const servesAgain = (shop: ComposeShop, version: string): Promise<string> =>
  until(
    () => servedAt(shop).catch(() => 'unknown'),
    now => now === version,
  )

/** The verified releases, newest first. */
export const recordsAt = ({ platform }: ComposeShop): Promise<readonly ReleaseRecord[]> => releasesOf(platform)

/** Leases that are held and runs that are open. */
async function sharedFaults(shop: ComposeShop): Promise<string[]> {
  const { shared } = await readShared(shop.platform.cell('release'))
  return [...(shared.holder ? [`${shared.holder.run} holds the lease`] : []), ...openIn(shared).map(run => `${run} is open`)]
}

/** What is wrong where no run is under way; empty when one release has all of the traffic, runs whole and alone, and nothing else is left. */
export async function composeFaults(shop: ComposeShop): Promise<string[]> {
  const { slots, serving } = await standingAt(shop)
  const wrong = await sharedFaults(shop)
  const share = (await shop.platform.split?.served(doing()))?.share ?? {}
  if (serving === null) wrong.push('nothing serves')
  else if (share[serving] !== 100) wrong.push(`the traffic goes to ${JSON.stringify(share)}`)
  for (const [slot, { is, services }] of Object.entries(slots)) {
    if (slot !== serving && is === 'running') wrong.push(`${slot} runs beside what serves`)
    if (slot !== serving) continue
    for (const [name, { running, wanted, because }] of Object.entries(services))
      if (running !== wanted || wanted === 0) wrong.push(`${running} of ${wanted} ${name} run in ${slot}, which serves: ${because ?? ''}`)
    for (const name of ['web', 'worker']) if (!(name in services)) wrong.push(`${name} does not stand in ${slot}, which serves`)
  }
  const known = new Set([...(await recordsAt(shop)).map(({ release }) => release), ...Object.values(slots).map(({ release }) => release)])
  const files = readdirSync(join(shop.host.directory, '.runbooks/releases')).filter(name => !known.has(name))
  return [...wrong, ...files.map(name => `the files of ${name} are left`)]
}

/** Starts a run that stands still once it has come to a point of its journal, and gives the means to go on. */
export async function standingStill(
  shop: World,
  flags: readonly string[],
  point: string,
  runbook: 'deploy' | 'rollback' = 'deploy',
): Promise<{ readonly ran: Promise<Ran>; goOn(): void }> {
  let pid = 0
  const before = journals(shop.home).length
  const started = (child: { pid?: number | undefined }) => {
    pid = child.pid ?? 0
  }
  const ran = invoke(shop, runbook, flags, { die: point, by: 'SIGSTOP', started })
  await sooner(() => (journals(shop.home).length > before && isStopped(pid) ? true : undefined), 120_000)
  return { ran, goOn: () => void process.kill(pid, 'SIGCONT') }
}

/** What kills look at. */
export const watched = (shop: ComposeShop): Watched => ({
  shop,
  served: () => servedAt(shop),
  records: () => recordsAt(shop),
  faults: () => composeFaults(shop),
  byWords: true,
})
