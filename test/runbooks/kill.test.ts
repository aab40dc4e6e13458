import { afterAll, expect, test } from 'vitest'
import { kill, type Recovery, scenes } from './kill.ts'
import { endWorlds, inParallel } from './kit.ts'

afterAll(endWorlds)

/** Every third line of the journal: all kinds of steps, but no step at its every line. Both recoveries at all points are in test/matrix/embedded.ts. */
const APART = 3

test('a backup and a restore that are killed along their journal are settled to the old or the new, with nothing left over', {
  timeout: 600_000,
}, async () => {
  const wrong: string[] = []
  for (const scene of await scenes(['backup', 'restore'])) {
    const points = Array.from({ length: Math.ceil(scene.entries / APART) }, (_, i) => `entry:${APART * i + 1}:${['after', 'torn', 'after'][i % 3]}`)
    const cases = points.map((point, i) => [point, i % 2 === 0 ? 'revert' : 'resume', i % 10 === 5] as const)
    await inParallel(cases, 2, async ([point, recovery, backup]) => {
      wrong.push(...(await kill(scene, point, recovery, { backup })))
    })
  }
  expect(wrong).toEqual([])
})

test('a recovery that is killed is recovered from', { timeout: 300_000 }, async () => {
  const [scene] = await scenes(['restore'])
  if (!scene) throw new Error('there is no such scene')
  const wrong: string[] = []
  const cases = (['resume', 'revert'] as const).flatMap((recovery: Recovery) =>
    ['entry:12:after', 'entry:37:after'].flatMap(point => ['entry:2:after', 'entry:4:torn'].map(again => [point, recovery, again] as const)),
  )
  await inParallel(cases, 2, async ([point, recovery, again]) => {
    wrong.push(...(await kill(scene, point, recovery, { again })))
  })
  expect(wrong).toEqual([])
})
