import { createServer } from 'node:net'
import { Trouble } from '../plan/outcome.ts'
import type { Doing } from '../plan/plan.ts'
import { Secret } from '../plan/secrets.ts'
import type { Command, Opened } from './command.ts'
import { quote } from './command.ts'
import type { Host, InHost } from './host.ts'
import { hostFrom } from './host-work.ts'
import { secretLines } from './place.ts'
import { run } from './process.ts'
import { check, personAt, type SshOptions, typedArgv, typedLine, whereOf } from './ssh-address.ts'
import { commandLine, NO_FOLDER, NO_PROGRAM, OWN_255 } from './ssh-far-end.ts'
import { type Link, openLink } from './ssh-link.ts'

/** Longest wait for the end of what was stopped, in milliseconds: the far end's own grace, and a little more. */
const ENDED_MS = 8_000

/** Ports that are tried before it is said that none is free. */
const PORT_TRIES = 20

/**
 * A host behind ssh, with a POSIX shell as login shell. Nothing is connected before the first command; then everything goes over one
 * connection (OpenSSH opens more by itself when the host's MaxSessions, by default 10, is reached).
 * Throws RangeError for an address that is none.
 */
export function sshHost(options: SshOptions): Host {
  check(options)
  const link = openLink(options)
  const on = (command: Command, inside: InHost = {}) => farCommand(link, options, command, inside)
  return {
    ...hostFrom(whereOf(options), on),
    port: (remote, doing) => forwarded(link, options, remote, doing),
    close: () => link.close(),
  }
}

function farCommand(link: Link, options: SshOptions, command: Command, inside: InHost): Command {
  if (command.secret !== undefined) throw new RangeError('a descriptor does not reach onto a host; give the secret a name')
  const secrets = secretLines(inside.secrets)
  // What has a preface of its own reads it from stdin.
  const input = inside.input === true || command.preface !== undefined
  const { file, argv } = command.typed ?? command
  const says = `${file} on ${personAt(options)}`
  return {
    file: 'ssh',
    argv: [...link.argv, commandLine(command, input, secrets.count)],
    preface: new Secret(`secrets for ${personAt(options)}`, secrets.text + (command.preface?.reveal() ?? '')),
    typed: { file: 'ssh', argv: [...typedArgv(options), ...typedWords(command, file, argv)] },
    way: { says, open: doing => opened(link, options, command, says, doing) },
  }
}

/** What a person types for the host's shell, which takes the words apart once more. */
function typedWords({ env = {}, cwd }: Command, file: string, argv: readonly string[]): string[] {
  const variables = Object.entries(env).map(([name, value]) => `${name}=${quote(value)}`)
  return [...(cwd === undefined ? [] : ['cd', quote(cwd), '&&']), ...variables, quote(file), ...argv.map(quote)]
}

async function opened(link: Link, options: SshOptions, command: Command, says: string, doing: Doing): Promise<Opened> {
  await link.open(doing)
  const mark = crypto.randomUUID()
  return {
    until: link.closed,
    greeting: `${doing.run}\n${mark}\n`,
    async ended({ code, because }, stderr) {
      if (because !== undefined) return await gone(link, options, mark, doing)
      const last = stderr.split('\n').at(-1)
      const look = [typedLine(options, `command -v ${command.file}`)]
      if (code === 127 && last === NO_PROGRAM) {
        const next = [`install ${command.file} on ${personAt(options)}, or add its folder to the PATH that ssh sessions get there`]
        return new Trouble(3, `${command.file} is not installed on ${personAt(options)}, or not on its PATH`, { next, look })
      }
      if (code === 97 && last === NO_FOLDER) {
        return new Trouble(3, `${command.file} cannot run in ${command.cwd} on ${personAt(options)}: ${stderr.split('\n')[0]}`)
      }
      if (code !== 255 || last === OWN_255) return undefined
      return await link.broken(outlasting(doing), says, stderr)
    },
  }
}

/** Waits until what was stopped here has ended there too, so that nothing of it meets what comes next. */
async function gone(link: Link, options: SshOptions, mark: string, doing: Doing): Promise<undefined> {
  if (!link.isOpen()) return
  const script = 'while grep -qsF "RUNBOOKS_MARK=$1" /proc/[0-9]*/environ; do sleep 0.1 || sleep 1; done'
  const argv = [...link.argv, commandLine({ file: 'sh', argv: ['-c', script, 'sh', mark] }, false, '0')]
  // What is in a preface counts as secret from then on, so neither the run's id nor a word stands in it.
  const own = crypto.randomUUID()
  const preface = new Secret('nothing', `${own}\n${own}\n`)
  const typed = { file: 'ssh', argv: [...typedArgv(options), 'ps'] }
  await run({ file: 'ssh', argv, preface, typed }, outlasting(doing), { budgetMs: ENDED_MS })
}

/** The same surroundings, for what must still be done when the work was stopped. */
const outlasting = (doing: Doing): Doing => ({ ...doing, signal: new AbortController().signal })

async function forwarded(link: Link, options: SshOptions, there: number, doing: Doing): Promise<number> {
  for (let tries = 0; tries < PORT_TRIES; tries++) {
    const here = await freePort()
    if (await link.forward({ here, there }, doing)) return here
  }
  throw new Trouble(8, `No port of this machine could be led to port ${there} of ${personAt(options)}`, {
    look: [`ssh -N -L 127.0.0.1:${there}:127.0.0.1:${there} ${typedArgv(options).map(quote).join(' ')}`],
  })
}

/** A port that nobody listens on right now; ssh itself chooses none. */
async function freePort(): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const server = createServer().on('error', reject)
  server.listen(0, '127.0.0.1', () => {
    const address = server.address()
    server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
  })
  return await promise
}
