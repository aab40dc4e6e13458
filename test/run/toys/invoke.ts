import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Entry } from '../../../lib/plan/journal.ts'
import { readJournal } from '../../../lib/run/journal.ts'
import { have } from './world.ts'

/** One toy world on disk: what the toys change, the runs' home, the store with the shared state. */
export type World = { readonly folder: string; readonly world: string; readonly home: string; readonly store: string }

/** How an invocation ended; `last` is the last line of stdout. */
export type Ran = {
  readonly code: number | null
  readonly signal: string | null
  readonly stdout: string
  readonly stderr: string
  readonly last: string
}

/** A world in which `a` was 0 and `d` is already what the plans want. */
export function newWorld(): World {
  const folder = mkdtempSync(join(tmpdir(), 'runbooks-toy-'))
  for (const name of ['world', 'data']) mkdirSync(join(folder, name))
  const world = join(folder, 'world')
  have(world, 'a', '0')
  have(world, 'd', '1')
  return { folder, world, home: join(folder, 'home'), store: join(folder, 'store') }
}

export function removeWorld({ folder }: World): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
}

export const TOY = join(import.meta.dirname, 'toy.ts')
export const FLAGS = ['--stack=toy', '--environment=local'] as const

/** The environment of a toy in its world; variables of the caller that steer runbooks do not reach it. */
export function environment({ folder, world, home, store }: World, more: Record<string, string> = {}): NodeJS.ProcessEnv {
  const own = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(RUNBOOKS|TOY|NODE|VITEST|CI$)/.test(name)))
  return {
    ...own,
    RUNBOOKS_CONFIG: join(import.meta.dirname, 'config'),
    RUNBOOKS_HOME: home,
    TOY_WORLD: world,
    TOY_STORE: store,
    TOY_DATA: join(folder, 'data'),
    ...more,
  }
}

/** Starts the toy runbook; the caller may signal it. */
export function begin(
  world: World,
  flags: readonly string[],
  more: Record<string, string> = {},
  node: readonly string[] = [],
): { child: ChildProcess; ran: Promise<Ran> } {
  const child = spawn(process.execPath, [...node, TOY, ...FLAGS, ...flags], { env: environment(world, more), stdio: ['ignore', 'pipe', 'pipe'] })
  const said = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', text => (said.stdout += text))
  child.stderr.setEncoding('utf8').on('data', text => (said.stderr += text))
  // Not `close`: a killed toy leaves children that hold its pipes.
  const ran = new Promise<Ran>(resolve =>
    child.once('exit', (code, signal) => {
      setTimeout(() => {
        child.stdout.destroy()
        child.stderr.destroy()
        resolve({ code, signal, ...said, last: said.stdout.trimEnd().split('\n').at(-1) ?? '' })
      }, 10)
    }),
  )
  return { child, ran }
}

/** Runs the toy runbook to its end, or its kill. */
export const invoke = (world: World, flags: readonly string[], more: Record<string, string> = {}, node: readonly string[] = []): Promise<Ran> =>
  begin(world, flags, more, node).ran

/** Folders of all runs of a world, oldest first. */
export function runs({ home }: World): string[] {
  try {
    return readdirSync(join(home, 'runs'))
      .sort()
      .map(name => join(home, 'runs', name))
  } catch {
    return []
  }
}

/** The newest run's journal. */
export const journal = (world: World): Entry[] => readJournal(runs(world).at(-1) as string)
