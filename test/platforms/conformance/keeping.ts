import { describe, expect, test } from 'vitest'
import type { Bundle } from '../../../lib/platforms/platform.ts'
import type { Abilities, WorldOf } from '../conformance.ts'
import { ask } from '../load.ts'
import { bundleOf, doing, emptied, healthy, judged, move, perform, releaseId, serving, started } from './kit.ts'

/** Stopping, removing and tidying. */
export function keeping(of: WorldOf, abilities: Abilities): void {
  describe('stopping and removing', () => {
    test('a release that is stopped is kept: it runs no more, and comes back with the same version and digest', async () => {
      const world = of()
      const platform = await emptied(world)
      const bundle = await serving(world, world.versions.good[0])
      await perform(platform.stop(bundle.slot))
      const stopped = await platform.slot(bundle.slot, doing())
      expect(stopped).toMatchObject({ release: bundle.release, is: 'stopped' })
      for (const state of Object.values(stopped.services)) expect(state).toMatchObject({ running: 0, healthy: 0 })
      expect((await ask(await platform.door(doing()), world.path)).failed).toBeDefined()
      const since = await platform.time(doing())
      await perform(platform.start(bundle, []))
      expect(await judged(platform, bundle, since)).toMatchObject({ is: 'settled' })
      const { version, digest } = bundle.services[world.main] ?? {}
      expect((await platform.slot(bundle.slot, doing())).services[world.main]).toMatchObject({ version, digest })
      if (abilities.split) await move(platform, bundle.slot, 100)
      expect(await ask(await platform.door(doing()), world.path)).toMatchObject({ status: 200, version })
    })

    test('stopping twice is stopping once', async () => {
      const world = of()
      const platform = await emptied(world)
      const bundle = await healthy(world, world.versions.good[0])
      await perform(platform.stop(bundle.slot))
      await perform(platform.stop(bundle.slot))
      expect(await platform.slot(bundle.slot, doing())).toMatchObject({ release: bundle.release, is: 'stopped' })
    })

    test('a release that is removed is gone from its slot, and can be removed again', async () => {
      const world = of()
      const platform = await emptied(world)
      const bundle = await healthy(world, world.versions.good[0])
      await perform(platform.remove(bundle.slot))
      expect(await platform.slot(bundle.slot, doing())).toEqual({ release: null, is: 'absent', services: {} })
      await perform(platform.remove(bundle.slot))
    })

    test('a crashing release that is removed is gone, and does not come back', async () => {
      const world = of()
      const platform = await emptied(world)
      const bundle = await bundleOf(world, world.versions.crashes)
      const since = await started(platform, bundle)
      await judged(platform, bundle, since)
      await perform(platform.remove(bundle.slot))
      expect(await platform.slot(bundle.slot, doing())).toMatchObject({ release: null, is: 'absent' })
    })

    test('another release in the same slot takes the place of what was there', async () => {
      const world = of()
      const platform = await emptied(world)
      const first = await healthy(world, world.versions.good[0])
      const second = await healthy(world, world.versions.good[1], first.slot)
      const state = await platform.slot(first.slot, doing())
      expect(state).toMatchObject({ release: second.release, is: 'running' })
      expect(state.services[world.main]).toMatchObject({ version: world.versions.good[1] })
    })

    test('what is kept of a release that is not to be kept is named as surplus, and tidying removes that and nothing else', async () => {
      const world = of()
      const platform = await emptied(world)
      const kept = await serving(world, world.versions.good[0])
      const gone = { ...(await bundleOf(world, world.versions.good[1])), release: releaseId() }
      await perform(platform.stage(gone))
      const named = async (keep: readonly Bundle[]) => (await platform.surplus(keep, doing())).join()
      expect(await named([kept, gone])).not.toMatch(new RegExp(`${kept.release}|${gone.release}`))
      expect(await named([kept])).toContain(gone.release)
      await perform(platform.tidy([kept]))
      expect(await platform.surplus([kept], doing())).toEqual([])
      expect(await platform.staged(gone.release, doing())).toBeNull()
      expect(await platform.staged(kept.release, doing())).toMatchObject(kept.files)
      expect(await ask(await platform.door(doing()), world.path)).toMatchObject({ status: 200 })
    })
  })
}
