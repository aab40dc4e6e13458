import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ComposeShop, newComposeShop, watched } from '../releases/compose-shop.ts'
import { type Cases, killsOf } from '../releases/kill.ts'
import { describeWith } from '../testbed/index.ts'
import { endWorlds } from './kit.ts'

/** One of each kind of step, before or after it is done, settled in turn in both ways. All lines, both ways, are in test/matrix/compose.ts. */
const CASES: Cases = {
  deploy: [
    ['intent release.stage/it', 'resume'],
    ['exited release.start/slot', 'revert'],
    ['intent workers/worker in slot', 'resume'],
    ['exited traffic/front door', 'revert'],
    ['intent release.record/it', 'resume'],
    ['intent slot.stop/slot', 'resume'],
  ],
  rollback: [
    ['intent release.start/slot', 'revert'],
    ['exited traffic/front door', 'resume'],
  ],
}

describeWith(['docker', 'nginx-image'], 'a kill on Docker Compose', () => {
  let shop: ComposeShop
  beforeAll(async () => {
    shop = await newComposeShop()
  }, 300_000)
  afterAll(async () => {
    await shop?.end()
    endWorlds()
  }, 120_000)

  test.each(['deploy', 'rollback'] as const)(
    'a %s that is killed at any kind of step is settled to one release that serves everybody',
    {
      timeout: 1_800_000,
    },
    async runbook => {
      expect(await killsOf(watched(shop), runbook, CASES)).toEqual([])
    },
  )
})
