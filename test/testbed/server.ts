import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { alive, identity } from './identity.ts'
import { freePort, inUse } from './ports.ts'
import { endBeyond, endProcess, forget, hasEnded, note, type Running } from './records.ts'

/** How one kind of server is started and recognised as ready. */
export type Launch = {
  readonly name: string
  /** A wanted port; otherwise a free one is chosen. */
  readonly port?: number | undefined
  /** True: the server outlives this process (`up --detach`). */
  readonly stays?: boolean | undefined
  readonly command: (
    port: number,
    folder: string,
  ) => { readonly file: string; readonly argv: readonly string[]; readonly env?: Record<string, string> }
  /** Resolves once the server answers; called again after a failure until `startupMs` (default 30 s) is over. */
  readonly ready: (port: number) => Promise<unknown>
  readonly startupMs?: number
  /** How long `stop` waits before it kills (default 10 s). */
  readonly patienceMs?: number
  /** A command that ends at once what a signal to our process cannot reach, a container. */
  readonly killCommand?: readonly [string, ...string[]]
}

/** A started server: on 127.0.0.1, with a folder of its own, ended by its own process number. */
export type Server = {
  readonly host: '127.0.0.1'
  readonly port: number
  readonly folder: string
  /** Process number of the server as it runs now. */
  pid(): number
  /** What the server has written so far. */
  log(): string
  /** Adds the environment lines that `npm run testbed -- status` shows. */
  describe(environment: readonly string[]): void
  /** Ends it in order, waits for that, and removes its folder. */
  stop(): Promise<void>
  /** Ends it at once, as a crash would; the folder stays. */
  kill(): Promise<void>
  /** Starts it again after `kill`, on the same port and folder. */
  start(): Promise<void>
}

type Life = { child: ChildProcess; running: Running }

/** What ends the servers that nobody has stopped when this process exits. */
const forgotten = new Set<() => void>()
process.once('exit', () => {
  for (const end of forgotten) end()
})

/** Starts a server and waits until it answers; a failure's message ends with the last lines of the server's own log. */
export async function launch(how: Launch): Promise<Server> {
  if (how.port !== undefined && (await inUse(how.port))) throw new Error(`${how.name}: port ${how.port} on 127.0.0.1 is in use`)
  const port = how.port ?? (await freePort())
  const folder = mkdtempSync(join(tmpdir(), `testbed-${how.name}-`))
  const logFile = join(folder, 'server.log')
  const log = (): string => readFileSync(logFile, 'utf8')
  let life: Life | undefined

  const killNow = (): void => {
    if (life === undefined) return
    if (how.killCommand) endBeyond(how.killCommand)
    else killGroup(life.child)
  }
  const clean = (): void => {
    forgotten.delete(endForgotten)
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
    if (life) forget(life.running)
    life = undefined
  }
  const endForgotten = (): void => {
    killNow()
    clean()
  }

  const start = async (): Promise<void> => {
    const former = life?.running
    if (former && alive(former.server)) throw new Error(`${how.name} is running already`)
    if (!existsSync(folder)) throw new Error(`${how.name} was stopped, and its folder is gone`)
    const child = spawnQuietly(how, port, folder, logFile)
    await once(child, 'spawn')
    life = { child, running: recordOf(how, child, folder, former?.environment ?? []) }
    note(life.running)
    if (former) forget(former)
    await answers(how, port, child, log)
  }

  if (!how.stays) forgotten.add(endForgotten)
  try {
    await start()
  } catch (error) {
    if (life) await endProcess(life.running.server, 2_000)
    clean()
    throw error
  }
  return {
    host: '127.0.0.1',
    port,
    folder,
    log,
    pid: () => life?.running.server.pid ?? Number.NaN,
    describe(environment) {
      if (!life) return
      life.running = { ...life.running, environment }
      note(life.running)
    },
    async stop() {
      if (life && !(await endProcess(life.running.server, how.patienceMs)))
        throw new Error(`${how.name} (process ${life.running.server.pid}) does not end`)
      clean()
    },
    async kill() {
      if (!life) return
      killNow()
      if (!(await hasEnded(life.running.server, 10_000))) throw new Error(`${how.name} (process ${life.running.server.pid}) does not end`)
      await groupGone(life.running.server.pid)
    },
    start,
  }
}

/** With the helpers that it forked, which hold its port as long as they live (Redis writing its append-only file anew). */
function killGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
  } catch {
    child.kill('SIGKILL')
  }
}

/** Waits up to 3 s for the last process of a group: PostgreSQL does not start while one of a killed server still holds its memory. */
async function groupGone(pid: number): Promise<void> {
  for (const until = Date.now() + 3_000; Date.now() < until; await sleep(20)) {
    try {
      process.kill(-pid, 0)
    } catch {
      return
    }
  }
}

const ended = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null

function spawnQuietly(how: Launch, port: number, folder: string, logFile: string): ChildProcess {
  const { file, argv, env } = how.command(port, folder)
  const log = openSync(logFile, 'a')
  try {
    // A session of its own: Ctrl-C in the terminal reaches the testbed, which then ends its servers in order.
    const child = spawn(file, argv, { cwd: folder, env: { ...process.env, ...env }, detached: true, stdio: ['ignore', log, log] })
    child.unref()
    return child
  } finally {
    closeSync(log)
  }
}

function recordOf(how: Launch, child: ChildProcess, folder: string, environment: readonly string[]): Running {
  const server = identity(child.pid!) ?? { pid: child.pid!, started: 'ended' }
  return {
    name: how.name,
    server,
    owner: how.stays ? null : identity(process.pid)!,
    folder,
    environment,
    ...(how.killCommand && { ending: how.killCommand }),
  }
}

async function answers(how: Launch, port: number, child: ChildProcess, log: () => string): Promise<void> {
  const startupMs = how.startupMs ?? 30_000
  const until = Date.now() + startupMs
  let reason: unknown
  while (Date.now() < until) {
    if (ended(child)) throw new Error(`${how.name} ended while it started (${child.signalCode ?? `exit ${child.exitCode}`})${tail(log())}`)
    try {
      await how.ready(port)
      if (!ended(child)) return
    } catch (error) {
      reason = error
      await sleep(50)
    }
  }
  throw new Error(`${how.name} did not answer on 127.0.0.1:${port} within ${startupMs / 1000} s: ${reason}${tail(log())}`)
}

function tail(log: string): string {
  const lines = log.trim().split('\n').slice(-15)
  return lines.join('') === '' ? '; it wrote no log' : `; the end of its log:\n${lines.join('\n')}`
}
