import { describe, expect, test } from 'vitest'
import type { WorldOf } from '../conformance.ts'
import { asked, load } from '../load.ts'
import { bundleOf, doing, emptied, healthy, judged, serving, started } from './kit.ts'

/** A platform without slots replaces a release in its place. */
export function replacing(of: WorldOf): void {
  describe('replacing in place', () => {
    test('a new release takes the place and the traffic of the old one, and no request is lost', async () => {
      const world = of()
      const platform = await emptied(world)
      const old = await serving(world, world.versions.good[0])
      const door = await platform.door(doing())
      const running = load(door, world.path)
      const fresh = await healthy(world, world.versions.good[1])
      const { failures, versions } = await running.stop()
      expect(failures).toEqual([])
      expect(versions[world.versions.good[0]]).toBeGreaterThan(0)
      expect(fresh.slot).toBe(old.slot)
      const answers = await asked(door, world.path, 100)
      expect(new Set(answers.map(({ version }) => version))).toEqual(new Set([world.versions.good[1]]))
    })

    test('while a bad release is in the way, the old one goes on serving', async () => {
      const world = of()
      const platform = await emptied(world)
      await serving(world, world.versions.good[0])
      const bad = await bundleOf(world, world.versions.crashes)
      const since = await started(platform, bad)
      expect(await judged(platform, bad, since)).toMatchObject({ is: 'doomed' })
      const answers = await asked(await platform.door(doing()), world.path, 100)
      expect(new Set(answers.map(({ version }) => version))).toEqual(new Set([world.versions.good[0]]))
    })
  })
}
