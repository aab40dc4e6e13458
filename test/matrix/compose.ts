import { newComposeShop, watched } from '../releases/compose-shop.ts'
import { goesOn, kill, sceneIn } from '../releases/kill.ts'
import { endWorlds } from '../runbooks/kit.ts'
import type { Member } from './run.ts'

/** Kills a deploy and a rollback on a real Docker engine after each kind of line of the journal and in the middle of it, and settles each in both ways. */
const compose: Member = async tell => {
  let cases = 0
  const shop = await newComposeShop()
  try {
    for (const runbook of ['deploy', 'rollback'] as const) {
      const scene = await sceneIn(watched(shop), runbook)
      // Of lines that say the same, the first is died at.
      for (const line of new Map(scene.lines.toReversed().map(one => [one.says, one])).values())
        for (const when of ['torn', 'after'] as const)
          for (const recovery of ['resume', 'revert'] as const) {
            for (const wrong of await kill(scene, line, when, recovery)) tell(wrong)
            cases += 1
          }
      if (runbook === 'rollback') for (const wrong of await goesOn(scene)) tell(`after all kills: ${wrong}`)
    }
  } finally {
    await shop.end()
    endWorlds()
  }
  return { cases }
}

export default compose
