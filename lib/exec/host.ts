import type { Doing } from '../plan/plan.ts'
import { Secret } from '../plan/secrets.ts'
import type { Command, Finished } from './command.ts'
import { hostFrom } from './host-work.ts'
import { secretLines, WITH_INPUT, WITHOUT_INPUT } from './place.ts'
import { endSurvivors, survivors } from './survivors.ts'

export { CellConflict, hostCell } from './host-cell.ts'
export { sshHost } from './ssh.ts'
export { type SshOptions, sshAddress } from './ssh-address.ts'

/** What a command on a host needs: variables with secret values, and whether it reads stdin (a command with a preface always does). */
export type InHost = { readonly secrets?: Readonly<Record<string, Secret>>; readonly input?: boolean }

/** A machine on which commands run: this one, or one behind ssh. */
export interface Host {
  /** `here` or `ssh://deploy@shop:2222`, for plans and recovery. */
  readonly where: string
  /**
   * The same command, to be run on the host: bytes both ways, its own exit code, secrets as lines of stdin that become variables of that
   * one process. It prints as a person would type it. Whatever ends it here ends it there. Running it may throw Trouble: 3 for a host key
   * or key that is refused and for a program that is not there, 8 for a host that cannot be reached and for a link that was cut.
   */
  on(command: Command, inside?: InHost): Command
  /**
   * A port of this machine that leads to a loopback port of the host until the host is closed; the same number, here.
   * When the link was cut, it leads there again as soon as the next command has run.
   */
  port(remote: number, doing: Doing): Promise<number>
  /** Writes a file whole or not at all, with a mode; makes its folder (0700). Throws CommandFailed, and RangeError for a path that is not absolute. */
  write(path: string, bytes: string | Secret, mode: number, doing: Doing): Promise<void>
  /** Runs a POSIX sh script with arguments, in one round trip, and returns whatever it came to. */
  script(text: string, args: readonly string[], doing: Doing, input?: string): Promise<Finished>
  /** Processes on the host that a run left behind; throws Trouble(8) where there is no /proc to look in. */
  survivors(run: string, doing: Doing): Promise<readonly { readonly pid: number; readonly prints: string }[]>
  /** Ends them, SIGTERM first; throws Trouble(5) when one cannot be ended. */
  endSurvivors(run: string, doing: Doing): Promise<void>
  /** Ends the connection, and what still runs over it. */
  close(): Promise<void>
}

/** This machine. */
export function here(): Host {
  return {
    ...hostFrom('here', withSecrets),
    port: async remote => remote,
    survivors: run => survivors(run),
    async endSurvivors(run) {
      await endSurvivors(run)
    },
    close: async () => {},
  }
}

/** Secrets reach a command as variables, and so as on a host: through stdin. */
function withSecrets(command: Command, { secrets, input }: InHost = {}): Command {
  if (secrets === undefined || Object.keys(secrets).length === 0) return command
  if (command.secret !== undefined) throw new RangeError('give the secret a name, not a descriptor')
  const { count, text } = secretLines(secrets)
  const reads = input === true || command.preface !== undefined
  const script = reads ? WITH_INPUT : WITHOUT_INPUT
  const { file, argv } = command
  return {
    ...command,
    file: 'sh',
    argv: ['-c', script, 'sh', count, file, ...argv],
    preface: new Secret('secrets for this machine', text + (command.preface?.reveal() ?? '')),
    typed: command.typed ?? { file, argv },
  }
}
