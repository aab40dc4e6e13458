import { hostname, userInfo } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { By } from '../plan/journal.ts'
import { Trouble } from '../plan/outcome.ts'
import { redact } from '../plan/secrets.ts'
import { GRACE_MS } from './child.ts'
import { quote } from './command.ts'
import { isDead, pids, readOr, signalTo, startedOf, statOf } from './proc.ts'

/** A process of an earlier run that still runs on this machine. */
export type Survivor = { readonly pid: number; readonly started: string; readonly prints: string }

/** This process, so that others can tell later whether it still runs; `started` and `boot` are '' where there is no /proc. */
export function self(): By {
  return { user: user(), host: hostname(), pid: process.pid, started: startedOf(process.pid), boot: bootId() }
}

/** Whether a process of this machine still runs, and is not another that got its number; the caller compares hosts. Without /proc, the number alone decides. */
export function isAlive(process: { readonly pid: number; readonly started: string; readonly boot: string }): boolean {
  const boot = bootId()
  if (boot !== '' && process.boot !== '' && boot !== process.boot) return false
  const stat = statOf(process.pid)
  if (stat === undefined) return boot === '' && signalTo(process.pid, 0)
  return !isDead(stat) && (process.started === '' || stat.started === process.started)
}

/** Processes of a run that still run on this machine, found by the run's id in their environment; throws Trouble(8) where there is no /proc to look in. */
export async function survivors(run: string): Promise<readonly Survivor[]> {
  const all = pids()
  if (all.length === 0) {
    const look = ['ps -axww -o pid,lstart,command']
    throw new Trouble(8, `cannot look for processes that run ${run} left behind: ${process.platform} has no /proc`, { look })
  }
  return carriers(`RUNBOOKS_RUN=${run}`)
}

/** Processes of this machine whose environment has a variable, `NAME=value`, but those that this one was started by; none where there is no /proc. */
export function carriers(variable: string): readonly Survivor[] {
  const own = ancestors()
  return pids()
    .filter(pid => !own.has(pid))
    .flatMap(pid => {
      if (!readOr(`/proc/${pid}/environ`)?.split('\0').includes(variable)) return []
      const stat = statOf(pid)
      return stat === undefined || isDead(stat) ? [] : [{ pid, started: stat.started, prints: commandLine(pid) }]
    })
}

/** Ends the survivors of a run, each with its group, SIGTERM first; returns those it found, throws Trouble(5) when one cannot be ended. */
export async function endSurvivors(run: string): Promise<readonly Survivor[]> {
  const found = await survivors(run)
  const left = await ended(() => survivors(run))
  if (left.length === 0) return found
  throw new Trouble(5, `could not end ${left.map(one => `${one.prints} (process ${one.pid})`).join(', ')} of run ${run}`, {
    next: left.map(one => `sudo kill -9 ${one.pid}`),
  })
}

/** Ends what is found, each with its group, SIGTERM first, until nothing is found any more; returns what could not be ended. */
export async function ended(find: () => Promise<readonly Survivor[]>, graceMs = GRACE_MS): Promise<readonly Survivor[]> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    const deadline = Date.now() + graceMs
    for (let left = await find(); left.length > 0 && Date.now() < deadline; left = await find()) {
      for (const survivor of left) end(survivor, signal)
      await sleep(50)
    }
  }
  return find()
}

function end(survivor: Survivor, signal: NodeJS.Signals): void {
  const stat = statOf(survivor.pid)
  if (stat?.started !== survivor.started) return
  signalTo(survivor.pid, signal)
  // Never the group that we are in ourselves.
  if (stat.group !== statOf(process.pid)?.group) signalTo(-stat.group, signal)
}

/** This process and those that started it: a runbook within a run is not a survivor of that run. */
function ancestors(): Set<number> {
  const own = new Set<number>()
  for (let pid: number | undefined = process.pid; pid !== undefined && pid > 0 && !own.has(pid); pid = statOf(pid)?.parent) own.add(pid)
  return own
}

function commandLine(pid: number): string {
  const words = (readOr(`/proc/${pid}/cmdline`) ?? '').split('\0').slice(0, -1)
  return redact(words.map(quote).join(' '))
}

/** Changes at every start of the machine, so that process numbers of an earlier one are not mistaken for living ones. */
function bootId(): string {
  return readOr('/proc/sys/kernel/random/boot_id')?.trim() ?? ''
}

/** Who works here; in CI that is who started the job, not the account that it runs under. */
export function user(): string {
  const starter = process.env.CI ? process.env.GITHUB_ACTOR || process.env.GITLAB_USER_LOGIN : undefined
  if (starter) return starter
  try {
    return userInfo().username
  } catch {
    // A container may run under a number that has no name.
    return String(process.getuid?.() ?? 'unknown')
  }
}
