import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import { vi } from 'vitest'
import { describeWith, docker, sshd } from '../testbed/index.ts'
import { composeServices } from './inside/compose.ts'
import { conformance } from './inside/conformance.ts'

// Hundreds of commands enter a service, each through ssh and docker.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 120_000 })

describeWith(['docker', 'postgres', 'redis', 'ssh', 'zstd'], 'data in services of a Compose platform behind ssh', () => {
  conformance(async () => {
    const engine = await docker()
    // An ordinary user who may use Docker; nobody here may.
    chmodSync(engine.folder, 0o711)
    chmodSync(join(engine.folder, 'docker.sock'), 0o666)
    const server = await sshd({ settings: { SetEnv: `DOCKER_HOST=${engine.address}` } })
    const host = `ssh://${server.user}@127.0.0.1:${server.port}`
    const services = composeServices(engine)
    return {
      platform: `compose({
        host: '${host}', key: secret('SSH_KEY'), knownHosts: '${server.knownHosts}',
        project: 'shop', directory: '/srv/shop', files: 'compose', door: 'http://127.0.0.1:9',
      })`,
      where: `${host} shop in /srv/shop`,
      prints: `${server.user}@127.0.0.1 docker compose -p shop exec -T postgres`,
      settings: { SSH_KEY: server.key },
      env: {},
      ...services,
      words: (service, argv) => ['docker', '-H', engine.address, ...services.words(service, argv).slice(1)],
      async stop() {
        await server.stop()
        await engine.stop()
      },
    }
  })
})
