import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { type Death, die, nameOf } from '../run/engine/killed.ts'
import { invoke, newWorld, removeWorld } from '../run/toys/invoke.ts'
import { POINTS } from '../run/toys/verbs.ts'
import type { Member } from './run.ts'

const PRELOAD = join(import.meta.dirname, '../runbooks/preload.ts')

/** Every step × its four points × resume or revert × the four points of a step that the recovery does or takes back. */
function atPoints(): Death[] {
  const plans = [
    { plan: 'main', steps: ['put/a', 'put/b', 'build/c', 'put/e'] },
    { plan: 'halves', steps: ['put/a', 'grow/g', 'put/e'] },
  ] as const
  return plans.flatMap(({ plan, steps }) =>
    steps.flatMap(step =>
      POINTS.flatMap(point =>
        (['--resume', '--revert'] as const).flatMap(how => {
          const again = how === '--resume' ? [step, 'put/e'] : [`take/${step.split('/')[1]}`, 'take/a']
          const seconds = [...new Set(again)].flatMap(target => POINTS.map(second => `${target}:${second}`))
          const first = `${step}:${point}`
          return [{ plan, first, how }, { plan, first, how, moved: true as const }, ...seconds.map(second => ({ plan, first, how, second }))]
        }),
      ),
    ),
  )
}

/** Every line of the journal and every change of the shared state in one run of a plan: before it, torn, and after it. */
async function pointsOf(plan: Death['plan']): Promise<string[]> {
  const world = newWorld()
  const file = join(world.folder, 'points')
  try {
    const ran = await invoke(world, ['--yes'], { TOY_PLAN: plan, POINTS_TO: file }, ['--import', PRELOAD])
    if (ran.code !== 0) throw new Error(ran.stderr)
    const lines = readFileSync(file, 'utf8').split('\n')
    const numbers = (kind: string) => lines.flatMap(line => (line.startsWith(`${kind} `) ? [Number(line.split(' ')[1])] : []))
    return [
      ...numbers('entry').flatMap(n => [`entry:${n}:before`, `entry:${n}:torn`, `entry:${n}:after`]),
      ...numbers('effect').flatMap(n => [`effect:${n}:before`, `effect:${n}:after`]),
    ]
  } finally {
    removeWorld(world)
  }
}

/** Every such point, and in the recovery every fifth one, moved on from case to case so that all are hit. */
async function atLines(): Promise<Death[]> {
  const points = await pointsOf('main')
  return points.flatMap((first, i) =>
    (['--resume', '--revert'] as const).flatMap((how): Death[] => [
      { plan: 'main', first, how, preload: PRELOAD },
      { plan: 'main', first, how, preload: PRELOAD, second: points[(i * 5 + 3) % points.length] as string },
    ]),
  )
}

/** Kills a toy run at every point and its recovery again; more at once than the machine has cores only makes it slow. */
const engine: Member = async tell => {
  const queue = [...atPoints(), ...(await atLines())][Symbol.iterator]()
  let cases = 0
  const play = async (): Promise<void> => {
    for (const death of queue) {
      const wrongs = await die(death)
      // A point that was not come to has proved nothing.
      if (wrongs === undefined) continue
      cases += 1
      for (const wrong of wrongs) tell(`${nameOf(death)}: ${wrong}`)
    }
  }
  await Promise.all(Array.from({ length: availableParallelism() }, play))
  return { cases }
}

export default engine
