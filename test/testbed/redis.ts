import { execFileSync } from 'node:child_process'
import { launch, type Server } from './server.ts'
import { find } from './tools.ts'

/** A started Redis that asks for a password. */
export type Redis = Server & {
  /** `redis://:<password>@127.0.0.1:<port>`. */
  readonly url: string
  readonly password: string
  /** Runs one command and returns what redis-cli prints; throws with the server's error. */
  command(...words: readonly string[]): string
  /** Sends commands, one a line as redis-cli reads them, and returns what it prints. */
  lines(text: string): string
}

/** Starts Redis on a port and folder of its own; `settings` are those of redis.conf. */
export async function redis(
  wanted: { readonly port?: number; readonly stays?: boolean; readonly settings?: Readonly<Record<string, string>> } = {},
): Promise<Redis> {
  const file = find('redis-server')
  if (file === undefined || find('redis-cli') === undefined) throw new Error('redis is missing; to install it: npm run testbed -- install redis')
  const password = `p:w\\"'@${crypto.randomUUID().slice(0, 8)}`
  const cli = (port: number, argv: readonly string[], input = ''): string =>
    execFileSync('redis-cli', ['-e', '-h', '127.0.0.1', '-p', String(port), ...argv], {
      input,
      encoding: 'utf8',
      env: { ...process.env, REDISCLI_AUTH: password },
      stdio: ['pipe', 'pipe', 'pipe'],
    }).trimEnd()
  const server = await launch({
    name: 'redis',
    port: wanted.port,
    stays: wanted.stays,
    command(port, folder) {
      // The server waits for more replicas before it begins a snapshot; there are none.
      const own = { bind: '127.0.0.1', port: String(port), dir: folder, requirepass: password, save: '', 'repl-diskless-sync-delay': '0' }
      const settings = Object.entries({ ...own, ...wanted.settings }).flatMap(([name, value]) => [`--${name}`, value])
      return { file, argv: settings }
    },
    ready: async port => {
      if (cli(port, ['PING']) !== 'PONG') throw new Error('it is still loading')
    },
    patienceMs: 3_000,
  })
  return {
    ...server,
    password,
    url: `redis://:${encodeURIComponent(password)}@127.0.0.1:${server.port}`,
    command: (...words) => cli(server.port, words),
    lines: text => cli(server.port, [], text),
  }
}
