import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { carriers, isAlive } from '../../lib/exec/survivors.ts'
import type { Platform, Service, Standing } from '../../lib/platforms/platform.ts'
import { sandbox } from '../../lib/platforms/sandbox/index.ts'
import { markOf } from '../../lib/platforms/sandbox/launch.ts'
import { type ReleaseRecord, releasesOf } from '../../lib/releases/records.ts'
import { readShared } from '../../lib/run/leases.ts'
import { doing, perform } from '../platforms/conformance/kit.ts'
import { freePort } from '../platforms/sandbox-world.ts'
import { newWorld, type World } from '../runbooks/kit.ts'
import { openIn } from './runs.ts'

const APP = new URL('app.ts', import.meta.url)

/** Versions of the web service and the worker; what stands after the dash is wrong with it. */
const VERSIONS = [
  '0.9.0',
  '1.0.0',
  '1.1.0',
  '1.2.0',
  '2.0.0',
  '3.0.0-errors',
  '1.3.0-crash',
  '1.3.0-never-ready',
  '1.3.0-errors',
  '1.3.0-slow',
  '1.3.0-late',
  '1.3.0-hangs',
  '1.3.0-wrong',
]

/** A small shop with releases, on this machine. */
export type Shop = World & {
  readonly port: number
  /** The folder of the sandbox, and the one that outlives its releases. */
  readonly sandbox: string
  readonly kept: string
  readonly script: string
  readonly platform: Platform
}

/** What the stack file says beyond the least; text of TypeScript. */
export type Shape = {
  /** Without: the web service alone. */
  readonly worker?: boolean
  readonly deploy?: string
  readonly environment?: string
  readonly env?: string
  readonly port?: number
  readonly secrets?: string
}

const shops: Shop[] = []

/** An application with nothing deployed yet, in a world of its own on a free port. */
export async function newShop(shape: Shape = {}): Promise<Shop> {
  const world = newWorld({ data: `database: sqlite({ file: 'shop.sqlite' })` })
  const [port, kept, script] = [await freePort(), join(world.folder, 'kept'), join(world.folder, 'app/app.ts')]
  mkdirSync(kept)
  mkdirSync(join(world.folder, 'app'))
  writeFileSync(join(world.folder, 'app/package.json'), '{ "type": "module" }\n')
  copyFileSync(APP, script)
  const directory = join(world.folder, 'sandbox')
  const services: Service[] = [{ name: 'web', image: 'shop/web', port: 3000, health: '/health', traffic: 'split', twice: 'allowed' }]
  const platform = await sandbox(
    { stack: 'shop', environment: 'local', services },
    { directory, port, services: { web: { script, versions: VERSIONS } } },
  )
  const shop: Shop = { ...world, port, sandbox: directory, kept, script, platform }
  shops.push(shop)
  describeShop(shop, shape)
  return shop
}

/** Writes the stack file anew. */
export function describeShop(shop: Shop, { worker, deploy, environment, env, port, secrets }: Shape): void {
  const one = (name: string) => `${name}: { script: ${JSON.stringify(shop.script)}, versions: ${JSON.stringify(VERSIONS)} }`
  writeFileSync(
    join(shop.config, 'shop.ts'),
    `import { defineStack, directory, frozen, http, run, sandbox, secret, sqlite } from 'runbooks'
void [frozen, http, run, secret]
export default defineStack({
  name: 'shop',
  timezone: 'Europe/Paris',
  services: {
    web: { image: 'shop/web', port: 3000, health: '/health', traffic: 'split', twice: 'allowed' },
    ${worker ? `worker: { image: 'shop/worker', traffic: 'none', twice: 'never' },` : ''}
  },
  deploy: { smoke: [http('/', { contains: 'shop', within: '10s' })], bake: '1s', budget: '20s', probe: { path: '/', perSecond: 20 }, ${deploy ?? ''} },
  data: { database: sqlite({ file: ${JSON.stringify(shop.database)} }) },
  environments: {
    local: {
      platform: sandbox({
        directory: ${JSON.stringify(shop.sandbox)},
        port: ${port ?? shop.port},
        services: { ${one('web')}, ${worker ? one('worker') : ''} },
        environment: { SHOP_FOLDER: ${JSON.stringify(shop.kept)} },
        ${secrets ? `secrets: { ${secrets} },` : ''}
      }),
      stores: [directory({ path: ${JSON.stringify(shop.store)} })],
      ${environment ?? ''}
    },
  },
})
`,
  )
  writeFileSync(join(shop.config, 'shop.local.env'), env ?? '')
}

