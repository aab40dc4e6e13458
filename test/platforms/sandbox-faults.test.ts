import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Trouble } from '../../lib/plan/outcome.ts'
import { bundleOf, doing, healthy, judged, move, perform, serving, started, until } from './conformance/kit.ts'
import { ask, load } from './load.ts'
import { instanceIn, keptIn, killed, pidsIn, proxySays, runs } from './sandbox-kit.ts'
import { type SandboxWorld, sandboxWorld, takenPort } from './sandbox-world.ts'

let world: SandboxWorld
beforeEach(async () => {
  world = await sandboxWorld()
})
afterEach(async () => world.close())

const slotFile = (name: string) => join(world.folder, 'sandbox', 'slots', name)
const splitFile = () => join(world.folder, 'sandbox', 'split.json')
const door = () => world.platform().door(doing())
const main = async (slot: string) => (await world.platform().slot(slot, doing())).services[world.main]
const refusal = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (cause: unknown) => cause,
  )

describe('when the keeper of a slot is killed', () => {
  test('its instances go on serving, everybody says that nobody watches, and starting takes them over as they are', async () => {
    const bundle = await serving(world, '1.0.0')
    const before = instanceIn(world, bundle.slot)
    const running = load(await door(), '/')
    await killed(keptIn(world, bundle.slot).keeper.pid)
    const says = await until(
      () => main(bundle.slot),
      state => state?.because !== undefined,
    )
    expect(says).toMatchObject({ running: 1, healthy: 0, because: expect.stringContaining('keeper is gone') })
    expect(await world.platform().verdict(bundle.slot, bundle.release, [], '2020-01-01T00:00:00Z', doing())).toMatchObject({
      is: 'doomed',
      because: expect.stringContaining('keeper'),
    })
    const since = await started(world.platform(), bundle)
    expect(await judged(world.platform(), bundle, since)).toMatchObject({ is: 'settled' })
    expect(instanceIn(world, bundle.slot).process).toEqual(before.process)
    expect(await main(bundle.slot)).toMatchObject({ running: 1, healthy: 1, restarts: 0 })
    expect((await running.stop()).failures).toEqual([])
  })

  test('an instance that ends meanwhile is started again by the next keeper, which a move brings back too', async () => {
    const bundle = await serving(world, '1.0.0')
    await killed(keptIn(world, bundle.slot).keeper.pid)
    const { pid } = instanceIn(world, bundle.slot).process ?? { pid: 0 }
    await killed(pid)
    expect((await world.platform().slot(bundle.slot, doing())).services[world.main]).toMatchObject({ running: 0 })
    await move(world.platform(), bundle.slot, 100)
    expect(
      await until(
        () => main(bundle.slot),
        state => state?.healthy === 1,
      ),
    ).toMatchObject({ running: 1, restarts: 1 })
    expect(await ask(await door(), '/')).toMatchObject({ status: 200, version: '1.0.0' })
  })

  test('stopping and removing end what it has left', async () => {
    const bundle = await serving(world, '1.0.0')
    const pids = pidsIn(world, bundle.slot)
    await killed(keptIn(world, bundle.slot).keeper.pid)
    await perform(world.platform().stop(bundle.slot))
    expect(pids.filter(runs)).toEqual([])
    expect(await world.platform().slot(bundle.slot, doing())).toMatchObject({ is: 'stopped', release: bundle.release })
  })
})

describe('when a keeper died before it wrote down what it had started', () => {
  test('the next one ends that, and runs one instance of its own', async () => {
    const bundle = await serving(world, '1.0.0')
    const { keeper, ...kept } = keptIn(world, 'blue')
    await killed(keeper.pid)
    const lost = instanceIn(world, 'blue').process?.pid ?? 0
    const instances = kept.instances.map(one => (one.service === world.main ? { ...one, process: null, health: null } : one))
    writeFileSync(slotFile('blue.state.json'), JSON.stringify({ ...kept, keeper, instances }))
    await started(world.platform(), bundle)
    expect(
      await until(
        () => main('blue'),
        state => state?.healthy === 1,
      ),
    ).toMatchObject({ running: 1 })
    expect(runs(lost)).toBe(false)
    expect(instanceIn(world, 'blue').process?.pid).not.toBe(lost)
  })
})

