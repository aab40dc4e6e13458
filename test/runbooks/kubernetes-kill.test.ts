import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Cases, killsOf } from '../releases/kill.ts'
import { type KubernetesShop, newKubernetesShop, QUICK, watched } from '../releases/kubernetes-shop.ts'
import { describeWith } from '../testbed/index.ts'
import { endWorlds } from './kit.ts'

/** One of each kind of step, before or after it is done, settled in turn in both ways. All lines, both ways, are in test/matrix/kubernetes.ts. */
const CASES: Cases = {
  deploy: [
    ['exited release.stage/it', 'revert'],
    ['exited release.replace/live', 'resume'],
    ['intent release.record/it', 'resume'],
  ],
  rollback: [['exited release.replace/live', 'revert']],
}

describeWith(['kubernetes', 'registry'], 'a kill on Kubernetes', () => {
  let shop: KubernetesShop
  beforeAll(async () => {
    shop = await newKubernetesShop([], QUICK)
  }, 300_000)
  afterAll(async () => {
    await shop?.end()
    endWorlds()
  }, 120_000)

  test.each(['deploy', 'rollback'] as const)(
    'a %s that is killed at any kind of step is settled from another machine to one release that serves everybody',
    { timeout: 900_000 },
    async runbook => {
      const elsewhere = { ...shop, home: mkdtempSync(join(shop.folder, 'another laptop ')) }
      expect(await killsOf(watched(shop, elsewhere), runbook, CASES)).toEqual([])
    },
  )
})
