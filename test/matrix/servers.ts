import { changeShop, killServed, stepsOf } from '../runbooks/kill-servers.ts'
import { endWorlds, invoke } from '../runbooks/kit.ts'
import { serve, withEnv } from '../runbooks/servers.ts'
import type { Member } from './run.ts'

/** Kills a backup and a restore of MongoDB and S3 before, in and after the journal line that begins each kind of step, and settles each in both ways. */
const servers: Member = async tell => {
  const served = await serve()
  let cases = 0
  try {
    const first = await invoke(served.world, 'backup', ['--yes'], withEnv(served))
    if (first.exit !== 0) throw new Error(first.stderr)
    for (const runbook of ['backup', 'restore'] as const)
      for (const line of (await stepsOf(served, runbook)).values())
        for (const when of [`${line}:after`, `${line + 1}:torn`, `${line + 1}:after`])
          for (const recovery of ['resume', 'revert'] as const) {
            await changeShop(served)
            for (const wrong of await killServed(served, runbook, `entry:${when}`, recovery)) tell(wrong)
            cases += 1
          }
  } finally {
    endWorlds()
    await Promise.all([served.mongo.stop(), served.store.stop()])
  }
  return { cases }
}

export default servers
