import { describe, expect, test } from 'vitest'
import { Trouble } from '../../../lib/plan/outcome.ts'
import type { WorldOf } from '../conformance.ts'
import { bundleOf, doing, emptied, healthy, perform, started } from './kit.ts'

/** Files and secrets of a release. */
export function staging(of: WorldOf): void {
  describe('files and secrets of a release', () => {
    test('a draft names every file by its SHA-256, and every secret by a fingerprint that tells nothing', async () => {
      const draft = await of().platform().draft(doing())
      expect(Object.keys(draft.files).length).toBeGreaterThan(0)
      for (const hash of Object.values(draft.files)) expect(hash).toMatch(/^(sha256:)?[0-9a-f]{64}$/)
      for (const print of Object.values(draft.secrets)) expect(print).toMatch(/^[0-9a-f]{16}$/)
    })

    test('a draft is the same for every operator, until a file changes', async () => {
      const world = of()
      const before = await world.platform().draft(doing())
      expect(await world.platform().draft(doing())).toEqual(before)
      await world.changeFile()
      const after = await world.platform().draft(doing())
      expect(after.files).not.toEqual(before.files)
      expect(after.secrets).toEqual(before.secrets)
    })

    test('what is staged is kept with the hashes of the bundle, and is gone once it is unstaged', async () => {
      const world = of()
      const platform = await emptied(world)
      const bundle = await bundleOf(world, world.versions.good[0])
      expect(await platform.staged(bundle.release, doing())).toBeNull()
      await perform(platform.stage(bundle))
      expect(await platform.staged(bundle.release, doing())).toMatchObject(bundle.files)
      await perform(platform.stage(bundle))
      expect(await platform.staged(bundle.release, doing())).toMatchObject(bundle.files)
      await perform(platform.unstage(bundle.release))
      expect(await platform.staged(bundle.release, doing())).toBeNull()
      await perform(platform.unstage(bundle.release))
    })

    test('staging is refused when a file has changed since the draft, and leaves nothing', async () => {
      const world = of()
      const platform = await emptied(world)
      const bundle = await bundleOf(world, world.versions.good[0])
      await world.changeFile()
      const refused = await perform(platform.stage(bundle)).catch((cause: unknown) => cause)
      expect(refused).toBeInstanceOf(Trouble)
      expect(refused).toMatchObject({ exit: 3 })
      expect(await platform.staged(bundle.release, doing())).toBeNull()
    })

    test('a release that was staged before a file changed is put there again as it was', async () => {
      const world = of()
      const platform = await emptied(world)
      const bundle = await healthy(world, world.versions.good[0])
      await world.changeFile()
      await perform(platform.remove(bundle.slot))
      await started(platform, bundle)
      expect(await platform.staged(bundle.release, doing())).toMatchObject(bundle.files)
      expect(await platform.slot(bundle.slot, doing())).toMatchObject({ release: bundle.release, is: 'running' })
    })
  })
}