describe('when the folder is removed', () => {
  test('the keeper, the proxy and the instances end by themselves, and the folder does not come back', async () => {
    await serving(world, '1.0.0')
    const all = [keptIn(world, 'blue').keeper.pid, (await proxySays(world)).pid, ...pidsIn(world, 'blue')]
    rmSync(join(world.folder, 'sandbox'), { recursive: true, force: true })
    expect(
      await until(
        async () => all.filter(runs),
        left => left.length === 0,
      ),
    ).toEqual([])
    expect(existsSync(join(world.folder, 'sandbox'))).toBe(false)
  })
})

describe('when an instance ends by itself', () => {
  test('it is started again, which is counted, and serves again', async () => {
    const bundle = await serving(world, '1.0.0')
    process.kill(instanceIn(world, bundle.slot).process?.pid ?? 0, 'SIGKILL')
    expect(
      await until(
        () => main(bundle.slot),
        state => state?.restarts === 1 && state.healthy === 1,
      ),
    ).toMatchObject({ running: 1, restarts: 1, healthy: 1 })
    expect(instanceIn(world, bundle.slot).exits).toMatchObject([{ code: null, signal: 'SIGKILL' }])
    expect(await ask(await door(), '/')).toMatchObject({ status: 200 })
  })
})

describe('when the proxy is killed', () => {
  test('nothing serves, which is said, and the next move opens the door again', async () => {
    const bundle = await serving(world, '1.0.0')
    await killed((await proxySays(world)).pid)
    expect(
      await until(
        () => world.platform().standing(doing()),
        ({ serving: at }) => at === null,
      ),
    ).toMatchObject({ serving: null })
    expect(await world.platform().split?.served(doing())).toMatchObject({ generation: null })
    expect(await world.platform().split?.drained(bundle.slot, doing())).toMatchObject({ is: 'settled' })
    const generation = await move(world.platform(), bundle.slot, 100)
    expect(await world.platform().split?.served(doing())).toEqual({ share: { blue: 100, green: 0 }, generation })
  })

  test('starting the slot opens the door with the weights that were', async () => {
    const bundle = await serving(world, '1.0.0')
    const { pid, generation } = await proxySays(world)
    await killed(pid)
    await started(world.platform(), bundle)
    expect(await world.platform().split?.served(doing())).toEqual({ share: { blue: 100, green: 0 }, generation })
  })
})

describe('when another program has the port', () => {
  test('the facts refuse it beforehand, and starting says which port it is and how to find the program', async () => {
    const { port, server } = await takenPort()
    const platform = await world.make(undefined, { port })
    expect(await platform.facts(doing())).toMatchObject({ state: 'denied', because: expect.stringContaining(String(port)) })
    const bundle = await bundleOf(world, '1.0.0', 'blue', platform)
    const refused = await refusal(started(platform, bundle))
    expect(refused).toBeInstanceOf(Trouble)
    expect(refused).toMatchObject({
      exit: 4,
      message: expect.stringMatching(new RegExp(`${port}.*EADDRINUSE`, 's')),
      next: [expect.stringContaining(`:${port}`), expect.anything()],
    })
    expect((await platform.standing(doing())).serving).toBeNull()
    server.close()
    await started(platform, bundle)
    await move(platform, 'blue', 100)
    expect(await ask(await platform.door(doing()), '/')).toMatchObject({ status: 200 })
  })
})

