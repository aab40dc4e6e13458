import { describe, expect, test } from 'vitest'
import type { WorldOf } from '../conformance.ts'
import { bundleOf, doing, emptied, healthy, judged, PATIENCE_MS, started, until } from './kit.ts'

/** What is said of a release that has just been started. */
export function verdicts(of: WorldOf): void {
  describe('the verdict on a release', () => {
    test('a good release is settled, and stays so', async () => {
      const world = of()
      const platform = await emptied(world)
      const bundle = await bundleOf(world, world.versions.good[0])
      const since = await started(platform, bundle)
      expect(await judged(platform, bundle, since)).toMatchObject({ is: 'settled' })
      expect(await platform.verdict(bundle.slot, bundle.release, [], since, doing())).toMatchObject({ is: 'settled' })
    })

    test('a release that crashes at its start is doomed at the latest with its second exit, with exit code, service and last words', async () => {
      const world = of()
      const platform = await emptied(world)
      const bundle = await bundleOf(world, world.versions.crashes)
      const since = await started(platform, bundle)
      const seen = await judged(platform, bundle, since)
      expect(seen.is).toBe('doomed')
      expect(seen.because).toContain(world.main)
      expect(seen.because).toMatch(/exit(ed)?( code)? 1\b/)
      expect(seen.look).toContain(world.versions.says)
      // Between two crashes it lives for 0.3 s, and may answer a probe.
      const stands = async () => (await platform.slot(bundle.slot, doing())).services[world.main]
      const state = await until(stands, now => now?.healthy === 0)
      expect(state?.healthy).toBe(0)
      expect(state?.because).toBeTruthy()
    })

    test('a release that crashes is doomed within 2 s of its second exit', async () => {
      const world = of()
      const platform = await emptied(world)
      const bundle = await bundleOf(world, world.versions.crashes)
      const since = await started(platform, bundle)
      // The second restart follows the second exit: when it is seen, the exit was before.
      const restarts = async () => (await platform.slot(bundle.slot, doing())).services[world.main]?.restarts ?? 0
      const verdict = judged(platform, bundle, since).then(seen => ({ seen, at: performance.now() }))
      const twice = until(restarts, count => count >= 2).then(count => ({ count, at: performance.now() }))
      const [{ seen, at }, second] = await Promise.all([verdict, twice])
      expect(seen.is).toBe('doomed')
      expect(second.count).toBeGreaterThanOrEqual(2)
      expect(at - second.at).toBeLessThan(2_000)
    })

    test('a release that is never healthy is moving, with the answer of the failing probe', async () => {
      const world = of()
      const platform = await emptied(world)
      const bundle = await bundleOf(world, world.versions.unready)
      const since = await started(platform, bundle)
      const look = () => platform.verdict(bundle.slot, bundle.release, [], since, doing())
      const seen = await until(look, ({ because }) => /503/.test(because ?? ''), PATIENCE_MS / 2)
      expect(seen.is).toBe('moving')
      expect(seen.because).toContain(world.main)
      expect(seen.because).toMatch(/503/)
      expect((await platform.slot(bundle.slot, doing())).services[world.main]).toMatchObject({ healthy: 0, restarts: 0 })
    })

    test('a verdict is on the release that is named: for another one in its place it is never settled', async () => {
      const world = of()
      const platform = await emptied(world)
      const bundle = await healthy(world, world.versions.good[0])
      const seen = await platform.verdict(bundle.slot, 'another0', [], await platform.time(doing()), doing())
      expect(seen.is).not.toBe('settled')
      expect(seen.because).toContain(bundle.release)
    })

    test('the platform’s time is ISO 8601, and goes forwards', async () => {
      const platform = of().platform()
      const [first, second] = [await platform.time(doing()), await platform.time(doing())]
      expect(first).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/)
      expect(Date.parse(second)).toBeGreaterThanOrEqual(Date.parse(first))
      expect(Math.abs(Date.parse(first) - Date.now())).toBeLessThan(PATIENCE_MS)
    })
  })
}
