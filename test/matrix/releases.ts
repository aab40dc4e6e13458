import { goesOn, kill, type Recovery, sceneOf } from '../releases/kill.ts'
import { closeShops } from '../releases/world.ts'
import { endWorlds } from '../runbooks/kit.ts'
import type { Member } from './run.ts'

const BOTH: readonly Recovery[] = ['resume', 'revert']

/** Kills a deploy and a rollback on the sandbox after each line of the journal and in the middle of it, and settles each in both ways; the two at once. */
const releases: Member = async tell => {
  let cases = 0
  const play = async (runbook: 'deploy' | 'rollback') => {
    const scene = await sceneOf(runbook)
    for (const line of scene.lines)
      for (const when of ['torn', 'after'] as const)
        for (const recovery of BOTH) {
          for (const wrong of await kill(scene, line, when, recovery)) tell(wrong)
          cases += 1
        }
    for (const wrong of await goesOn(scene)) tell(`after all kills of ${runbook}: ${wrong}`)
  }
  try {
    await Promise.all((process.env.MATRIX_ONLY?.split(',') ?? ['deploy', 'rollback']).map(name => play(name as 'deploy' | 'rollback')))
  } finally {
    await closeShops()
    endWorlds()
  }
  return { cases }
}

export default releases