/** Ends every process of every shop that this process made; their folders go with their worlds. */
export async function closeShops(): Promise<void> {
  for (const { platform, sandbox } of shops.splice(0)) {
    if (existsSync(sandbox)) for (const slot of ['blue', 'green']) await perform(platform.remove(slot))
  }
}

/** What stands in the slots, and who gets the traffic. */
export const standingOf = ({ platform }: Shop): Promise<Standing> => platform.standing(doing())

/** The version that the front door's users get, `nothing` where it is closed. */
export async function served(shop: Shop): Promise<string> {
  const { slots, serving } = await standingOf(shop)
  return serving === null ? 'nothing' : (slots[serving]?.services.web?.version ?? 'nothing')
}

/** The verified releases, newest first. */
export const recordsOf = ({ platform }: Shop): Promise<readonly ReleaseRecord[]> => releasesOf(platform)

/** What is wrong with a shop in which no run is under way; empty when one release serves everybody and nothing else is left. */
export async function shopFaults(shop: Shop): Promise<string[]> {
  const { slots, serving } = await standingOf(shop)
  const wrong = await sharedFaults(shop)
  if (serving === null) wrong.push('nothing serves')
  const share = (await shop.platform.split?.served(doing()))?.share ?? {}
  if (serving !== null && share[serving] !== 100) wrong.push(`the traffic goes to ${JSON.stringify(share)}`)
  for (const [slot, { is, services }] of Object.entries(slots)) {
    if (slot === serving) {
      if (is !== 'running') wrong.push(`${slot} serves and is ${is}`)
      for (const [name, { running, wanted }] of Object.entries(services))
        if (running !== wanted) wrong.push(`${running} of ${wanted} ${name} run in ${slot}, which serves`)
      continue
    }
    if (is === 'running') wrong.push(`${slot} runs beside what serves`)
    const left = carriers(markOf(shop.sandbox, slot))
    if (left.length > 0) wrong.push(`in ${slot} still run ${left.map(one => one.prints).join(', ')}`)
  }
  return wrong
}

/** Leases that are held by somebody who lives, and runs that are open. */
async function sharedFaults(shop: Shop): Promise<string[]> {
  const { shared } = await readShared(shop.platform.cell('release'))
  return [
    ...(shared.holder && isAlive(shared.holder.by) ? [`${shared.holder.run} holds the lease`] : []),
    ...openIn(shared).map(run => `${run} is open`),
  ]
}

/** Workers by process, from their own log: version, first and last moment, in the order of their beginning. */
export function workersOf({ kept }: Shop): { readonly pid: string; readonly version: string; readonly from: number; readonly to: number }[] {
  const found = new Map<string, { pid: string; version: string; from: number; to: number }>()
  const file = join(kept, 'worked')
  for (const line of existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n') : []) {
    const [pid = '', version = '', at = ''] = line.split(' ')
    const known = found.get(pid)
    found.set(pid, { pid, version, from: known?.from ?? Number(at), to: Number(at) })
  }
  return [...found.values()].sort((a, b) => a.from - b.from)
}

/** Pairs of workers that worked at the same time. */
export const overlapping = (shop: Shop): string[] => {
  const all = workersOf(shop)
  return all.flatMap((one, i) =>
    all.slice(i + 1).flatMap(next => (next.from <= one.to ? [`${one.version} until ${one.to}, ${next.version} from ${next.from}`] : [])),
  )
}

/** The migration that the data stands at. */
export const migratedTo = ({ kept }: Shop): string => (existsSync(join(kept, 'migrated')) ? readFileSync(join(kept, 'migrated'), 'utf8') : 'm0')
