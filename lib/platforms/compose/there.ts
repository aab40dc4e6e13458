import { CommandFailed, quote } from '../../exec/command.ts'
import { Trouble } from '../../plan/outcome.ts'
import type { Action, Doing, Json } from '../../plan/plan.ts'
import type { Site } from './site.ts'

/** Longest time of a script that only looks, in milliseconds: a Docker that hangs must be told from one that is slow. */
const LOOK_MS = 60_000

/** What a script said, and how it ended. */
export type Said = { readonly code: number | null; readonly stdout: string; readonly stderr: string }

/** Runs a POSIX shell script on the host to its end, with arguments as $1, $2 …; only `input` may hold secrets. */
export const said = (site: Site, script: string, doing: Doing, args: readonly string[] = [], input?: string): Promise<Said> =>
  site.host.script(script, args, doing, input)

/** What a script that only looks prints. Trouble(8) when Docker does not answer, or when the script fails otherwise: then nothing is known. */
export async function looked(site: Site, script: string, doing: Doing, args: readonly string[] = []): Promise<string> {
  const { code, stdout, stderr } = await said(site, script, limited(doing), args).catch(cause => {
    doing.signal.throwIfAborted()
    throw cause instanceof DOMException ? notLooked(site, `no answer within ${LOOK_MS / 1_000} s`) : cause
  })
  if (code === 0) return stdout
  throw notLooked(site, lastWords(stderr) || `exit ${code}`)
}

const limited = (doing: Doing): Doing => ({ ...doing, signal: AbortSignal.any([doing.signal, AbortSignal.timeout(LOOK_MS)]) })

const notLooked = (site: Site, why: string) =>
  new Trouble(8, `Docker on ${site.where} could not be looked at: ${why}`, { look: [typedThere(site, 'docker', 'info')] })

/** Carries out a script; CommandFailed names what failed, with its last words. */
export async function done(site: Site, what: string, script: string, doing: Doing, args: readonly string[] = [], input?: string): Promise<string> {
  const { code, stdout, stderr } = await said(site, script, doing, args, input)
  if (code === 0) return stdout
  const words = lastWords(stderr, 5)
  throw new CommandFailed(`${what} on ${site.where} failed${words ? `: ${words}` : ` with exit ${code}`}`, code, null, stderr)
}

/** The last lines that are neither a progress of Compose nor a warning. */
export function lastWords(stderr: string, lines = 3): string {
  const telling = stderr.split('\n').filter(line => line.trim() !== '' && !/level=warning|^ (Container|Network|Volume) \S+ {2}\w+$/.test(line))
  return telling.slice(-lines).join('\n')
}

/** An action of one script. */
export function action(prints: string, work: (doing: Doing) => Promise<Json | undefined>, kind: Action['kind'] = 'command'): Action {
  return { kind, prints, run: work }
}

/** A command line as a person types it on the host. */
export const typed = (...words: readonly string[]): string => words.map(quote).join(' ')

/** A command line as a person types it here, to run on the host. */
export function typedThere(site: Site, ...words: readonly string[]): string {
  const line = typed(...words)
  return site.options.host === undefined ? line : `ssh ${site.options.host} ${quote(line)}`
}

/** Parts of a script's output, each after a line `@@name`. */
export function sections(stdout: string): Readonly<Record<string, string>> {
  const parts = stdout.split(/^@@(\w+)\n/m)
  return Object.fromEntries(Array.from({ length: (parts.length - 1) / 2 }, (_, i) => [parts[2 * i + 1] ?? '', parts[2 * i + 2] ?? '']))
}
