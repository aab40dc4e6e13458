import { vi } from 'vitest'
import { describeWith, docker } from '../testbed/index.ts'
import { composeServices } from './inside/compose.ts'
import { conformance } from './inside/conformance.ts'

// Hundreds of commands enter a service, each through docker.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 120_000 })

describeWith(['docker', 'postgres', 'redis', 'zstd'], 'data in services of a Compose platform', () => {
  conformance(async () => {
    const engine = await docker()
    return {
      platform: `compose({ project: 'shop', directory: '${engine.folder}', files: 'compose', door: 'http://127.0.0.1:9' })`,
      where: `compose shop in ${engine.folder}`,
      prints: 'docker compose -p shop exec -T postgres',
      settings: {},
      env: { DOCKER_HOST: engine.address },
      ...composeServices(engine),
      stop: () => engine.stop(),
    }
  })
})
