import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, statSync } from 'node:fs'
import type { Readable, Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { spent } from '../plan/durations.ts'
import { Trouble } from '../plan/outcome.ts'
import type { Doing } from '../plan/plan.ts'
import { type Command, environmentOf, type Opened, prints } from './command.ts'
import { secretFile } from './descriptor.ts'
import { groupRuns, signalTo, startedOf } from './proc.ts'
import { lastWords } from './tail.ts'

/** Between asking a group to stop (SIGTERM) and ending it (SIGKILL), in milliseconds. */
export const GRACE_MS = 5_000

/** How a process ended; `because` when it was we who ended it, `lost` when it was the way to its host. */
export type End = { readonly code: number | null; readonly signal: string | null; readonly because?: string; readonly lost?: Error }

/** A process that we started, the leader of its own group. */
export type Child = {
  readonly pid: number
  readonly started: string
  readonly prints: string
  readonly stdin: Writable | null
  readonly stdout: Readable
  /** Resolves, never rejects, when the process has exited, its output is closed, and nothing of a stopped group runs. */
  readonly ended: Promise<End>
  /** Ends the whole group, SIGTERM first; `ended` then says why. */
  stop(because: string): void
  stderr(): string
  /** Closes its stdin. */
  release(): void
  /** Whether our own process stays for its sake; yes, unless told otherwise. */
  hold(on: boolean): void
}

/** Whether the caller writes to stdin, and the longest time of a command in milliseconds. */
type How = { readonly stdin: 'pipe' | 'ignore'; readonly budgetMs?: number }

/** A process, or a pipe of one, for which Node waits before it exits. */
type Holder = { ref?(): unknown; unref?(): unknown }

const alive = new Set<Child>()

/** The processes that we started and that have not ended yet. */
export function live(): readonly Pick<Child, 'pid' | 'started' | 'prints'>[] {
  return [...alive]
}

/** Signals every group that is still alive, at once and without waiting: for a second Ctrl-C. */
export function stopAll(signal: NodeJS.Signals): void {
  for (const child of alive) signalTo(-child.pid, signal)
}

/** Starts a command in a process group of its own; throws Trouble(3) when its program cannot be found, and the signal's reason when already aborted. */
export async function start(command: Command, doing: Doing, how: How): Promise<Child> {
  doing.signal.throwIfAborted()
  const opened = await command.way?.open(doing)
  doing.signal.throwIfAborted()
  const first = opened === undefined ? command.preface?.reveal() : `${opened.greeting}${command.preface?.reveal() ?? ''}`
  const process = spawned(command, doing.run, first === undefined ? how.stdin : 'pipe')
  // No pid means that it never ran; the error event says why.
  if (process.pid === undefined) {
    const [cause] = await once(process, 'error')
    throw notStarted(command, cause)
  }
  const child = watched(command, process, process.pid, doing.signal, how, opened)
  try {
    doing.spawned({ pid: child.pid, started: child.started, prints: child.prints })
  } catch (cause) {
    child.stop('stopped: its start could not be recorded')
    child.stdout.resume()
    await child.ended
    throw cause
  }
  // Whoever feeds the rest looks at the exit code and at what was taken; nothing more is to be learned here.
  if (first !== undefined) process.stdin?.on('error', () => {}).write(first)
  return child
}

function spawned(command: Command, run: string, stdin: 'pipe' | 'ignore'): ChildProcess {
  const descriptor = command.secret && secretFile(command.secret)
  try {
    return spawn(command.file, command.argv, {
      detached: true,
      env: environmentOf(command, run),
      stdio: [stdin, 'pipe', 'pipe', ...(descriptor === undefined ? [] : [descriptor])],
      ...(command.cwd === undefined ? {} : { cwd: command.cwd }),
    })
  } finally {
    if (descriptor !== undefined) closeSync(descriptor)
  }
}

function watched(command: Command, process: ChildProcess, pid: number, signal: AbortSignal, { stdin, budgetMs }: How, way?: Opened): Child {
  const stderr = lastWords(process.stderr!)
  let because: string | undefined
  let killer: NodeJS.Timeout | undefined
  const endGroup = () => {
    if (killer !== undefined) return
    signalTo(-pid, 'SIGTERM')
    killer = setTimeout(() => {
      signalTo(-pid, 'SIGKILL')
      // Whoever left the group and still holds our pipes must not hold us.
      for (const pipe of [process.stdout, process.stderr]) pipe?.destroy()
    }, GRACE_MS)
  }
  const stop = (reason: string) => {
    if (because !== undefined || !alive.has(child)) return
    because = reason
    endGroup()
  }
  const onAbort = () => stop('stopped')
  const onClosed = () => stop('stopped: the way to its host was closed')
  signal.addEventListener('abort', onAbort, { once: true })
  way?.until.addEventListener('abort', onClosed, { once: true })
  const budget = budgetMs === undefined ? undefined : setTimeout(() => stop(`stopped after ${spent(budgetMs)}, its time limit`), budgetMs)
  const ended = new Promise<End>(resolve => {
    process.once('exit', code => {
      // What a failed tool leaves running would keep our pipes open, and the failure unseen.
      if (code !== 0) endGroup()
    })
    process.once('close', async (code, exitSignal) => {
      clearTimeout(budget)
      if (killer !== undefined) await groupGone(pid)
      clearTimeout(killer)
      signal.removeEventListener('abort', onAbort)
      way?.until.removeEventListener('abort', onClosed)
      alive.delete(child)
      const end = because === undefined ? { code, signal: exitSignal } : { code: null, signal: exitSignal ?? 'SIGTERM', because }
      const lost = await way?.ended(end, stderr()).catch((cause: Error) => cause)
      resolve(lost === undefined ? end : { ...end, lost })
    })
  })
  const child: Child = {
    pid,
    started: startedOf(pid),
    prints: prints(command),
    // An open stdin that nobody writes to is a preface's; ending it is not the caller's business.
    stdin: stdin === 'pipe' ? process.stdin : null,
    stdout: process.stdout!,
    ended,
    stop,
    stderr,
    release: () => void process.stdin?.end(),
    hold(on) {
      for (const handle of [process, ...process.stdio] as (Holder | null)[]) handle?.[on ? 'ref' : 'unref']?.()
    },
  }
  alive.add(child)
  return child
}

/** Waits until nothing of a group runs; SIGKILL after the grace is the caller's timer. */
async function groupGone(group: number): Promise<void> {
  for (let waitMs = 1; groupRuns(group); waitMs = Math.min(waitMs * 2, 50)) await sleep(waitMs)
}

function notStarted(command: Command, cause: Error): Error {
  const code = (cause as NodeJS.ErrnoException).code
  if (command.cwd !== undefined && !statSync(command.cwd, { throwIfNoEntry: false })?.isDirectory()) {
    return new Trouble(3, `${command.file} cannot run in ${command.cwd}: there is no such folder`, { cause })
  }
  if (code === 'ENOENT') {
    const next = [`install ${command.file}, or add its folder to PATH; then the same command again`]
    return new Trouble(3, `${command.file} is not installed or not on PATH`, { next, look: [`command -v ${command.file}`], cause })
  }
  if (code === 'EACCES')
    return new Trouble(3, `${command.file} may not be executed by this user`, { look: [`ls -l "$(command -v ${command.file})"`], cause })
  return cause
}
