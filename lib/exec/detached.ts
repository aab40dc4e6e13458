import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Command, environmentOf } from './command.ts'
import { groupRuns, signalTo, startedOf, statOf } from './proc.ts'
import { self } from './survivors.ts'

/** A process that outlives the one that started it; the three together name it for good. */
export type Detached = { readonly pid: number; readonly started: string; readonly boot: string }

/** How a process ended; both null when nobody could see it. */
export type Exit = { readonly code: number | null; readonly signal: string | null }

/**
 * Starts a command in a session of its own and leaves it: it belongs to no run, so settling a run does not end it. What it writes is added to
 * the file `log`, which nobody else needs to hold open. `ended` resolves for whoever still runs then. Throws the system's error when it cannot start.
 */
export async function detached(command: Command, log: string): Promise<Detached & { readonly ended: Promise<Exit> }> {
  const descriptor = openSync(log, 'a', 0o600)
  let child: ChildProcess
  try {
    const { cwd } = command
    const stdio = ['ignore' as const, descriptor, descriptor]
    child = spawn(command.file, command.argv, { detached: true, env: environmentOf(command), stdio, ...(cwd === undefined ? {} : { cwd }) })
  } finally {
    closeSync(descriptor)
  }
  // No pid means that it never ran; the error event says why.
  if (child.pid === undefined) throw (await once(child, 'error'))[0]
  child.unref()
  const exit = new Promise<Exit>(resolve => child.once('exit', (code, signal) => resolve({ code, signal })))
  return { pid: child.pid, started: startedOf(child.pid), boot: self().boot, ended: exit }
}

/** Ends a detached process with its group, SIGTERM once, SIGKILL after `graceMs`; also what is left of the group when its leader is gone. */
export async function endDetached(process: Detached, graceMs: number): Promise<void> {
  if (process.boot !== self().boot) return
  for (const [signal, waitMs] of [
    ['SIGTERM', graceMs],
    ['SIGKILL', KILLED_MS],
  ] as const) {
    if (!groupIsOurs(process)) return
    signalTo(-process.pid, signal)
    const deadline = Date.now() + waitMs
    while (groupIsOurs(process) && Date.now() < deadline) await sleep(20)
  }
}

/** Longest time that the kernel takes to end what got SIGKILL, in milliseconds; only a process in a dead disk's call takes longer. */
const KILLED_MS = 5_000

/** The kernel gives no number out again while a group has it: so a leader that is gone is still the name of its group. */
function groupIsOurs({ pid, started }: Detached): boolean {
  const leader = statOf(pid)
  return (leader === undefined || started === '' || leader.started === started) && groupRuns(pid)
}
