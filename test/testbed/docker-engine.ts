import { execFileSync, spawnSync } from 'node:child_process'
import { basename, join } from 'node:path'
import { launch, type Server } from './server.ts'
import { find } from './tools.ts'

/**
 * Ends everything that belongs to the engine in folder $1 with addresses of $2: engine, containers, mounts, bridges. Containers outlive their
 * engine, so they are found by their control group.
 */
const END = `[ ! -f "$1/docker.pid" ] || kill -9 -- "-$(cat "$1/docker.pid")" 2>/dev/null
for p in /proc/[0-9]*; do if tr '\\0' ' ' <"$p/cmdline" 2>/dev/null | grep -qF -- "$1/"; then kill -9 "\${p#/proc/}" 2>/dev/null; fi; done
for _ in 1 2 3; do find /sys/fs/cgroup -path "*/\${1##*/}/*" -name cgroup.procs -exec cat {} + 2>/dev/null | sort -u | xargs -r kill -9 2>/dev/null; done
mounts=$(tac /proc/self/mounts)
printf '%s\\n' "$mounts" | while read -r _ mount _; do case $mount in "$1"/*) umount -l "$mount" 2>/dev/null ;; esac; done
find /sys/fs/cgroup -depth -type d -path "*/\${1##*/}*" -exec rmdir {} + 2>/dev/null
ip -o -4 addr show 2>/dev/null | while read -r _ link _ address _; do case $address in "$2".*) ip link del "$link" 2>/dev/null ;; esac; done
exit 0`

/** A started engine of its own: it shares neither images, containers nor networks with one that the machine may have. */
export type Engine = {
  readonly server: Server
  /** `unix://…`, for DOCKER_HOST. */
  readonly address: string
  /** Runs docker and returns what it prints; throws with what it said. */
  docker(...argv: readonly string[]): string
  /** Ends at once what an engine's own end leaves: containers, mounts, bridges. */
  end(): void
}

/** Starts dockerd without packet filters and bridges of the machine, which belong to everybody; it must be root. `net` is the first three numbers of its networks' addresses. */
export async function engine(name: string, net: string, flags: readonly string[] = []): Promise<Engine> {
  const file = find('dockerd')
  if (file === undefined) throw new Error('dockerd is missing; to install it: npm run testbed -- install docker')
  let address = ''
  const end: [string, ...string[]] = ['sh', '-c', END, 'sh', '/nowhere', net]
  const docker = (...argv: readonly string[]): string =>
    execFileSync('docker', argv, { encoding: 'utf8', env: { ...process.env, DOCKER_HOST: address }, stdio: ['ignore', 'pipe', 'pipe'] }).trimEnd()
  const server = await launch({
    name,
    command(_, folder) {
      address = `unix://${join(folder, 'docker.sock')}`
      end[4] = folder
      const places = ['--data-root', 'data', '--exec-root', 'exec', '--pidfile', 'docker.pid']
      const argv = places.map((word, i) => (i % 2 === 0 ? word : join(folder, word)))
      const groups = ['--exec-opt', 'native.cgroupdriver=cgroupfs', '--cgroup-parent', `/${basename(folder)}`]
      return {
        file,
        argv: [...argv, '--host', address, '--bridge=none', '--iptables=false', '--ip6tables=false', '--log-level=warn', ...groups, ...flags],
      }
    },
    ready: async () => docker('version'),
    patienceMs: 20_000,
    killCommand: end,
  })
  return { server, address, docker, end: () => void spawnSync(end[0], end.slice(1), { stdio: 'ignore' }) }
}
