import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Seen } from '../../lib/plan/plan.ts'
import type { Service } from '../../lib/platforms/platform.ts'
import { describeWith } from '../testbed/index.ts'
import { type ComposeWorld, composeWorld, put, setServices } from './compose/world.ts'
import { doing, judged, perform, until } from './conformance/kit.ts'

const probe = ['CMD-SHELL', 'wget -q -O - http://127.0.0.1:3000/health']
const health = { healthcheck: { test: probe, interval: '1s', timeout: '5s', start_period: '60s', start_interval: '250ms' } }
const web: Service = { name: 'web', image: 'shop/web', port: 3000, health: '/health', traffic: 'split', twice: 'allowed' }
const task: Service = { name: 'task', image: 'shop/task', traffic: 'none', twice: 'allowed' }
const silent: Service = { name: 'silent', image: 'shop/silent', traffic: 'none', twice: 'allowed' }

describeWith(['docker', 'nginx-image'], 'the verdict of Docker Compose', () => {
  let world: ComposeWorld
  beforeAll(async () => {
    world = await composeWorld()
    for (const version of ['1.0.0', 'crash', 'crash5', 'oom', 'slow']) world.version('shop/web', version)
    for (const version of ['1.0.0', 'task-fails']) world.version('shop/task', version)
    world.version('shop/silent', '1.0.0')
  }, 120_000)
  afterAll(() => world?.close(), 60_000)

  const place = (service: Service, more: object = {}) => ({
    image: `${service.image}:none`,
    restart: 'unless-stopped',
    environment: { KIND: service.name },
    ...more,
  })

  /** Puts services into a slot and gives the verdict, with how long it took from the start. */
  async function verdict(services: Readonly<Record<string, object>>, known: readonly Service[], versions: Record<string, string>, slot = 'green') {
    setServices(world, services)
    const platform = world.platform({ secrets: {} }, known)
    const { bundle, since } = await put(platform, known, versions, slot)
    const seen = await judged(platform, bundle, since)
    return { seen, platform, bundle, since }
  }

  const gone = (slot: string) => perform(world.platform().remove(slot))

  test('a slow start, a task that ends with 0, and a service without a health check are good, whatever crashes in the other slot', async () => {
    setServices(world, { web: place(web, health) })
    const platform = world.platform({ secrets: {} }, [web])
    await put(platform, [web], { web: 'crash' }, 'blue')
    const services = { web: place(web, health), task: place(task, { restart: 'no' }), silent: place(silent) }
    const { seen, bundle, since } = await verdict(services, [web, task, silent], { web: 'slow' })
    expect(seen).toMatchObject({ is: 'settled', because: expect.stringContaining('silent: it has no health check') })
    const { services: state } = await platform.slot('green', doing())
    expect(state).toMatchObject({ web: { healthy: 1, restarts: 0 }, task: { running: 0 }, silent: { running: 1, healthy: 0 } })
    const other = await world.platform({ secrets: {} }, [web, task, silent]).verdict('green', bundle.release, [], since, doing())
    expect(other.is).toBe('settled')
    await gone('blue')
    await gone('green')
  })

  const garbage = (name: string) => {
    const folder = mkdtempSync(join(tmpdir(), 'garbage-'))
    writeFileSync(join(folder, 'app'), 'no program of this machine', { mode: 0o755 })
    execFileSync('docker', ['import', '-c', 'CMD ["/app"]', '-', name], {
      input: execFileSync('tar', ['-C', folder, '-c', 'app']),
      stdio: ['pipe', 'ignore', 'pipe'],
    })
    rmSync(folder, { recursive: true })
  }

  const doomed: readonly [string, () => Promise<{ seen: Seen }>, RegExp][] = [
    [
      'memory that is not there',
      () => verdict({ web: place(web, { mem_limit: '96m', memswap_limit: '96m', ...health }) }, [web], { web: 'oom' }),
      /^web: .*OOM/,
    ],
    [
      'an image that is no program here',
      () => {
        garbage('shop/garbage:1.0.0')
        const garbled = { ...web, image: 'shop/garbage' }
        return verdict({ web: place(garbled) }, [garbled], {})
      },
      /^web: .*exec format error/,
    ],
    ['a task that fails', () => verdict({ task: place(task, { restart: 'no' }) }, [task], { task: 'task-fails' }), /^task: it ended with exit 4/],
    [
      'a service that crashes and is not started again',
      () => verdict({ web: place(web, { restart: 'no', ...health }) }, [web], { web: 'crash' }),
      /^web: it ended with exit 1/,
    ],
  ]
  test.each(doomed)('%s dooms a release at once', async (_, judge, because) => {
    const { seen } = await judge()
    expect(seen.is).toBe('doomed')
    expect(seen.because).toMatch(because)
    await gone('green')
  })

  test('a crash after five seconds is no more taken for well, and its last words are shown', async () => {
    const { seen, platform, bundle, since } = await verdict({ web: place(web, health) }, [web], { web: 'crash5' })
    expect(seen.is).toBe('settled')
    const later = await until(
      () => platform.verdict('green', bundle.release, [], since, doing()),
      ({ is }) => is !== 'settled',
    )
    expect(later.because).toMatch(/^web: /)
    expect(later.look).toContain('boom: the cache went away')
    await gone('green')
  })

  test('a container that somebody removed by hand is missed, and one of somebody’s own is not of the release', async () => {
    const { platform, bundle, since } = await verdict({ web: place(web, health), silent: place(silent) }, [web, silent], {})
    world.engine.docker('rm', '--force', 'shop-green-silent-1')
    const seen = await platform.verdict('green', bundle.release, [], since, doing())
    expect(seen).toMatchObject({ is: 'doomed', because: expect.stringMatching(/^silent of .* does not stand in green/) })
    await gone('green')
  })

  test('deaths from before the moment that counts do not doom a release that runs now', async () => {
    const { platform, bundle } = await verdict({ web: place(web, health) }, [web], {})
    for (const _ of [1, 2]) {
      // A restart by hand, as a death that has long been forgiven.
      world.engine.docker('exec', 'shop-green-web-1', 'sh', '-c', 'kill -9 $(pidof node)')
      await until(
        async () => world.engine.docker('inspect', '--format', '{{.State.Running}} {{.State.Health.Status}}', 'shop-green-web-1'),
        state => state === 'true healthy',
      )
    }
    await sleep(100)
    const since = await platform.time(doing())
    const seen = await until(
      () => platform.verdict('green', bundle.release, [], since, doing()),
      ({ is }) => is !== 'moving',
    )
    expect(seen.is).toBe('settled')
    await gone('green')
  })

  test('an image for another processor is told before anything is started', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'foreign-'))
    execFileSync('docker', ['import', '--platform', 'linux/s390x', '-', 'shop/foreign:1.0.0'], {
      input: execFileSync('tar', ['-C', folder, '-c', '.']),
      stdio: ['pipe', 'ignore', 'pipe'],
    })
    rmSync(folder, { recursive: true })
    const [facts] = await world.platform().images({ web: { image: 'shop/foreign', version: '1.0.0' } }, doing())
    expect(facts).toMatchObject({ state: 'wrong platform', because: expect.stringContaining('linux/s390x') })
  })
})
