import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Platform } from '../../../lib/platforms/platform.ts'
import { sandbox } from '../../../lib/platforms/sandbox/index.ts'
import { perform } from '../../platforms/conformance/kit.ts'
import { freePort } from '../../platforms/sandbox-world.ts'
import { newWorld, remains, type World } from '../../runbooks/kit.ts'

const VERSIONS = ['1.0.0', '1.0.0-open', '2.0.0', '2.1.0'] as const

/** A shop in a sandbox whose application keeps its data in SQLite. */
export type DataShop = World & {
  readonly port: number
  readonly sandbox: string
  readonly kept: string
  readonly platform: Platform
  readonly script: string
}

/** What its stack file says beyond the least; text of TypeScript. */
export type Shape = {
  readonly down?: boolean
  readonly worker?: boolean
  readonly rehearse?: string
  readonly deploy?: string
  readonly environment?: string
}

const shops: DataShop[] = []

/** Nothing is deployed yet. */
export async function newDataShop(shape: Shape = {}): Promise<DataShop> {
  const world = newWorld({ data: `database: sqlite({ file: 'shop.sqlite' })` })
  const [port, kept, script, directory] = [
    await freePort(),
    join(world.folder, 'kept'),
    join(world.folder, 'app/app.ts'),
    join(world.folder, 'sandbox'),
  ]
  for (const folder of [kept, join(world.folder, 'app')]) mkdirSync(folder)
  writeFileSync(join(world.folder, 'app/package.json'), '{ "type": "module" }\n')
  copyFileSync(new URL('app.ts', import.meta.url), script)
  const platform = await sandbox(
    {
      stack: 'shop',
      environment: 'local',
      services: [{ name: 'web', image: 'shop/web', port: 3000, health: '/health', traffic: 'split', twice: 'allowed' }],
    },
    { directory, port, services: { web: { script, versions: VERSIONS } } },
  )
  const shop = { ...world, port, sandbox: directory, kept, platform, script }
  shops.push(shop)
  describeDataShop(shop, shape)
  return shop
}

const command = (...words: string[]) => JSON.stringify(['node', 'app.ts', ...words])

/** Writes the stack file anew. */
export function describeDataShop(
  shop: DataShop,
  { down = false, worker = false, rehearse = `{ SHOP_DATABASE: 'database' }`, deploy = '', environment }: Shape = {},
): void {
  writeFileSync(
    join(shop.config, 'shop.ts'),
    `import { defineStack, directory, http, run, sandbox, secret, sqlite } from 'runbooks'
void [http, run, secret]
export default defineStack({
  name: 'shop',
  timezone: 'Europe/Paris',
  services: {
    web: { image: 'shop/web', port: 3000, health: '/health', traffic: 'split', twice: 'allowed' },
    ${worker ? `worker: { image: 'shop/worker', traffic: 'none', twice: 'never' },` : ''}
  },
  deploy: {
    smoke: [http('/', { contains: 'shop', within: '10s' })], bake: '1s', budget: '20s', probe: { path: '/', perSecond: 10 }, backup: true,
    migrate: { service: 'web', at: ${command('at')}, up: ${command('up')}, ${down ? `down: ${command('down', '{to}')}` : ''} },
    ${rehearse === '' ? '' : `rehearse: ${rehearse},`} ${deploy}
  },
  data: { database: sqlite({ file: ${JSON.stringify(shop.database)} }) },
  environments: {
    local: {
      protected: true,
      platform: sandbox({
        directory: ${JSON.stringify(shop.sandbox)},
        port: ${shop.port},
        services: { ${['web', ...(worker ? ['worker'] : [])].map(name => `${name}: { script: ${JSON.stringify(shop.script)}, versions: ${JSON.stringify(VERSIONS)} }`)} },
        ${environment ?? `environment: { SHOP_FOLDER: ${JSON.stringify(shop.kept)}, SHOP_DATABASE: ${JSON.stringify(shop.database)} },`}
      }),
      stores: [directory({ path: ${JSON.stringify(shop.store)} })],
    },
  },
})
`,
  )
}

/** Ends every process of every shop that this process made. */
export async function closeDataShops(): Promise<void> {
  for (const { platform, sandbox } of shops.splice(0))
    if (existsSync(sandbox)) for (const slot of ['blue', 'green']) await perform(platform.remove(slot))
}

/** What a rehearsal has left: processes, files, copies of data. */
export function left({ sandbox, ...shop }: DataShop): string[] {
  const processes = readdirSync('/proc').flatMap(pid => {
    try {
      const [environment, line] = ['environ', 'cmdline'].map(name => readFileSync(`/proc/${pid}/${name}`, 'utf8'))
      return environment?.includes(`${sandbox}/rehearsal`) || line?.includes(`${sandbox}/rehearsal`) ? [`process ${pid}`] : []
    } catch {
      return []
    }
  })
  return [...processes, ...(existsSync(join(sandbox, 'rehearsal')) ? ['its folder'] : []), ...remains(shop)]
}

/** Which databases releases have opened: version, what for, release, file. */
export const opened = ({ kept }: DataShop): readonly { readonly version: string; readonly what: string; readonly file: string }[] =>
  readFileSync(join(kept, 'opened'), 'utf8')
    .trimEnd()
    .split('\n')
    .map(line => line.split(' '))
    .map(([version = '', what = '', , file = '']) => ({ version, what, file }))
