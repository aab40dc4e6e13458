import { vi } from 'vitest'
import { describeWith } from '../testbed/index.ts'
import { registry } from '../testbed/registry.ts'
import { changed, composeWorld } from './compose/world.ts'
import { conforms, type World } from './conformance.ts'

// Thousands of requests, and connections that last, beside other tests.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 })

const VERSIONS = {
  good: ['1.0.0', '1.1.0'],
  missing: '9.9.9',
  crashes: '1.2.0-crash',
  says: 'boom: cannot open the database',
  unready: '1.2.0-sick',
} as const

async function world(): Promise<World> {
  const images = await registry()
  const made = await composeWorld(`${images.name}/`)
  const push = (repository: string, version: string) => {
    made.version(repository, version)
    made.engine.docker('push', '--quiet', `${repository}:${version}`)
  }
  const { good, crashes, unready } = VERSIONS
  for (const { image } of made.services) for (const version of good) push(image, version)
  for (const version of [crashes, unready]) push(made.services[0]!.image, version)
  return {
    platform: () => made.platform(),
    services: made.services,
    main: 'web',
    never: 'worker',
    path: '/',
    events: '/events',
    versions: VERSIONS,
    once: { version: ['node', '/app.mjs', 'version'], fails: ['node', '/app.mjs', 'fails'] },
    changeFile: async () => changed(made),
    unreachable: () => made.platform({ host: 'ssh://nobody@127.0.0.1:9' }),
    // A folder that nobody can write to.
    denied: () => made.platform({ directory: '/proc/runbooks' }),
    async close() {
      await made.close()
      await images.stop()
    },
  }
}

describeWith(['docker', 'nginx-image', 'registry'], 'Docker Compose', () => {
  conforms('compose', { split: true, never: true }, world)
})
