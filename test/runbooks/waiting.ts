import { existsSync, readFileSync } from 'node:fs'

/** What `look` finds, as soon as it finds something; throws after `ms`. */
export async function until<T>(look: () => T | undefined, ms = 30_000): Promise<T> {
  const deadline = performance.now() + ms
  for (;;) {
    const found = look()
    if (found !== undefined) return found
    if (performance.now() > deadline) throw new Error('it did not come to that in time')
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

/** Whether a process was stopped by a signal and can go on. */
export function isStopped(pid: number): boolean {
  return existsSync(`/proc/${pid}/stat`) && /\) [Tt] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
}
