import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeWith } from '../testbed/index.ts'
import { changeShop, killServed, stepsOf } from './kill-servers.ts'
import { endWorlds, invoke } from './kit.ts'
import { type Served, serve, withEnv } from './servers.ts'

describeWith(['mongodb', 'mongodb-tools', 's3'], 'a kill on MongoDB and S3', () => {
  let served: Served
  beforeAll(async () => {
    served = await serve()
    const ran = await invoke(served.world, 'backup', ['--yes'], withEnv(served))
    expect(ran.exit, ran.stderr).toBe(0)
  })
  afterAll(async () => {
    endWorlds()
    await Promise.all([served?.mongo.stop(), served?.store.stop()])
  })

  test('each kind of step that is killed once it is begun is settled, in turn by going on and by taking back', { timeout: 600_000 }, async () => {
    const wrong: string[] = []
    for (const runbook of ['backup', 'restore'] as const) {
      const steps = await stepsOf(served, runbook)
      expect(steps.size).toBeGreaterThan(runbook === 'backup' ? 2 : 6)
      for (const [i, [kind, line]] of [...steps].entries()) {
        // The copies of a restore are those of a backup.
        if (runbook === 'restore' && ['copy', 'read-back', 'manifest'].includes(kind)) continue
        await changeShop(served)
        wrong.push(...(await killServed(served, runbook, `entry:${line + (i % 2)}:after`, i % 2 === 0 ? 'revert' : 'resume')))
      }
    }
    expect(wrong).toEqual([])
  })
})
