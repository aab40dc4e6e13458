import { isIP } from 'node:net'
import { join } from 'node:path'
import { CommandFailed } from '../../exec/command.ts'
import { cannotBeEntered, inService, looksAt } from '../../exec/place.ts'
import { type Command, run } from '../../exec/process.ts'
import { Trouble } from '../../plan/outcome.ts'
import type { Doing } from '../../plan/plan.ts'
import { Secret } from '../../plan/secrets.ts'
import type { Server } from './address.ts'

/** How long one question to the server may take, in milliseconds; a server that loads or is busy says so at once. */
const ANSWER_MS = 15_000

/** How long the server may say nothing after the last command was sent, in seconds; one long value takes it less. */
const SILENCE_S = 120

/**
 * redis-cli as it runs for a server. Its password is the first line of stdin (`--askpass`), where nobody else can read it, not the
 * environment, which every process of the same user can; inside a service it is a variable of that one process.
 */
export function cli(server: Server, argv: readonly string[]): Command {
  const { user, password, within } = server
  const all = [...addressed(server), ...(user && password ? ['--user', user] : []), ...argv]
  if (within)
    return inService(within, { file: program(server), argv: all }, { input: false, ...(password ? { secrets: { REDISCLI_AUTH: password } } : {}) })
  if (!password) return { file: program(server), argv: all }
  return { file: program(server), argv: ['--askpass', ...all], preface: new Secret(`${password.name} as a line`, `${oneLine(password)}\n`) }
}

/** redis-cli that takes commands in Redis's protocol on stdin; the first of them must log in (`login`). */
export function pipe(server: Server): Command {
  // When we are killed, its input ends inside a command that is never answered; without a limit it would wait for that for ever.
  const command = { file: program(server), argv: [...addressed(server), '--pipe', '--pipe-timeout', String(SILENCE_S)] }
  return server.within ? inService(server.within, command, { input: true }) : command
}

/** The words of the command that logs in; none where no password is asked for. */
export function login({ user, password }: Server): readonly string[] | undefined {
  return password && ['AUTH', ...(user ? [user] : []), password.reveal()]
}

/** redis-cli as it is started for a server. */
export const program = ({ bin }: Server) => (bin === undefined ? 'redis-cli' : join(bin, 'redis-cli'))

function addressed({ host, port, tls, socket }: Server): string[] {
  if (socket !== undefined) return ['-s', socket]
  return ['-h', host, '-p', String(port), ...(tls ? ['--tls', ...(isIP(host) === 0 ? ['--sni', host] : [])] : [])]
}

function oneLine(password: Secret): string {
  const value = password.reveal()
  if (/[\r\n\0]/.test(value)) throw new Trouble(2, `${password.name} has a line break, which redis-cli cannot be given.`)
  return value
}

/** What a script of the server answers, as JSON; throws what `cliTrouble` makes of everything else. */
export async function evaluated<T>(server: Server, script: string, args: readonly string[], doing: Doing): Promise<T> {
  const { code, stdout, stderr } = await run(cli(server, ['EVAL', script, '0', ...args]), doing, { budgetMs: ANSWER_MS })
  if (code === null) throw new Trouble(8, `Redis (${server.setting}) does not answer within ${ANSWER_MS / 1000} s.`)
  // redis-cli prints the server's errors as answers, and exits 0.
  if (code === 0 && stdout.startsWith('{')) return JSON.parse(stdout) as T
  const said = `${stderr}\n${stdout}`
  throw cliTrouble(new CommandFailed(`redis-cli exited ${code}`, code, null, said), server)
}

const UNREACHABLE = /Could not connect|Connection refused|timed out|Server closed the connection|Connection reset|I\/O error|SSL_connect|MASTERDOWN/i
const DENIED = /WRONGPASS|NOAUTH|AUTH failed|NOPERM|invalid password/

/**
 * The failure of redis-cli as a foreseen one, told by its own words: Trouble(3) denied or not fitting, Trouble(8) not reached or not ready,
 * Trouble(4) anything else; other errors stay themselves.
 */
export function cliTrouble(error: unknown, server: Server): unknown {
  if (!(error instanceof CommandFailed)) return error
  const words = error.stderr
  const said = saidIn(words) || error.message
  if (server.within && cannotBeEntered(words)) {
    return new Trouble(8, `The service ${server.within.service} cannot be entered: ${said}`, { look: [looksAt(server.within)], cause: error })
  }
  if (DENIED.test(words)) {
    const next = /NOPERM/.test(words)
      ? 'give its user the commands EVAL, SELECT, SWAPDB, FLUSHDB, RESTORE, SYNC and INFO'
      : `correct ${server.setting}`
    return new Trouble(3, `Redis refuses the user or password of ${server.setting}: ${said}`, { next: [next], cause: error })
  }
  if (/\bLOADING\b/.test(words)) {
    const look = ['redis-cli INFO persistence | grep loading']
    return new Trouble(8, 'Redis is still loading its data from disk, and answers nothing until it has.', { look, cause: error })
  }
  if (/\bBUSY\b/.test(words)) return new Trouble(8, `Redis is busy with somebody's script: ${said}`, { cause: error })
  if (UNREACHABLE.test(words)) return new Trouble(8, `Redis does not answer: ${said}`, { cause: error })
  if (/\bREADONLY\b/.test(words)) return new Trouble(3, `This Redis is a replica, and takes no writes: ${said}`, { cause: error })
  if (/\bOOM\b/.test(words))
    return new Trouble(4, `Redis has no memory left for it (maxmemory): ${said}`, { look: ['redis-cli INFO memory'], cause: error })
  return new Trouble(4, `redis-cli: ${said}`, { cause: error })
}

/** The first line that says something went wrong. */
function saidIn(words: string): string {
  const lines = words
    .split('\n')
    .map(line => line.trim())
    .filter(line => line !== '' && !/^(sending REPLCONF|SYNC sent|Transfer finished|All data transferred)/.test(line))
  return lines[0] ?? ''
}
