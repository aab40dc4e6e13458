import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, existsSync, mkdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { launch, type Server } from './server.ts'
import { find } from './tools.ts'

/** A started PostgreSQL that asks for a password (SCRAM); `root` is its superuser. */
export type Postgres = Server & {
  /** `postgres://root:<password>@127.0.0.1:<port>/`. */
  readonly url: string
  readonly user: 'root'
  readonly password: string
  /** Folder of its programs. */
  readonly bin: string
  /** Runs SQL with psql and returns its output; throws with the server's message. */
  sql(database: string, text: string): string
}

/** User and group that no file belongs to; PostgreSQL refuses to run as root. */
const NOBODY = 65_534

/** Starts PostgreSQL on a port and folder of its own; `settings` are those of postgresql.conf. */
export async function postgres(
  wanted: { readonly port?: number; readonly stays?: boolean; readonly settings?: Readonly<Record<string, string>> } = {},
): Promise<Postgres> {
  const initdb = find('initdb')
  const file = find('postgres')
  if (initdb === undefined || file === undefined) throw new Error('postgres is missing; to install it: npm run testbed -- install postgres')
  // psql on PATH may be Debian's wrapper, which takes ten times as long.
  const bin = dirname(realpathSync(file))
  const password = `p:w\\"'${crypto.randomUUID().slice(0, 8)}`
  const fast = { listen_addresses: '127.0.0.1', unix_socket_directories: '', fsync: 'off', ...wanted.settings }
  const psql = (port: number, database: string, text: string): string =>
    execFileSync(
      join(bin, 'psql'),
      ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-h', '127.0.0.1', '-p', String(port), '-U', 'root', database],
      {
        input: text,
        encoding: 'utf8',
        env: { ...process.env, PGPASSWORD: password },
        maxBuffer: 256 * 1024 * 1024,
        stdio: ['pipe', 'pipe', 'pipe'],
      },
    ).trimEnd()
  const server = await launch({
    name: 'postgres',
    port: wanted.port,
    stays: wanted.stays,
    command(port, folder) {
      const data = join(folder, 'data')
      if (!existsSync(data)) initialise(initdb, folder, data, password)
      const settings = Object.entries({ ...fast, port: String(port) }).flatMap(([name, value]) => ['-c', `${name}=${value}`])
      return unprivileged(file, ['-D', data, ...settings])
    },
    ready: async port => psql(port, 'postgres', 'SELECT 1'),
    patienceMs: 3_000,
  })
  return {
    ...server,
    kill: () => killed(server),
    user: 'root',
    password,
    bin,
    url: `postgres://root:${encodeURIComponent(password)}@127.0.0.1:${server.port}/`,
    sql: (database, text) => psql(server.port, database, text),
  }
}

/** Also waits until the number of the killed process is free: PostgreSQL takes whoever has it for a server on the same data. */
async function killed(server: Server): Promise<void> {
  const pid = server.pid()
  await server.kill()
  for (let waited = 0; waited < 100 && numberTaken(pid); waited++) await sleep(20)
}

function numberTaken(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

function initialise(initdb: string, folder: string, data: string, password: string): void {
  mkdirSync(data, { mode: 0o700 })
  const passwordFile = join(folder, 'password')
  writeFileSync(passwordFile, password, { mode: 0o600 })
  if (process.getuid?.() === 0) {
    // The server's user must be able to reach its folder, and nobody else to read it.
    chmodSync(folder, 0o711)
    for (const path of [data, passwordFile]) chownSync(path, NOBODY, NOBODY)
  }
  const argv = ['-D', data, '-U', 'root', '-A', 'scram-sha-256', `--pwfile=${passwordFile}`, '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync']
  const { file, argv: all } = unprivileged(initdb, argv)
  execFileSync(file, all, { stdio: 'pipe', cwd: '/' })
  rmSync(passwordFile)
}

function unprivileged(file: string, argv: readonly string[]): { file: string; argv: readonly string[] } {
  if (process.getuid?.() !== 0) return { file, argv }
  return { file: 'setpriv', argv: [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', file, ...argv] }
}
