import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { appendFile, copyFile, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Platform, Service } from '../../lib/platforms/platform.ts'
import { sandbox } from '../../lib/platforms/sandbox/index.ts'
import type { Options } from '../../lib/platforms/sandbox/place.ts'
import { doing, perform } from './conformance/kit.ts'
import type { World } from './conformance.ts'

/** A port of loopback that nobody listens on now, and what keeps it taken until closed. */
export async function takenPort(): Promise<{ readonly port: number; readonly server: Server }> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('no port')
  return { port: address.port, server }
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const { port, server } = await takenPort()
  await new Promise(resolve => server.close(resolve))
  return port
}

/** The services of the sandbox in tests: one behind the front door, and a worker that must not run twice. */
export const SERVICES: readonly Service[] = [
  { name: 'backend', image: 'shop/backend', port: 3000, health: '/health', traffic: 'split', twice: 'allowed' },
  { name: 'worker', image: 'shop/worker', port: 3001, health: '/health', traffic: 'none', twice: 'never' },
]

/** Versions of the demo's application. */
export const VERSIONS = ['1.0.0', '1.1.0', '1.2.0-crash', '1.2.0-never-ready', '1.2.0-errors', '1.2.0-slow', '1.2.0-late']

/** A sandbox with a folder and a copy of the demo's application of its own. */
export type SandboxWorld = World & {
  readonly folder: string
  readonly script: string
  readonly port: number
  readonly make: (services?: readonly Service[], options?: Partial<Options>) => Promise<Platform>
}

/** An empty sandbox on a free port. */
export async function sandboxWorld(): Promise<SandboxWorld> {
  const folder = mkdtempSync(join(tmpdir(), 'sandbox-'))
  const script = join(folder, 'shop.ts')
  await copyFile(new URL('../../demo/app/shop.ts', import.meta.url), script)
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }\n')
  await writeFile(join(folder, 'file'), '')
  const [port, taken] = [await freePort(), await takenPort()]
  const options: Options = {
    directory: join(folder, 'sandbox'),
    port,
    services: Object.fromEntries(SERVICES.map(({ name }) => [name, { script, versions: VERSIONS }])),
    environment: { SHOP_NAME: 'Paper & Ink' },
    secrets: { SESSION_KEY: 'correct horse battery staple' },
  }
  const make = (services = SERVICES, more: Partial<Options> = {}) =>
    sandbox({ stack: 'shop', environment: 'test', services }, { ...options, ...more })
  const [unreachable, denied] = [await make(SERVICES, { directory: join(folder, 'file', 'sandbox') }), await make(SERVICES, { port: taken.port })]
  // Objects are made at once: what they know is on disk.
  const many = await Promise.all(Array.from({ length: 200 }, () => make()))
  let next = 0
  const platform = () => many[next++ % many.length] as Platform
  return {
    folder,
    script,
    port,
    make,
    platform,
    services: SERVICES,
    main: 'backend',
    never: 'worker',
    path: '/',
    events: '/events',
    versions: {
      good: ['1.0.0', '1.1.0'],
      missing: '9.9.9',
      crashes: '1.2.0-crash',
      says: 'missing environment variable PAYMENT_API_URL',
      unready: '1.2.0-never-ready',
    },
    once: {
      version: ['node', '-p', 'process.env.VERSION'],
      fails: ['node', '-e', "console.error('no such thing'); process.exit(3)"],
    },
    changeFile: () => appendFile(script, `// ${Math.random()}\n`),
    unreachable: () => unreachable,
    denied: () => denied,
    close: async () => {
      taken.server.close()
      if (existsSync(options.directory)) for (const slot of ['blue', 'green']) await perform(platform().remove(slot))
      await platform().facts(doing())
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
