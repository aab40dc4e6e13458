import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { mustRun } from '../../../lib/exec/process.ts'
import type { Change, Doing, Json, Seen, Verb } from '../../../lib/plan/plan.ts'
import type { Verbs } from '../../../lib/run/context.ts'
import { script, valueIn } from './world.ts'

type Args = { world: string; name: string; value: string | null; nap?: number; fails?: string; ends?: 'breaks' | 'lies' | 'says' }
type State = { value: string | null }

/** The points of a step at which a toy can be killed: `TOY_KILL=<verb>/<of>:<point>`. */
export const POINTS = ['intent', 'running', 'done', 'verify'] as const

const asked = (key: string, point: (typeof POINTS)[number]) => process.env.TOY_KILL === `${key}:${point}`

function die(): void {
  process.kill(process.pid, 'SIGKILL')
  // The signal may take a moment to arrive, and nothing may happen in it.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
}

/** Steps of this process that have had their effect. */
const did = new Set<string>()

async function runChild(key: string, args: Args, half: boolean, doing: Doing): Promise<Json> {
  if (asked(key, 'intent')) die()
  // A child that is still at work when its parent is killed works on, unless recovery ends it.
  const slow = process.env.TOY_STUBBORN === key || (process.env.TOY_SLOW === args.name && key !== `take/${args.name}`)
  const nap = slow ? 60 : (args.nap ?? (asked(key, 'running') ? Number(process.env.TOY_LIVES ?? 0.02) : 0))
  const child = mustRun(
    { file: 'sh', argv: ['-c', script(args.world, args.name, args.value, { nap, half, ends: args.ends === 'says' ? undefined : args.ends })] },
    doing,
  )
  if (asked(key, 'running')) {
    while (!existsSync(join(args.world, `began.${args.name}`))) await pause(2)
    die()
  }
  await child
  did.add(key)
  if (asked(key, 'done')) die()
  return { wrote: args.value }
}

async function look(key: string, { world, name }: Args): Promise<Seen<State>> {
  if (did.has(key) && asked(key, 'verify')) die()
  const value = valueIn(world, name)
  if (value === 'moving') return { state: { value }, is: 'moving', because: `${name} moves by itself` }
  if (value === 'blind') throw new Error(`${name} cannot be looked at`)
  return { state: { value }, is: 'settled' }
}

function write(called: string, half: Verb['half'], byHalves: boolean): Verb<Args, State> {
  return {
    effect: 'write',
    half,
    undone: 'take it back',
    look: args => look(`${called}/${args.name}`, args),
    goal: ({ value }) => ({ value }),
    does: args => [
      {
        kind: 'command',
        prints: `${called} ${args.name} ${args.value}`,
        run: async doing => {
          const key = `${called}/${args.name}`
          if (args.ends === 'says') throw new Error(process.env.TOY_FAIL_WITH)
          if (args.fails !== undefined || process.env.TOY_FAIL === key) throw new Error(args.fails ?? 'it was told to fail')
          return runChild(key, args, byHalves, doing)
        },
      },
    ],
    undo: ({ world, name }, before) => ({ verb: 'take', of: name, args: { world, name, value: before.value } }),
  }
}

const reader = (is: Seen['is']): Verb<Args, State> => ({
  effect: 'read',
  half: 'again',
  look: async ({ world, name }) => {
    const value = valueIn(world, name)
    return { state: { value }, is: value === 'broken' ? 'doomed' : is, ...(value === 'broken' ? { because: `${name} broke` } : {}) }
  },
  goal: ({ value }) => ({ value }),
  undo: () => ({ none: 'it only looks' }),
})

/** Verbs whose effects are lines of a log that nothing ever takes out, so that each can be counted. */
export const TOYS = {
  put: write('put', 'again', false),
  /** Has a half-done state; what is there then is taken away and made anew. */
  build: write('build', 'anew', true),
  /** Half-done, it can be done on top. */
  grow: write('grow', 'again', true),
  /** Half-done, it can only be undone. */
  move: write('move', 'undo', true),
  /** Half-done, a person is asked. */
  carve: write('carve', 'ask', true),
  take: { ...write('take', 'again', false), undo: () => ({ none: 'it is an undo' }) },
  /** Destroys what cannot be had again. */
  burn: { ...write('burn', 'again', false), effect: 'destroy' },
  /** Waits until a thing is as it should be. */
  wait: reader('moving'),
  /** Sees a thing as it is. */
  see: reader('settled'),
} as unknown as Verbs

/** The sentence of a toy verb. */
export function toy(verb: string, world: string, name: string, value: string | null = '1', more: Pick<Args, 'nap' | 'fails' | 'ends'> = {}): Change {
  return { verb, of: name, args: { world, name, value, ...more } }
}