describe('when files are damaged', () => {
  test('a damaged slot file is said, with its name, and never taken for an empty slot; what runs goes on, and removing heals', async () => {
    const bundle = await serving(world, '1.0.0')
    const pids = pidsIn(world, bundle.slot)
    writeFileSync(slotFile('blue.json'), '{"release": "20')
    expect(await refusal(world.platform().standing(doing()))).toMatchObject({ exit: 8, message: expect.stringContaining('blue.json') })
    expect(await ask(await door(), '/')).toMatchObject({ status: 200 })
    await perform(world.platform().remove('blue'))
    expect(pids.filter(runs)).toEqual([])
    expect(await world.platform().standing(doing())).toMatchObject({ serving: null, slots: { blue: { is: 'absent' } } })
  })

  test('what a keeper has seen is written anew, and no request is lost meanwhile', async () => {
    const bundle = await serving(world, '1.0.0')
    const running = load(await door(), '/')
    writeFileSync(slotFile('blue.state.json'), '\0\0\0')
    expect(
      await until(
        () => main(bundle.slot),
        state => state?.healthy === 1,
      ),
    ).toMatchObject({ running: 1, restarts: 0 })
    expect((await running.stop()).failures).toEqual([])
  })

  test('a damaged split changes no weight, and the next move writes it anew', async () => {
    const bundle = await serving(world, '1.0.0')
    const running = load(await door(), '/')
    writeFileSync(splitFile(), 'weights: blue')
    await until(
      async () => running.sent(),
      sent => sent > 200,
    )
    const generation = await move(world.platform(), bundle.slot, 100)
    expect(await world.platform().split?.served(doing())).toMatchObject({ generation })
    expect((await running.stop()).failures).toEqual([])
  })
})

describe('when the machine was started anew', () => {
  test('a slot whose processes are all gone is told from a healthy one, and comes back with its traffic', async () => {
    const bundle = await serving(world, '1.0.0')
    const all = [keptIn(world, 'blue').keeper.pid, (await proxySays(world)).pid, ...pidsIn(world, 'blue')]
    for (const pid of all) process.kill(pid, 'SIGKILL')
    await until(
      async () => all.filter(runs),
      left => left.length === 0,
    )
    // The kernel gives each start of the machine another id.
    for (const folder of ['slots', 'state']) {
      for (const name of readdirSync(join(world.folder, 'sandbox', folder))) {
        const file = join(world.folder, 'sandbox', folder, name)
        writeFileSync(file, readFileSync(file, 'utf8').replace(/("boot": ?")[^"]*/g, '$1another-start-of-the-machine'))
      }
    }
    const standing = await world.platform().standing(doing())
    expect(standing).toMatchObject({ serving: null, idle: 'green', slots: { blue: { release: bundle.release, is: 'stopped' } } })
    expect(standing.slots.blue?.services[world.main]).toMatchObject({ wanted: 1, running: 0, because: expect.stringContaining('started anew') })
    const since = await started(world.platform(), bundle)
    expect(await judged(world.platform(), bundle, since)).toMatchObject({ is: 'settled' })
    expect(await ask(await door(), '/')).toMatchObject({ status: 200, version: '1.0.0' })
    expect(await main('blue')).toMatchObject({ restarts: 0 })
  })
})

describe('two operators at once', () => {
  test('who start the same release get one keeper, one proxy and one instance of each service', async () => {
    const bundle = await bundleOf(world, '1.0.0', 'blue')
    await perform(world.platform().stage(bundle))
    await Promise.all([1, 2, 3].map(() => perform(world.platform().start(bundle, []))))
    await until(
      () => main('blue'),
      state => state?.healthy === 1,
    )
    const mark = `RUNBOOKS_SLOT=${join(world.folder, 'sandbox')}#blue`
    const marked = readdirSync('/proc').filter(name => {
      try {
        return /^\d+$/.test(name) && runs(Number(name)) && readFileSync(`/proc/${name}/environ`, 'utf8').split('\0').includes(mark)
      } catch {
        return false
      }
    })
    expect(marked).toHaveLength(2)
    expect(marked.map(Number).sort()).toEqual(pidsIn(world, 'blue').sort())
  })

  test('who move the traffic at once end with one of their weights, and no request is lost', async () => {
    await serving(world, '1.0.0')
    await healthy(world, '1.1.0')
    const running = load(await door(), '/')
    // The slower one may find that its generation was replaced already: that is told, as a failure.
    await Promise.allSettled([move(world.platform(), 'blue', 100), move(world.platform(), 'green', 100)])
    const { share } = (await world.platform().split?.served(doing())) ?? { share: {} }
    expect([
      { blue: 100, green: 0 },
      { blue: 0, green: 100 },
    ]).toContainEqual(share)
    expect((await running.stop()).failures).toEqual([])
  }, 90_000)
})
