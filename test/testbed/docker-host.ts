import { execFileSync, spawnSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { networkInterfaces } from 'node:os'
import { basename, join } from 'node:path'
import { nodeRoot } from './nginx-root.ts'
import { launch, type Server } from './server.ts'
import { find } from './tools.ts'

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
 * Ends everything that belongs to the engine in folder $1 with addresses of $2: engine, containers, mounts, bridges. Containers outlive their
 * engine, so they are found by their control group.
 */
const END = `[ ! -f "$1/docker.pid" ] || kill -9 -- "-$(cat "$1/docker.pid")" 2>/dev/null
for p in /proc/[0-9]*; do if tr '\\0' ' ' <"$p/cmdline" 2>/dev/null | grep -qF -- "$1/"; then kill -9 "\${p#/proc/}" 2>/dev/null; fi; done
for _ in 1 2 3; do find /sys/fs/cgroup -path "*/\${1##*/}/*" -name cgroup.procs -exec cat {} + 2>/dev/null | sort -u | xargs -r kill -9 2>/dev/null; done
while read -r _ mount _; do case $mount in "$1"/*) umount -l "$mount" 2>/dev/null ;; esac; done </proc/self/mounts
find /sys/fs/cgroup -depth -type d -path "*/\${1##*/}*" -exec rmdir {} + 2>/dev/null
ip -o -4 addr show 2>/dev/null | while read -r _ link _ address _; do case $address in "$2".*) ip link del "$link" 2>/dev/null ;; esac; done
exit 0`

/**
 * Starts the engine; it must be root. Packet filters belong to the whole machine, so it has none of its own: ports are published by its proxy,
 * and only on 127.0.0.1 does that work without them.
 */
export async function dockerHost(): Promise<DockerHost> {
  const file = find('dockerd')
  if (file === undefined) throw new Error('dockerd is missing; to install it: npm run testbed -- install docker')
  const net = freeNet()
  let address = ''
  const end: [string, ...string[]] = ['sh', '-c', END, 'sh', '/nowhere', net]
  const run = (...argv: readonly string[]): string =>
    execFileSync('docker', argv, { encoding: 'utf8', env: { ...process.env, DOCKER_HOST: address }, stdio: ['ignore', 'pipe', 'pipe'] }).trimEnd()
  const server = await launch({
    name: 'docker-host',
    command(_, folder) {
      address = `unix://${join(folder, 'docker.sock')}`
      end[4] = folder
      const places = [
        '--data-root',
        join(folder, 'data'),
        '--exec-root',
        join(folder, 'exec'),
        '--pidfile',
        join(folder, 'docker.pid'),
        '--host',
        address,
      ]
      const own = ['--bridge=none', '--iptables=false', '--ip6tables=false', `--default-address-pool=base=${net}.0/24,size=28`]
      const groups = ['--exec-opt', 'native.cgroupdriver=cgroupfs', '--cgroup-parent', `/${basename(folder)}`]
      return { file, argv: [...places, ...own, ...groups, '--log-level=warn'] }
    },
    ready: async () => run('version'),
    patienceMs: 20_000,
    killCommand: end,
  })
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
      spawnSync(end[0], end.slice(1), { stdio: 'ignore' })
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
