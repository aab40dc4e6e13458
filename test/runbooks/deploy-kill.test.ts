import { afterAll, expect, test } from 'vitest'
import { goesOn, kill, type Recovery, sceneOf } from '../releases/kill.ts'
import { lineThatSays } from '../releases/points.ts'
import { closeShops } from '../releases/world.ts'
import { endWorlds } from './kit.ts'

afterAll(async () => {
  await closeShops()
  endWorlds()
})

/** Lines that differ in kind: before and after something was put there, handed over, moved and recorded. All lines, both ways, are in test/matrix/releases.ts. */
const CASES: Readonly<Record<'deploy' | 'rollback', readonly (readonly [says: string, recovery: Recovery])[]>> = {
  deploy: [
    ['intent release.stage/it', 'resume'],
    ['exited release.start/slot', 'revert'],
    ['intent workers/worker in slot', 'resume'],
    ['intent traffic/front door', 'revert'],
    ['verified traffic/front door', 'resume'],
    ['intent slot.stop/slot', 'resume'],
  ],
  rollback: [
    ['intent release.start/slot', 'revert'],
    ['verified traffic/front door', 'revert'],
    ['intent release.record/it', 'resume'],
  ],
}

test.concurrent.each(['deploy', 'rollback'] as const)(
  'a %s that is killed at any kind of step is settled to one release that serves everybody',
  {
    timeout: 600_000,
  },
  async runbook => {
    const scene = await sceneOf(runbook)
    const wrong: string[] = []
    for (const [says, recovery] of CASES[runbook]) {
      const n = lineThatSays(scene.lines, says)
      wrong.push(...(await kill(scene, { n, says }, 'after', recovery)))
    }
    expect([...wrong, ...(await goesOn(scene))]).toEqual([])
  },
)
