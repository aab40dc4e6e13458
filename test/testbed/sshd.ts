import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { launch, type Server } from './server.ts'
import { find } from './tools.ts'

/** A started OpenSSH server with a host key of its own, which lets one key in. */
export type Sshd = Server & {
  /** Who is let in: an ordinary account where the machine has one. */
  readonly user: string
  /** Text of the private key that is let in, and the file that holds it. */
  readonly key: string
  readonly keyFile: string
  /** Path of a known_hosts file with the server's host key; `knownAt` is a line for another port that leads to it. */
  readonly knownHosts: string
  knownAt(port: number): string
  /** Process numbers of the connections that are open. */
  sessions(): number[]
  /** Ends every open connection from the server's side, as a crash of the host would; returns how many. */
  killSessions(): number
  /** Gives it another host key; the next connection sees it. */
  changeHostKey(): void
}

/** Starts sshd; `settings` are those of sshd_config, and stand before the testbed's own. */
export async function sshd(
  wanted: { readonly port?: number; readonly stays?: boolean; readonly settings?: Readonly<Record<string, string>> } = {},
): Promise<Sshd> {
  const file = find('sshd')
  if (file === undefined || find('ssh-keygen') === undefined) throw new Error('sshd is missing; to install it: npm run testbed -- install ssh')
  const account = ordinary()
  // Only who may log in reads these; the server runs as that user.
  const keys = mkdtempSync(join(tmpdir(), 'testbed-ssh-keys-'))
  const at = { host: join(keys, 'host'), user: join(keys, 'user'), known: join(keys, 'known_hosts'), let: join(keys, 'authorized_keys') }
  chmodSync(keys, 0o755)
  const newHostKey = () => {
    for (const path of [at.host, `${at.host}.pub`]) rmSync(path, { force: true })
    makeKey(at.host, account)
  }
  newHostKey()
  makeKey(at.user)
  writeFileSync(at.let, readFileSync(`${at.user}.pub`))
  const server = await launch({
    name: 'ssh',
    port: wanted.port,
    stays: wanted.stays,
    command: port => ({ ...as(account, file, ['-D', '-e', '-f', settingsFile(keys, at, port, wanted.settings)]), env: { SSH_AUTH_SOCK: '' } }),
    ready: greets,
  })
  const knownAt = (port: number) => `[127.0.0.1]:${port} ${readFileSync(`${at.host}.pub`, 'utf8').split(' ').slice(0, 2).join(' ')}\n`
  writeFileSync(at.known, knownAt(server.port))
  const sessions = () => children(server.pid())
  return {
    ...server,
    user: account.name,
    key: readFileSync(at.user, 'utf8'),
    keyFile: at.user,
    knownHosts: at.known,
    knownAt,
    sessions,
    killSessions() {
      const open = sessions()
      for (const pid of open.flatMap(one => [...children(one), one])) if (isSshd(pid)) process.kill(pid, 'SIGKILL')
      return open.length
    },
    changeHostKey() {
      newHostKey()
      process.kill(server.pid(), 'SIGHUP')
    },
    async stop() {
      await server.stop()
      rmSync(keys, { recursive: true, force: true })
    },
  }
}

type Account = { readonly name: string; readonly uid: number; readonly gid: number }

/** Ourselves, unless we are root: then the first account with a shell that is not. An sshd without root's rights lets in only its own user. */
function ordinary(): Account {
  const { username, uid, gid } = userInfo()
  if (uid !== 0) return { name: username, uid, gid }
  const rows = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map(line => line.split(':'))
  const row = rows.find(([, , id, , , home, shell]) => Number(id) > 0 && /\/(?:ba|da|z)?sh$/.test(shell ?? '') && existsSync(home ?? ''))
  return row ? { name: row[0]!, uid: Number(row[2]), gid: Number(row[3]) } : { name: username, uid, gid }
}

function as({ uid, gid }: Account, file: string, argv: readonly string[]): { file: string; argv: readonly string[] } {
  if (process.getuid?.() !== 0 || uid === 0) return { file, argv }
  return { file: 'setpriv', argv: [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', file, ...argv] }
}

function makeKey(path: string, owner?: Account): void {
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'testbed', '-f', path])
  if (owner && process.getuid?.() === 0) execFileSync('chown', [`${owner.uid}:${owner.gid}`, path])
}

function settingsFile(
  keys: string,
  at: { readonly host: string; readonly let: string },
  port: number,
  extra: Readonly<Record<string, string>> = {},
): string {
  // A server that is root keeps its unprivileged half in an empty folder of this name.
  if (process.getuid?.() === 0 && ordinary().uid === 0) mkdirSync('/run/sshd', { recursive: true })
  const own = {
    Port: String(port),
    ListenAddress: '127.0.0.1',
    HostKey: at.host,
    AuthorizedKeysFile: at.let,
    // The folder for temporary files, which others may write to, is above the keys.
    StrictModes: 'no',
    UsePAM: 'no',
    PidFile: 'none',
    PasswordAuthentication: 'no',
    KbdInteractiveAuthentication: 'no',
    MaxStartups: '100',
    LogLevel: 'VERBOSE',
  }
  const path = join(keys, 'sshd_config')
  // Of a setting that is given twice, the first counts.
  const lines = [...Object.entries(extra), ...Object.entries(own)].map(([name, value]) => `${name} ${value}\n`)
  writeFileSync(path, lines.join(''), { mode: 0o644 })
  return path
}

/** Resolves when the server says `SSH-2.0-…`. */
function greets(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    socket.setTimeout(5_000, () => socket.destroy(new Error('no greeting')))
    socket.once('error', reject)
    socket.once('data', data => {
      socket.destroy()
      if (data.toString().startsWith('SSH-')) resolve()
      else reject(new Error('somebody else answers'))
    })
  })
}

function children(parent: number): number[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(Number)
    .filter(pid => Number(statOf(pid).split(' ')[1]) === parent)
}

/** The kernel's line on a process after its name: state, parent, … */
function statOf(pid: number): string {
  try {
    const line = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return line.slice(line.lastIndexOf(')') + 2)
  } catch {
    return ''
  }
}

function isSshd(pid: number): boolean {
  try {
    return /^sshd/.test(readFileSync(`/proc/${pid}/comm`, 'utf8'))
  } catch {
    return false
  }
}
