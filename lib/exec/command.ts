import type { Doing } from '../plan/plan.ts'
import { redact, type Secret } from '../plan/secrets.ts'

/** A command as data: an argument array, never a shell string. */
export type Command = {
  readonly file: string
  readonly argv: readonly string[]
  /** Added to a small inherited environment (PATH, HOME, LANG, TMPDIR…). Not for secrets: use `secret`. */
  readonly env?: Readonly<Record<string, string>>
  /** Handed to the process on file descriptor 3; the tool is told to read `/dev/fd/3`. */
  readonly secret?: Secret
  /**
   * Written to stdin before anything else. A command that gets no other input keeps an open stdin until it ends,
   * so that its far end (inside a service) can tell when we are gone.
   */
  readonly preface?: Secret
  readonly cwd?: string
  /**
   * A word that nobody can guess, which the far end writes behind the last byte of stdout, with its exit code. Output without it is not whole,
   * whatever the exit code says: for ways that lose the end of what they carry. It needs a preface, because its stdin must be open.
   */
  readonly seal?: string
  /** What a person would type for it, where that is not what is run. */
  readonly typed?: { readonly file: string; readonly argv: readonly string[] }
  /** How it gets to the host that it runs on; absent on this machine. */
  readonly way?: Way
}

/** How a command gets to another host. */
export type Way = {
  /** What runs there, for messages: `docker on deploy@shop`. */
  readonly says: string
  /** Makes the way ready before the command starts; throws Trouble. */
  open(doing: Doing): Promise<Opened>
}

/** A way that is ready for one command. */
export type Opened = {
  /** Written to stdin before the preface. */
  readonly greeting: string
  /** Aborted when the way is closed; the command is ended then. */
  readonly until: AbortSignal
  /** Called after the end; an error when the end was the way's (a cut link, no such program there) and not the command's own. */
  ended(end: { readonly code: number | null; readonly because?: string }, stderr: string): Promise<Error | undefined>
}

/** What a finished command said; stderr is the last part only, redacted. */
export type Finished = { readonly code: number | null; readonly signal: string | null; readonly stdout: string; readonly stderr: string }

/** A command that ended otherwise than well. The message names the program, exit code and last words on stderr. */
export class CommandFailed extends Error {
  readonly code: number | null
  readonly signal: string | null
  readonly stderr: string
  constructor(message: string, code: number | null, signal: string | null, stderr: string) {
    super(message)
    this.name = 'CommandFailed'
    this.code = code
    this.signal = signal
    this.stderr = stderr
  }
}

/** The command as a person can paste it into a POSIX shell; a secret is shown as `3<name`, a file of that name to be put in its place. */
export function prints(command: Command): string {
  const words = Object.entries(command.env ?? {}).map(([name, value]) => `${name}=${quote(value)}`)
  const { file, argv } = command.typed ?? command
  // As the first word, a=b would be an assignment.
  words.push(file.includes('=') ? always(file) : quote(file), ...argv.map(quote))
  if (command.secret) words.push(`3<${quote(command.secret.name)}`)
  const line = words.join(' ')
  return redact(command.cwd === undefined ? line : `(cd ${quote(command.cwd)} && ${line})`)
}

/** One word of a POSIX shell that stands for exactly this text. */
export function quote(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : always(text)
}

function always(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

/** What a tool may need of our own environment; everything else (tokens, passwords, NODE_OPTIONS) stays here. */
const INHERITED = [
  ...[
    'PATH',
    'HOME',
    'USER',
    'LOGNAME',
    'SHELL',
    'LANG',
    'LC_ALL',
    'LC_CTYPE',
    'TZ',
    'TMPDIR',
    'XDG_RUNTIME_DIR',
    'XDG_CONFIG_HOME',
    'XDG_CACHE_HOME',
  ],
  ...['SSH_AUTH_SOCK', 'DOCKER_HOST', 'DOCKER_CONTEXT', 'DOCKER_CONFIG', 'DOCKER_CERT_PATH', 'DOCKER_TLS_VERIFY', 'KUBECONFIG'],
  ...['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy', 'SSL_CERT_FILE', 'SSL_CERT_DIR'],
]

/** Where programs are looked for when we were started without a PATH; Debian's default. */
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** The whole environment of a command: the inherited names, its own additions, and the run that it belongs to, where it belongs to one. */
export function environmentOf(command: Command, run?: string): Record<string, string> {
  const inherited = INHERITED.flatMap(name => (process.env[name] === undefined ? [] : [[name, process.env[name]] as const]))
  return { PATH: DEFAULT_PATH, ...Object.fromEntries(inherited), ...command.env, ...(run === undefined ? {} : { RUNBOOKS_RUN: run }) }
}
