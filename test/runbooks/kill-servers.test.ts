import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeWith } from '../testbed/index.ts'
import { type Begun, firstBackup, killLive, type Live, stepsOf } from './kill-live.ts'
import { endWorlds } from './kit.ts'
import { databasesOnAzure, mongoOnS3 } from './live-servers.ts'

/** The copies of a restore are those of a backup. */
const OF_BACKUP = ['copy', 'read-back', 'manifest']

/** The first step of each kind; of what is done to the data itself, the first for each part. */
function oneOfEach(steps: readonly Begun[]): Begun[] {
  const kind = ({ verb, of }: Begun) => (['load', 'swap'].includes(verb) ? `${verb} ${of}` : verb)
  return [...new Map(steps.toReversed().map(step => [kind(step), step])).values()].sort((a, b) => a.line - b.line)
}

const STACKS = [
  { title: 'MongoDB and S3', needs: ['mongodb', 'mongodb-tools', 's3'], start: mongoOnS3 },
  { title: 'PostgreSQL, Redis and Azure', needs: ['postgres', 'redis', 'azure'], start: databasesOnAzure },
] as const

for (const { title, needs, start } of STACKS) {
  describeWith(needs, `a kill on ${title}`, () => {
    let live: Live
    beforeAll(async () => {
      live = await start()
      await firstBackup(live)
    }, 120_000)
    afterAll(async () => {
      endWorlds()
      await live?.stop()
    })

    test('each kind of step that is killed once it is begun is settled, in turn by going on and by taking back', { timeout: 600_000 }, async () => {
      const wrong: string[] = []
      for (const runbook of ['backup', 'restore'] as const) {
        const steps = oneOfEach(await stepsOf(live, runbook)).filter(({ verb }) => runbook === 'backup' || !OF_BACKUP.includes(verb))
        expect(steps.length).toBeGreaterThanOrEqual(runbook === 'backup' ? 3 : 5)
        for (const [i, { line }] of steps.entries()) {
          await live.change()
          const last = { backupAfter: i === steps.length - 1 }
          wrong.push(...(await killLive(live, runbook, `entry:${line + (i % 2)}:after`, i % 2 === 0 ? 'revert' : 'resume', last)))
        }
      }
      expect(wrong).toEqual([])
    })
  })
}
