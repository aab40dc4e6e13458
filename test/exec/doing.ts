import { readdirSync, readFileSync } from 'node:fs'
import type { Doing } from '../../lib/plan/plan.ts'

/** What surrounds a step in these tests: an abort to pull, and the processes that were announced. */
export function doing(run = `r${crypto.randomUUID().slice(0, 8)}`) {
  const abort = new AbortController()
  const started: { pid: number; started: string; prints: string }[] = []
  const context: Doing = { run, signal: abort.signal, progress: () => {}, spawned: process => started.push(process) }
  return { ...context, abort, started }
}

/** Processes (zombies aside) that have this run in their environment. */
export function running(run: string): number[] {
  return readdirSync('/proc')
    .filter(name => {
      if (!/^\d+$/.test(name) || Number(name) === process.pid) return false
      try {
        return (
          readFileSync(`/proc/${name}/environ`, 'utf8').includes(`RUNBOOKS_RUN=${run}\0`) && !/\) Z /.test(readFileSync(`/proc/${name}/stat`, 'utf8'))
        )
      } catch {
        return false
      }
    })
    .map(Number)
}

/** A shell script as a command. */
export function sh(script: string, ...argv: string[]) {
  return { file: 'sh', argv: ['-c', script, 'sh', ...argv] }
}

export async function collect(bytes: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of bytes) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}

/** `count` buffers of `size` bytes each. */
export async function* zeros(count: number, size = 65_536): AsyncGenerator<Buffer> {
  for (let i = 0; i < count; i++) yield Buffer.alloc(size)
}
