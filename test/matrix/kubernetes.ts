import { standingStill } from '../releases/compose-shop.ts'
import { everyKill } from '../releases/kill.ts'
import {
  describeKubernetesShop,
  type KubernetesShop,
  kubernetesFaults,
  newKubernetesShop,
  QUICK,
  servedAt,
  watched,
} from '../releases/kubernetes-shop.ts'
import { pointThatSays } from '../releases/points.ts'
import { said } from '../releases/runs.ts'
import { endWorlds } from '../runbooks/kit.ts'
import type { Member } from './run.ts'

/** Kills a deploy and a rollback on a real cluster after each kind of line of the journal and in the middle of it, and settles each in both ways; and cordons the node. */
const kubernetes: Member = async tell => {
  const shop = await newKubernetesShop([], QUICK)
  try {
    const cases = await everyKill(watched(shop), tell)
    for (const wrong of await cordoned(shop)) tell(`the node cordoned: ${wrong}`)
    return { cases: cases + 1 }
  } finally {
    await shop.end()
    endWorlds()
  }
}

/** A deploy during which all nodes are cordoned; here and not among the tests, because nothing else could be put on them meanwhile. */
async function cordoned(shop: KubernetesShop): Promise<string[]> {
  describeKubernetesShop(shop, { deploy: `budget: '8s'` })
  const before = await servedAt(shop)
  const nodes = shop.on.on.kubectl(['get', 'nodes', '-o', 'name']).split('\n').filter(Boolean)
  const { ran, goOn } = await standingStill(shop, ['--version=1.0.0', '--yes'], pointThatSays('intent release.replace/live'))
  try {
    shop.on.on.kubectl(['cordon', ...nodes])
    goOn()
    const done = await ran
    const words = said(done)
    return [
      ...(done.exit === 4 ? [] : [`exit ${done.exit}: ${done.last}`]),
      ...(/no node has a place for it: .*unschedulable/.test(words) ? [] : [`the scheduler’s words are not said: ${words}`]),
      ...((await servedAt(shop)) === before ? [] : [`${await servedAt(shop)} serves, and not ${before}`]),
      ...(await kubernetesFaults(shop)),
    ]
  } finally {
    shop.on.on.kubectl(['uncordon', ...nodes])
  }
}

export default kubernetes
