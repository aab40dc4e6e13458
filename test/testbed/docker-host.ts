import { randomInt } from 'node:crypto'
import { networkInterfaces } from 'node:os'
import { engine } from './docker-engine.ts'
import { nodeRoot } from './nginx-root.ts'
import type { Server } from './server.ts'

/** A Docker engine of its own with networks, whose containers may publish ports on 127.0.0.1: a host to deploy to. */
export type DockerHost = Server & {
  /** `unix://…`, for DOCKER_HOST. */
  readonly address: string
  /** Runs docker and returns what it prints; throws with what it said. */
  docker(...argv: readonly string[]): string
  /** Names an image that has nginx, node and busybox. */
  base(): string
  /** Makes an image out of the base: a file more, variables, and what is run. Returns its id. */
  image(
    name: string,
    wanted: { readonly file?: readonly [from: string, to: string]; readonly env?: Readonly<Record<string, string>>; readonly run: readonly string[] },
  ): string
  /** Ends the engine alone, as a crash of it would; its containers run on. `start` starts it again. */
  killEngine(): void
}

/**
 * Starts the engine; it must be root. Packet filters belong to the whole machine, so it has none of its own: ports are published by its proxy,
 * and only on 127.0.0.1 does that work without them.
 */
export async function dockerHost(): Promise<DockerHost> {
  const net = freeNet()
  const { server, address, docker: run, end } = await engine('docker-host', net, [`--default-address-pool=base=${net}.0/24,size=28`])
  return {
    ...server,
    address,
    docker: run,
    base: () => once(run),
    image(name, { file: put, env = {}, run: argv }) {
      const made = run('create', once(run), 'true')
      if (put) run('cp', '--quiet', put[0], `${made}:${put[1]}`)
      const changes = [...Object.entries(env).map(([key, value]) => `ENV ${key}=${value}`), `CMD ${JSON.stringify(argv)}`]
      const id = run('commit', ...changes.flatMap(change => ['--change', change]), made, name)
      run('rm', made)
      return id
    },
    killEngine: () => void process.kill(server.pid(), 'SIGKILL'),
    async stop() {
      try {
        const containers = run('ps', '-aq').split('\n').filter(Boolean)
        if (containers.length > 0) run('rm', '--force', '--volumes', ...containers)
        run('network', 'prune', '--force')
      } catch {
        // An engine that was ended cannot tidy up; the next does.
      }
      end()
      await server.stop()
    },
  }
}

const BASE = 'testbed/base:1'

function once(run: DockerHost['docker']): string {
  if (run('images', '--quiet', BASE) === '') run('import', '--change', 'ENV PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', nodeRoot(), BASE)
  return BASE
}

/** The first three numbers of a private net of addresses that no interface of this machine has; two engines that start at once find two. */
function freeNet(): string {
  const taken = Object.values(networkInterfaces()).flatMap(all => (all ?? []).map(({ address }) => address))
  for (;;) {
    const net = `10.${randomInt(150, 240)}.${randomInt(0, 256)}`
    if (!taken.some(address => address.startsWith(`${net}.`))) return net
  }
}
