import { newComposeShop, watched } from '../releases/compose-shop.ts'
import { everyKill } from '../releases/kill.ts'
import { endWorlds } from '../runbooks/kit.ts'
import type { Member } from './run.ts'

/** Kills a deploy and a rollback on a real Docker engine after each kind of line of the journal and in the middle of it, and settles each in both ways. */
const compose: Member = async tell => {
  const shop = await newComposeShop()
  try {
    return { cases: await everyKill(watched(shop), tell) }
  } finally {
    await shop.end()
    endWorlds()
  }
}

export default compose
