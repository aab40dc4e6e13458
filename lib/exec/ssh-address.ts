import type { Secret } from '../plan/secrets.ts'
import { quote } from './command.ts'

/** A host and how to be let in; what is not given is as the user's own ssh has it. */
export type SshOptions = {
  readonly user?: string
  /** A name, an address, or an alias of ~/.ssh/config. */
  readonly host: string
  readonly port?: number
  /** Text of a private key without a passphrase. */
  readonly key?: Secret
  /** Path of a private key. */
  readonly keyFile?: string
  /** The only host keys that are trusted: lines of a known_hosts file, or the path of one. */
  readonly knownHosts?: string
}

/** The parts of `ssh://deploy@shop:2222`; throws RangeError for another address. */
export function sshAddress(address: string): Pick<SshOptions, 'host' | 'user' | 'port'> {
  const url = URL.parse(address)
  if (url?.protocol !== 'ssh:' || url.pathname.length > 1) throw new RangeError(`a host is ssh://user@host, not ${address}`)
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    ...(url.username ? { user: decodeURIComponent(url.username) } : {}),
    ...(url.port ? { port: Number(url.port) } : {}),
  }
}

/** `ssh://deploy@shop:2222`, for plans and recovery. */
export function whereOf({ user, host, port }: SshOptions): string {
  return `ssh://${user === undefined ? '' : `${user}@`}${host.includes(':') ? `[${host}]` : host}${port === undefined ? '' : `:${port}`}`
}

/** `deploy@shop`, for messages and as ssh takes it. */
export function personAt({ user, host }: SshOptions): string {
  return user === undefined ? host : `${user}@${host}`
}

/** What a person types before a command: `-p 2222 deploy@shop`. */
export function typedArgv(options: SshOptions): string[] {
  const { port, keyFile } = options
  return [...(port === undefined ? [] : ['-p', String(port)]), ...(keyFile === undefined ? [] : ['-i', keyFile]), personAt(options)]
}

/** What a person types to do something there. */
export const typedLine = (options: SshOptions, ...words: readonly string[]): string => ['ssh', ...typedArgv(options), ...words].map(quote).join(' ')

/** Known hosts as text rather than as the path of a file. */
export const areLines = (knownHosts: string): boolean => /\s/.test(knownHosts.trim())

/** Throws RangeError for a user, host or port that ssh could take for something else. */
export function check({ user, host, port, key, keyFile }: SshOptions): void {
  if (!/^[A-Za-z0-9][\w.:-]*$|^::/.test(host)) throw new RangeError(`${host} is not the name of a host`)
  if (user !== undefined && !/^[A-Za-z0-9_][\w.-]*$/.test(user)) throw new RangeError(`${user} is not the name of a user`)
  if (port !== undefined && !(Number.isInteger(port) && port > 0 && port < 65_536)) throw new RangeError(`${port} is not a port`)
  if (key !== undefined && keyFile !== undefined) throw new RangeError('a key is given as text or as a file, not as both')
}

/** Seconds until a host must have answered, and between two questions whether it is still there; after three without an answer the link is cut. */
const ANSWER_S = 10
const ALIVE_S = 5
const ALIVE_TIMES = 3

/** ssh's options for every call: never a question, never an unknown host key, and nothing of ~/.ssh/config that opens more than a command. */
export function sshOptions(options: SshOptions, files: { readonly key: string; readonly hosts: string }): string[] {
  const { port, key, keyFile, knownHosts } = options
  const identity = key ? files.key : keyFile
  const set = {
    BatchMode: 'yes',
    StrictHostKeyChecking: 'yes',
    UpdateHostKeys: 'no',
    ConnectTimeout: ANSWER_S,
    ConnectionAttempts: 1,
    ServerAliveInterval: ALIVE_S,
    ServerAliveCountMax: ALIVE_TIMES,
    ControlPersist: 'no',
    ForwardAgent: 'no',
    ForwardX11: 'no',
    PermitLocalCommand: 'no',
    RemoteCommand: 'none',
    RequestTTY: 'no',
    LogLevel: 'ERROR',
    ...(port === undefined ? {} : { Port: port }),
    ...(identity === undefined ? {} : { IdentityFile: inConfig(identity), IdentitiesOnly: 'yes' }),
    ...(knownHosts === undefined
      ? {}
      : { UserKnownHostsFile: inConfig(areLines(knownHosts) ? files.hosts : knownHosts), GlobalKnownHostsFile: '/dev/null' }),
  }
  return Object.entries(set).flatMap(([name, value]) => ['-o', `${name}=${value}`])
}

/** A path as ssh_config(5) reads it: percent signs are tokens, and spaces part several paths. */
function inConfig(path: string): string {
  return `"${path.replaceAll('%', '%%').replaceAll('"', '\\"')}"`
}
