import { describe, expect, test } from 'vitest'
import { run } from '../../../lib/exec/process.ts'
import type { Abilities, WorldOf } from '../conformance.ts'
import { ask } from '../load.ts'
import { bundleOf, doing, emptied, healthy, judged, output, perform, serving, started, until } from './kit.ts'

/** What operators do around releases. */
export function operating(of: WorldOf, abilities: Abilities): void {
  describe('around releases', () => {
    test.runIf(abilities.never)('a service that must not run twice is left out, started alone, and stopped alone', async () => {
      const world = of()
      const never = world.never ?? ''
      const platform = await emptied(world)
      const bundle = await bundleOf(world, world.versions.good[0])
      const since = await started(platform, bundle, [never])
      expect(await judged(platform, bundle, since, [never])).toMatchObject({ is: 'settled' })
      const runs = async () => (await platform.slot(bundle.slot, doing())).services[never]?.running ?? 0
      expect(await runs()).toBe(0)
      await perform(platform.toggle(bundle, [never], 'running'))
      expect(await until(runs, count => count > 0)).toBeGreaterThan(0)
      expect(await judged(platform, bundle, since)).toMatchObject({ is: 'settled' })
      await perform(platform.toggle(bundle, [never], 'stopped'))
      expect(await runs()).toBe(0)
      const main = (await platform.slot(bundle.slot, doing())).services[world.main]
      expect(main).toMatchObject({ running: main?.wanted, restarts: 0 })
    })

    test('a command in a throw-away instance has the release’s version, and nothing of it is left in the slot', async () => {
      const world = of()
      const platform = await emptied(world)
      const bundle = await healthy(world, world.versions.good[1])
      const before = await platform.slot(bundle.slot, doing())
      expect(await output(platform.once(bundle, world.main, world.once.version))).toContain(world.versions.good[1])
      expect(await platform.slot(bundle.slot, doing())).toEqual(before)
    })

    test('a command in a throw-away instance runs before its release is started, and gives its exit code and last words', async () => {
      const world = of()
      const platform = await emptied(world)
      const bundle = await bundleOf(world, world.versions.good[0])
      await perform(platform.fetch(bundle))
      await perform(platform.stage(bundle))
      const ended = await run(platform.once(bundle, world.main, world.once.fails), doing())
      expect(ended.code).toBe(3)
      expect(ended.stderr).toContain('no such thing')
    })

    test('writers are stopped and started again', async () => {
      const world = of()
      const platform = await emptied(world)
      await serving(world, world.versions.good[0])
      const door = await platform.door(doing())
      expect(await platform.writers.running(doing())).toBe(true)
      await perform(platform.writers.stop())
      expect(await platform.writers.running(doing())).toBe(false)
      expect((await ask(door, world.path)).failed).toBeDefined()
      await perform(platform.writers.start())
      expect(await platform.writers.running(doing())).toBe(true)
      const answer = await until(
        () => ask(door, world.path),
        ({ failed }) => failed === undefined,
      )
      expect(answer).toMatchObject({ status: 200, version: world.versions.good[0] })
    })

    test('the last lines of a service’s log can be read, also after it crashed, and no more than were asked for', async () => {
      const world = of()
      const platform = await emptied(world)
      const bundle = await bundleOf(world, world.versions.crashes)
      const since = await started(platform, bundle)
      await judged(platform, bundle, since)
      expect(await platform.log(bundle.slot, world.main, 50, doing())).toContain(world.versions.says)
      expect((await platform.log(bundle.slot, world.main, 1, doing())).trim().split('\n')).toHaveLength(1)
    })

    test('another operator’s object sees the same, and can take over', async () => {
      const world = of()
      const bundle = await serving(world, world.versions.good[0], await emptied(world))
      const other = world.platform()
      expect(await other.slot(bundle.slot, doing())).toEqual(await world.platform().slot(bundle.slot, doing()))
      expect((await other.standing(doing())).serving).toBe(bundle.slot)
      await perform(other.stop(bundle.slot))
      expect(await world.platform().slot(bundle.slot, doing())).toMatchObject({ is: 'stopped' })
    })

    test('a cell changes by compare-and-swap: of 20 writers one wins each round, on several objects', async () => {
      const world = of()
      const cells = Array.from({ length: 4 }, () => world.platform().cell('conformance'))
      for (let round = 0; round < 3; round += 1) {
        const { version } = await cells[0]!.read()
        const writes = Array.from({ length: 20 }, (_, n) => cells[n % cells.length]!.write(JSON.stringify({ round, n }), version))
        const ends = await Promise.allSettled(writes)
        const won = ends.flatMap((end, n) => (end.status === 'fulfilled' ? [n] : []))
        expect(won).toHaveLength(1)
        for (const end of ends) if (end.status === 'rejected') expect(end.reason).toMatchObject({ fault: 'conflict' })
        expect((await cells[1]!.read()).body).toBe(JSON.stringify({ round, n: won[0] }))
      }
    })

    test('cells do not mix with each other, and outlive every release', async () => {
      const world = of()
      const platform = await emptied(world)
      const text = 'line\n\n"ünï" end\n'
      const cell = platform.cell('conformance-other')
      await cell.write(text, (await cell.read()).version)
      const bundle = await healthy(world, world.versions.good[0])
      await perform(platform.remove(bundle.slot))
      await perform(platform.tidy([]))
      expect((await world.platform().cell('conformance-other').read()).body).toBe(text)
      expect((await world.platform().cell('conformance-none').read()).body).toBeNull()
    })

    test('where nothing answers, the facts say so instead of throwing', async () => {
      const facts = await of().unreachable().facts(doing())
      expect(facts.state).toBe('unreachable')
      expect(facts.because).toBeTruthy()
    })

    test('where we are not let in, the facts say so instead of throwing', async context => {
      const denied = of().denied
      if (!denied) return context.skip()
      const facts = await denied().facts(doing())
      expect(facts.state).toBe('denied')
      expect(facts.because).toBeTruthy()
    })
  })
}
