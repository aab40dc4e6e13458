import { readdirSync, readFileSync } from 'node:fs'

/** What the kernel says of a process: fields 3, 4, 5 and 22 of /proc/<pid>/stat (proc(5)); `started` is in clock ticks since boot. */
export type Stat = { readonly state: string; readonly parent: number; readonly group: number; readonly started: string }

/** The kernel's line on a process; undefined when there is none, or no /proc. */
export function statOf(pid: number): Stat | undefined {
  const line = readOr(`/proc/${pid}/stat`)
  if (!line) return undefined
  // The second field is the program's name in parentheses, which may itself hold spaces and parentheses.
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ')
  return { state: fields[0] ?? '', parent: Number(fields[1]), group: Number(fields[2]), started: fields[19] ?? '' }
}

/** Start time of a process in clock ticks since boot, which with the pid names it for good; '' where there is no /proc. */
export function startedOf(pid: number): string {
  return statOf(pid)?.started ?? ''
}

/** Every process id of this machine; empty where there is no /proc. */
export function pids(): number[] {
  try {
    return readdirSync('/proc')
      .filter(name => /^\d+$/.test(name))
      .map(Number)
  } catch {
    return []
  }
}

/** Whether a process group has a member that still runs; one that is dead and only waits for its parent does not count. */
export function groupRuns(group: number): boolean {
  if (!signalTo(-group, 0)) return false
  const all = pids()
  if (all.length === 0) return true
  return all.some(pid => {
    const stat = statOf(pid)
    return stat !== undefined && stat.group === group && !isDead(stat)
  })
}

/** Whether the kernel keeps only the exit code of a process. */
export function isDead(stat: Stat): boolean {
  return stat.state === 'Z' || stat.state === 'X'
}

/** Sends a signal to a process, or a group when negative; false when nobody is there any more. */
export function signalTo(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal)
  } catch (cause) {
    // EPERM: it is there, but belongs to somebody else.
    return (cause as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** A small file of /proc as text; undefined when it is gone or not ours to read. */
export function readOr(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
