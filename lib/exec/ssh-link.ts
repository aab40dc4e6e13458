import { rmSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { Trouble } from '../plan/outcome.ts'
import type { Doing } from '../plan/plan.ts'
import { type Child, start } from './child.ts'
import { run } from './process.ts'
import { areLines, personAt, type SshOptions, sshOptions, typedArgv, typedLine } from './ssh-address.ts'
import { BEAT_MS, READY, wardenLine } from './ssh-far-end.ts'
import { folderName, inFolder, makeFolder } from './ssh-folder.ts'
import { connectTrouble } from './ssh-trouble.ts'

/** Longest time of a login, in milliseconds, slow files of the login shell included. */
const LOGIN_MS = 30_000

/** A port here that leads to one there. */
type Forward = { readonly here: number; readonly there: number }

/** One connection to a host, opened when it is first needed, and again after it was cut. */
export type Link = {
  /** Arguments of ssh for a command that goes over the connection, up to its line. */
  readonly argv: readonly string[]
  /** Makes sure that the connection is open; throws Trouble. */
  open(doing: Doing): Promise<void>
  isOpen(): boolean
  /** Aborted by `close`. */
  readonly closed: AbortSignal
  /** Why ssh itself failed (its exit 255) although the connection was open before. */
  broken(doing: Doing, what: string, words: string): Promise<Trouble>
  /** Leads `here` to `there`, also after the connection was opened anew; false when the port is not free. */
  forward(forward: Forward, doing: Doing): Promise<boolean>
  /** Ends the connection, and whatever runs over it. */
  close(): Promise<void>
}

/**
 * Keeps one connection as a child of ours. When we are gone, its input ends: the far end then cuts it and ends what still runs, and the
 * shell around it removes the private folder. So nothing has to be done when we are killed.
 */
export function openLink(options: SshOptions): Link {
  const folder = folderName()
  const files = inFolder(folder)
  const common = ['-S', files.socket, ...sshOptions(options, files), '-o', 'ClearAllForwardings=yes', '--', personAt(options)]
  const forwards: Forward[] = []
  const quit = new AbortController()
  let master: Child | undefined
  let opening: Promise<void> | undefined

  const connect = async (doing: Doing): Promise<void> => {
    const { knownHosts, key } = options
    makeFolder(folder, { key, hosts: knownHosts !== undefined && areLines(knownHosts) ? knownHosts : undefined })
    const own = { ...doing, signal: quit.signal }
    const child = await start(masterCommand(folder, ['-M', ...common, wardenLine()], options), own, { stdin: 'pipe' })
    const beats = setInterval(() => child.stdin!.write('\n'), BEAT_MS).unref()
    child.stdin!.on('error', () => {}).write('\n')
    void child.ended.then(() => {
      clearInterval(beats)
      if (master === child) master = undefined
    })
    if (!(await isReady(child))) {
      const end = await child.ended
      const failed = { options, folder, doing: own }
      if (end.because !== undefined)
        throw new Trouble(8, `${personAt(options)} could not be reached: ${end.because}`, { look: [typedLine(options, 'true')] })
      makeFolder(folder, { key, hosts: knownHosts !== undefined && areLines(knownHosts) ? knownHosts : undefined })
      throw await connectTrouble(failed, child.stderr()).finally(() => rmSync(folder, { recursive: true, force: true }))
    }
    master = child
    child.hold(false)
    for (const forward of forwards) await addForward(forward, own)
  }

  const addForward = async ({ here, there }: Forward, doing: Doing): Promise<boolean> => {
    const way = `127.0.0.1:${here}:127.0.0.1:${there}`
    const argv = ['-S', files.socket, '-O', 'forward', '-L', way, '-o', 'LogLevel=ERROR', '--', personAt(options)]
    return (await run({ file: 'ssh', argv, typed: { file: 'ssh', argv: ['-N', '-L', way, ...typedArgv(options)] } }, doing)).code === 0
  }

  const open = async (doing: Doing): Promise<void> => {
    quit.signal.throwIfAborted()
    if (master !== undefined) return
    opening ??= connect(doing).finally(() => {
      opening = undefined
    })
    await unlessAborted(opening, doing.signal)
  }

  return {
    argv: ['-o', 'ControlMaster=no', ...common],
    open,
    isOpen: () => master !== undefined,
    closed: quit.signal,
    async broken(doing, what, words) {
      // A command may notice some milliseconds before the connection's own process has ended.
      await Promise.race([master?.ended, pause(2_000)])
      if (master !== undefined) return await connectTrouble({ options, folder, doing }, words)
      const why = words.split(/\r?\n/).filter(Boolean).at(-1)
      return new Trouble(8, `The link to ${personAt(options)} was cut while ${what} ran there; it is ended there too${why ? ` (${why})` : ''}`, {
        look: [typedLine(options, 'uptime')],
      })
    },
    async forward(forward, doing) {
      await open(doing)
      if (!(await addForward(forward, doing))) return false
      forwards.push(forward)
      return true
    },
    async close() {
      await opening?.catch(() => {})
      const child = master
      master?.hold(true)
      quit.abort(new Error(`the connection to ${personAt(options)} was closed`))
      await child?.ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** The folder goes with the connection, also when we are not there any more. */
function masterCommand(folder: string, argv: readonly string[], options: SshOptions) {
  const script = 'trap : TERM INT HUP; "$@"; code=$?; rm -rf -- "$0"; exit "$code"'
  return { file: 'sh', argv: ['-c', script, folder, 'ssh', ...argv], typed: { file: 'ssh', argv: ['-M', '-N', ...typedArgv(options)] } }
}

/** Whether the far end has said that it is there, after whatever the files of the login shell print. */
function isReady(child: Child): Promise<boolean> {
  return new Promise(resolve => {
    const late = setTimeout(() => child.stop(`no login within ${LOGIN_MS / 1_000} s`), LOGIN_MS)
    const told = (ready: boolean) => {
      clearTimeout(late)
      resolve(ready)
    }
    let said = ''
    child.stdout
      .on('data', (chunk: Buffer) => {
        said = (said + chunk).slice(-65_536)
        if (said.split('\n').includes(READY)) told(true)
      })
      .on('error', () => {})
    void child.ended.then(() => told(false))
  })
}

/** Waits for work that others wait for too, as long as this one is wanted. */
async function unlessAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>()
  const onAbort = () => reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    signal.throwIfAborted()
    await Promise.race([work, promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
    work.catch(() => {})
  }
}
