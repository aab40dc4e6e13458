import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Bundle, Platform, Split } from '../../../lib/platforms/platform.ts'
import type { World, WorldOf } from '../conformance.ts'
import { ask, asked, load, long } from '../load.ts'
import { doing, emptied, healthy, move, perform, serving, until } from './kit.ts'

type Two = { readonly world: World; readonly platform: Platform; readonly split: Split; readonly old: Bundle; readonly fresh: Bundle }

/** Two slots behind one front door. These facts share one pair of releases; each begins with all of the traffic on the old one. */
export function traffic(of: WorldOf): void {
  describe('traffic between two slots', () => {
    let two: Two
    beforeAll(async () => {
      const world = of()
      const platform = await emptied(world)
      const old = await serving(world, world.versions.good[0])
      const fresh = await healthy(world, world.versions.good[1])
      two = { world, platform, split: platform.split as Split, old, fresh }
    }, 120_000)

    test('a new release stands beside the old one, in the slot that was idle', async () => {
      const { platform, old, fresh } = two
      expect(fresh.slot).not.toBe(old.slot)
      const { slots, serving: at, idle } = await platform.standing(doing())
      expect(at).toBe(old.slot)
      expect(idle).toBe(fresh.slot)
      expect(slots[old.slot]).toMatchObject({ release: old.release, is: 'running' })
      expect(slots[fresh.slot]).toMatchObject({ release: fresh.release, is: 'running' })
    })

    test('a release that was put beside gets no traffic before it is moved there', async () => {
      const { platform, split, world, old, fresh } = two
      const answers = await asked(await platform.door(doing()), world.path, 200)
      expect(new Set(answers.map(({ version }) => version))).toEqual(new Set([world.versions.good[0]]))
      const { share } = await split.served(doing())
      expect(share[old.slot]).toBe(100)
      expect(share[fresh.slot] ?? 0).toBe(0)
    })

    test('a track reaches a slot whatever the weights are', async () => {
      const { platform, split, world, old, fresh } = two
      const door = await platform.door(doing())
      for (const [bundle, version] of [
        [old, world.versions.good[0]],
        [fresh, world.versions.good[1]],
      ] as const) {
        const answers = await asked(door, world.path, 20, await split.track(bundle.slot, doing()))
        expect(new Set(answers.map(answer => answer.version))).toEqual(new Set([version]))
      }
    })

    test('weights are what users get: 0, 10, 50 and 100 percent, counted in answers', async () => {
      const { platform, split, world, old, fresh } = two
      const door = await platform.door(doing())
      for (const percent of [10, 50, 100, 0]) {
        const generation = await move(platform, fresh.slot, percent)
        const served = await split.served(doing())
        expect(served.generation).toBe(generation)
        const answers = await asked(door, world.path, 500)
        const counted = answers.filter(({ version }) => version === world.versions.good[1]).length / 5
        for (const seen of [counted, served.share[fresh.slot] ?? 0]) {
          if (percent === 0 || percent === 100) expect(seen).toBe(percent)
          // Of a fair draw of a hundred, four standard deviations at a half are 20.
          else expect(Math.abs(seen - percent)).toBeLessThan(percent === 10 ? 12 : 20)
        }
        expect((served.share[fresh.slot] ?? 0) + (served.share[old.slot] ?? 0)).toBeCloseTo(100)
      }
    })

    test('moving there and back loses no request of thousands, on kept-alive and on new connections', async () => {
      const { platform, world, old, fresh } = two
      const running = load(await platform.door(doing()), world.path)
      for (const percent of [10, 50, 100, 50, 0, 100, 0]) {
        const sent = running.sent()
        await move(platform, fresh.slot, percent)
        await until(
          async () => running.sent(),
          now => now > sent + 400,
        )
      }
      await move(platform, old.slot, 100)
      const { sent, failures, versions } = await running.stop()
      expect(failures).toEqual([])
      expect(sent).toBeGreaterThan(2_000)
      for (const version of world.versions.good) expect(versions[version]).toBeGreaterThan(0)
    })

    test('a connection that lasts stays in its slot through a move, and the slot is drained when it has ended', async () => {
      const { platform, split, world, old, fresh } = two
      const stream = await long(await platform.door(doing()), world.events)
      await move(platform, fresh.slot, 100)
      const [before] = [stream.bytes(), await sleep(500)]
      expect(await split.drained(old.slot, doing())).toMatchObject({ is: 'moving', state: { open: 1 } })
      expect(stream.bytes()).toBeGreaterThan(before)
      expect(stream.ended()).toBeNull()
      stream.close()
      const seen = await until(
        () => split.drained(old.slot, doing()),
        ({ is }) => is === 'settled',
      )
      expect(seen).toMatchObject({ is: 'settled', state: { open: 0 } })
      await move(platform, old.slot, 100)
    })

    test('a whole change of releases loses no request: move, drain, stop the old one, start it again, and back', async () => {
      const { platform, split, world, old, fresh } = two
      const running = load(await platform.door(doing()), world.path)
      for (const [from, to] of [
        [old, fresh],
        [fresh, old],
      ] as const) {
        await move(platform, to.slot, 100)
        const drained = await until(
          () => split.drained(from.slot, doing()),
          ({ is }) => is === 'settled',
        )
        expect(drained.is).toBe('settled')
        await perform(platform.stop(from.slot))
        expect((await platform.standing(doing())).serving).toBe(to.slot)
        const since = await platform.time(doing())
        await perform(platform.start(from, []))
        const seen = await until(
          () => platform.verdict(from.slot, from.release, [], since, doing()),
          ({ is }) => is !== 'moving',
        )
        expect(seen.is).toBe('settled')
      }
      const { sent, failures } = await running.stop()
      expect(failures).toEqual([])
      expect(sent).toBeGreaterThan(500)
    })

    test('another operator’s object sees the same weights and generation, and moves them on', async () => {
      const { platform, split, world, old, fresh } = two
      const generation = await move(platform, fresh.slot, 100)
      const other = world.platform()
      expect(await other.split?.served(doing())).toMatchObject({ generation, share: { [fresh.slot]: 100 } })
      const next = await move(other, old.slot, 100)
      expect(await split.served(doing())).toMatchObject({ generation: next, share: { [old.slot]: 100 } })
      expect(await ask(await platform.door(doing()), world.path)).toMatchObject({ version: world.versions.good[0] })
    })
  })
}
