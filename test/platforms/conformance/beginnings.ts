import { describe, expect, test } from 'vitest'
import type { WorldOf } from '../conformance.ts'
import { ask } from '../load.ts'
import { bundleOf, doing, emptied, healthy, perform, serving, started, wantedOf } from './kit.ts'

/** From nothing to the first release. */
export function beginnings(of: WorldOf): void {
  describe('from nothing to the first release', () => {
    test('says what it is, where, with which tools, and how much room is left', async () => {
      const platform = of().platform()
      const facts = await platform.facts(doing())
      expect(facts).toMatchObject({ where: platform.where, state: 'answers' })
      expect(facts.tools.length).toBeGreaterThan(0)
      for (const tool of facts.tools) expect(tool).toMatchObject({ name: expect.stringMatching(/./), version: expect.stringMatching(/\d/) })
      expect(facts.freeBytes).toBeGreaterThan(0)
    })

    test('an empty platform says that nothing stands and nothing serves, and names the slot for the first release', async () => {
      const standing = await (await emptied(of())).standing(doing())
      expect(standing.serving).toBeNull()
      expect(standing.slots[standing.idle]).toEqual({ release: null, is: 'absent', services: {} })
      for (const slot of Object.values(standing.slots)) expect(slot).toMatchObject({ release: null, is: 'absent' })
    })

    test('looking changes nothing: two looks see the same', async () => {
      const platform = await emptied(of())
      expect(await platform.standing(doing())).toEqual(await platform.standing(doing()))
      expect(await platform.draft(doing())).toEqual(await platform.draft(doing()))
    })

    test('an image that is there is told from one that is missing, and the missing one says so', async () => {
      const world = of()
      const [{ name, image } = { name: '', image: '' }] = world.services.filter(service => service.name === world.main)
      const look = async (version: string) => (await world.platform().images({ [name]: { image, version } }, doing()))[0]
      expect(await look(world.versions.good[0])).toMatchObject({ service: name, state: expect.stringMatching(/^(present|pullable)$/) })
      const missing = await look(world.versions.missing)
      expect(missing).toMatchObject({ service: name, version: world.versions.missing, state: 'missing' })
      expect(missing?.because).toContain(world.versions.missing)
    })

    test('two versions have different digests, and a version has the same each time', async () => {
      const world = of()
      const platform = world.platform()
      const [one, two] = [await wantedOf(world, platform, world.versions.good[0]), await wantedOf(world, platform, world.versions.good[1])]
      expect(await wantedOf(world, platform, world.versions.good[0])).toEqual(one)
      expect(one[world.main]?.digest).not.toBe(null)
      expect(two[world.main]?.digest).not.toBe(one[world.main]?.digest)
    })

    test('after fetching, every image of a bundle is there', async () => {
      const world = of()
      const platform = await emptied(world)
      const bundle = await bundleOf(world, world.versions.good[0])
      await perform(platform.fetch(bundle))
      expect(await platform.fetched(bundle, doing())).toEqual(Object.fromEntries(world.services.map(({ name }) => [name, true])))
    })

    test('a good release that is started becomes healthy, with the version and digest that were asked for', async () => {
      const world = of()
      const platform = await emptied(world)
      const bundle = await healthy(world, world.versions.good[0])
      const slot = await platform.slot(bundle.slot, doing())
      expect(slot).toMatchObject({ release: bundle.release, is: 'running' })
      expect(Object.keys(slot.services).sort()).toEqual(world.services.map(({ name }) => name).sort())
      for (const { name, health } of world.services) {
        const { version, digest } = bundle.services[name] ?? {}
        const state = slot.services[name]
        expect(state).toMatchObject({ version, digest, restarts: 0 })
        expect(state?.running).toBe(state?.wanted)
        expect(state?.healthy).toBe(health === undefined ? 0 : state?.wanted)
      }
    })

    test('the first release that has the traffic is served at the front door', async () => {
      const world = of()
      const platform = await emptied(world)
      const bundle = await serving(world, world.versions.good[0])
      expect(await ask(await platform.door(doing()), world.path)).toMatchObject({ status: 200, version: world.versions.good[0] })
      expect((await platform.standing(doing())).serving).toBe(bundle.slot)
    })

    test('starting what runs already changes nothing', async () => {
      const world = of()
      const platform = await emptied(world)
      const bundle = await serving(world, world.versions.good[0])
      const before = await platform.slot(bundle.slot, doing())
      await started(platform, bundle)
      expect(await platform.slot(bundle.slot, doing())).toEqual(before)
    })
  })
}
