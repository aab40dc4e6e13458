import { readFileSync } from 'node:fs'
import { get } from 'node:http'
import { join } from 'node:path'
import type { Instance, Kept } from '../../lib/platforms/sandbox/records.ts'
import { until } from './conformance/kit.ts'
import type { SandboxWorld } from './sandbox-world.ts'

/** What the keeper of a slot has written last. */
export const keptIn = (world: SandboxWorld, slot: string): Kept =>
  JSON.parse(readFileSync(join(world.folder, 'sandbox', 'slots', `${slot}.state.json`), 'utf8')) as Kept

/** The instance of a service in a slot. */
export function instanceIn(world: SandboxWorld, slot: string, service = 'backend'): Instance {
  const found = keptIn(world, slot).instances.find(one => one.service === service)
  if (!found) throw new Error(`no ${service} in ${slot}`)
  return found
}

/** Process ids of a slot's instances that run. */
export const pidsIn = (world: SandboxWorld, slot: string): number[] =>
  keptIn(world, slot).instances.flatMap(({ process }) => (process ? [process.pid] : []))

/** What the proxy says of itself. */
export function proxySays(world: SandboxWorld): Promise<{ readonly pid: number; readonly generation: string }> {
  return new Promise((resolve, reject) => {
    const request = get({ host: '127.0.0.1', port: world.port, path: '/.slot', agent: false }, response => {
      let text = ''
      response.on('data', chunk => {
        text += chunk
      })
      response.on('end', () => resolve(JSON.parse(text)))
    })
    request.on('error', reject)
  })
}

/** Whether a process runs; one that is dead and waits for its parent does not. */
export function runs(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

/** Kills a process, and waits until it is gone. */
export async function killed(pid: number): Promise<void> {
  process.kill(pid, 'SIGKILL')
  if (
    await until(
      async () => runs(pid),
      alive => !alive,
    )
  )
    throw new Error(`process ${pid} does not end`)
}
