import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { alive, type Identity } from './identity.ts'
import { cache } from './tools.ts'

/** A started server as others can see it: what to end, on whose behalf it runs, and the folder to remove with it. */
export type Running = {
  readonly name: string
  readonly server: Identity
  /** The process it ends with; null when it was started to stay (`up --detach`). */
  readonly owner: Identity | null
  readonly folder: string
  /** A command that ends what a signal to its process cannot reach: containers, mounts. */
  readonly ending?: readonly string[]
  /** Environment lines that point a stack at it. */
  readonly environment: readonly string[]
}

const folder = (): string => join(cache(), 'running')
const fileOf = (running: Running): string => join(folder(), `${running.server.pid}-${running.server.started.replaceAll(/\W/g, '')}.json`)

/** Notes that a server runs; noting it again replaces what was noted. */
export function note(running: Running): void {
  mkdirSync(folder(), { recursive: true })
  // The environment lines may hold keys.
  writeFileSync(fileOf(running), JSON.stringify(running), { mode: 0o600 })
}

/** Takes a note away. */
export function forget(running: Running): void {
  rmSync(fileOf(running), { force: true })
}

/** Every noted server, whether it still runs or not. */
export function noted(): Running[] {
  let names: string[]
  try {
    names = readdirSync(folder())
  } catch {
    return []
  }
  return names.filter(name => name.endsWith('.json')).flatMap(read)
}

function read(name: string): Running[] {
  try {
    return [JSON.parse(readFileSync(join(folder(), name), 'utf8')) as Running]
  } catch {
    // Taken away, or being written, by another process.
    return []
  }
}

/** Ends a server by its own number: asks, waits `patienceMs`, then kills; true when it has ended. */
export async function endProcess(server: Identity, patienceMs = 10_000): Promise<boolean> {
  for (const [signal, waitMs] of [
    ['SIGTERM', patienceMs],
    ['SIGKILL', 5_000],
  ] as const) {
    send(server, signal)
    if (await hasEnded(server, waitMs)) return true
  }
  return false
}

/** Waits up to `waitMs` for a process to end; true when it has. */
export async function hasEnded(server: Identity, waitMs: number): Promise<boolean> {
  const until = Date.now() + waitMs
  while (alive(server) && Date.now() < until) await sleep(10)
  return !alive(server)
}

/** Runs the command that ends what a signal cannot reach, where there is one. */
export function endBeyond(ending: readonly string[] = []): void {
  const [file, ...argv] = ending
  if (file !== undefined) spawnSync(file, argv, { stdio: 'ignore' })
}

function send(server: Identity, signal: NodeJS.Signals): void {
  if (!alive(server)) return
  try {
    process.kill(server.pid, signal)
  } catch (error) {
    // It ended between the look and the signal.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** Ends a noted server, removes its folder and its note. */
export async function endRunning(running: Running): Promise<void> {
  if (!(await endProcess(running.server))) throw new Error(`${running.name} (process ${running.server.pid}) does not end`)
  endBeyond(running.ending)
  rmSync(running.folder, { recursive: true, force: true, maxRetries: 3 })
  forget(running)
}

/** Ends servers whose owner died without ending them; returns their names, and why one could not be ended: that must not keep others from their tests. */
export async function sweep(): Promise<string[]> {
  const orphans = noted().filter(running => running.owner !== null && !alive(running.owner))
  const said: string[] = []
  for (const orphan of orphans) {
    try {
      await endRunning(orphan)
      said.push(orphan.name)
    } catch (error) {
      said.push(`${orphan.name} (not wholly: ${error instanceof Error ? error.message : error})`)
    }
  }
  return said
}
