import { firstBackup, killLive, type Live, stepsOf } from '../runbooks/kill-live.ts'
import { endWorlds } from '../runbooks/kit.ts'
import { mongoOnS3 } from '../runbooks/live-servers.ts'
import type { Member } from './run.ts'

/** Kills a backup and a restore before, in and after the journal line that begins each step, and settles each in both ways. */
export const killedEverywhere =
  (start: () => Promise<Live>): Member =>
  async tell => {
    const live = await start()
    let cases = 0
    try {
      await firstBackup(live)
      for (const runbook of ['backup', 'restore'] as const)
        for (const { line } of await stepsOf(live, runbook))
          for (const when of [`${line}:after`, `${line + 1}:torn`, `${line + 1}:after`])
            for (const recovery of ['resume', 'revert'] as const) {
              await live.change()
              for (const wrong of await killLive(live, runbook, `entry:${when}`, recovery, { backupAfter: true })) tell(wrong)
              cases += 1
            }
    } finally {
      endWorlds()
      await live.stop()
    }
    return { cases }
  }

/** MongoDB on S3. */
export default killedEverywhere(mongoOnS3)
