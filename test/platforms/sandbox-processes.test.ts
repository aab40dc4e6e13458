import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { run } from '../../lib/exec/process.ts'
import { survivors } from '../../lib/exec/survivors.ts'
import { Secret } from '../../lib/plan/secrets.ts'
import type { Bundle, Platform, Service } from '../../lib/platforms/platform.ts'
import { doing, judged, move, output, perform, releaseId, started, until } from './conformance/kit.ts'
import { ask, asked } from './load.ts'
import { instanceIn, keptIn, proxySays, runs } from './sandbox-kit.ts'
import { type SandboxWorld, sandboxWorld } from './sandbox-world.ts'

const ODD = fileURLToPath(new URL('apps/odd.ts', import.meta.url))
const SECRET = 'correct horse battery staple'

let world: SandboxWorld
beforeEach(async () => {
  world = await sandboxWorld()
})
afterEach(async () => world.close())

const web: Service = { name: 'backend', image: 'odd', port: 3000, health: '/', traffic: 'split', twice: 'allowed' }

/** A sandbox with the odd services, and a bundle of them that is staged. */
async function odd(
  versions: Readonly<Record<string, string>>,
  services: readonly Service[],
  instances = 1,
): Promise<{ platform: Platform; bundle: Bundle }> {
  const scripts = services.map(({ name }) => [name, { script: ODD, versions: [versions[name] ?? ''], instances }] as const)
  const platform = await world.make(services, {
    services: Object.fromEntries(scripts),
    environment: { SHOP_NAME: 'Paper & Ink', TOLD: join(world.folder, 'told') },
  })
  const facts = await platform.images(
    Object.fromEntries(services.map(({ name, image }) => [name, { image, version: versions[name] ?? '' }])),
    doing(),
  )
  const wanted = facts.map(({ service, image, version, digest }) => [service, { image, version, digest }] as const)
  return { platform, bundle: { release: releaseId(), slot: 'blue', services: Object.fromEntries(wanted), ...(await platform.draft(doing())) } }
}

async function stands(versions: Readonly<Record<string, string>>, services: readonly Service[] = [web], instances = 1) {
  const { platform, bundle } = await odd(versions, services, instances)
  const since = await started(platform, bundle)
  const seen = await judged(platform, bundle, since)
  await move(platform, 'blue', 100)
  return { platform, bundle, seen, since }
}

describe('processes', () => {
  test('the keeper, the proxy and the instances belong to no run, so that settling one does not end them', async () => {
    const mark = `r${Math.random()}`
    const { platform, bundle } = await odd({ backend: 'plain' }, [web])
    for (const action of [...platform.stage(bundle), ...platform.start(bundle, [])]) await action.run({ ...doing(), run: mark })
    for (const action of platform.split?.move('blue', 100, 'g1') ?? []) await action.run({ ...doing(), run: mark })
    expect(await survivors(mark)).toEqual([])
    for (const pid of [keptIn(world, 'blue').keeper.pid, (await proxySays(world)).pid, instanceIn(world, 'blue').process?.pid]) {
      expect(readFileSync(`/proc/${pid}/environ`, 'utf8')).not.toContain('RUNBOOKS_RUN')
    }
  })

  test('stopping ends the children of an instance, also those that left its group', async () => {
    const { platform } = await stands({ backend: 'children' })
    const children = JSON.parse(readFileSync(join(world.folder, 'told'), 'utf8')) as number[]
    expect(children.filter(runs)).toHaveLength(2)
    await perform(platform.stop('blue'))
    expect(children.filter(runs)).toEqual([])
  })

  test('an instance that does not end by itself is ended', async () => {
    const { platform } = await stands({ backend: 'stubborn' })
    const pid = instanceIn(world, 'blue').process?.pid ?? 0
    await perform(platform.stop('blue'))
    expect(runs(pid)).toBe(false)
    expect(await platform.slot('blue', doing())).toMatchObject({ is: 'stopped' })
  })

  test('an instance that cannot even be started is doomed at once, with the reason, and started as soon as it can be', async () => {
    const { platform, bundle } = await odd({ backend: 'plain' }, [web])
    await perform(platform.stage(bundle))
    const logs = join(world.folder, 'sandbox', 'releases', bundle.release, 'logs')
    rmSync(logs, { recursive: true })
    await perform(platform.start(bundle, []))
    const seen = await judged(platform, bundle, '2020-01-01T00:00:00Z')
    expect(seen).toMatchObject({ is: 'doomed', because: expect.stringMatching(/backend cannot be started: .*logs/) })
    mkdirSync(logs)
    const state = await until(
      async () => (await platform.slot('blue', doing())).services.backend,
      found => found?.healthy === 1,
    )
    expect(state).toMatchObject({ running: 1, healthy: 1 })
  })

  test('removing everything leaves no process and no slot', async () => {
    const { platform } = await stands({ backend: 'plain' })
    const pids = [keptIn(world, 'blue').keeper.pid, (await proxySays(world)).pid, instanceIn(world, 'blue').process?.pid ?? 0]
    await perform(platform.remove('blue'))
    expect(pids.filter(runs)).toEqual([])
    expect(readdirSync(join(world.folder, 'sandbox', 'slots')).filter(name => name.endsWith('.json'))).toEqual([])
  })

  test('several instances share the traffic, and when one is killed the others answer on', async () => {
    const { platform } = await stands({ backend: 'plain' }, [web], 3)
    const door = await platform.door(doing())
    const pids = async () => new Set((await asked(door, '/', 60)).flatMap(({ body, failed }) => (failed ? [] : [JSON.parse(body).pid as number])))
    const before = await pids()
    expect(before.size).toBe(3)
    const [killed = 0] = before
    process.kill(killed, 'SIGKILL')
    const after = await until(pids, found => found.size === 3 && !found.has(killed))
    expect(after.size).toBe(3)
    expect(after.has(killed)).toBe(false)
  })
})

describe('what a service is given', () => {
  test('its version on argv, its settings as variables, and its secrets as files of mode 0600 that no argv or variable holds', async () => {
    const { platform, bundle } = await stands({ backend: 'plain' })
    const told = JSON.parse((await ask(await platform.door(doing()), '/')).body)
    expect(told).toMatchObject({ service: 'backend', version: 'plain', name: 'Paper & Ink', secret: SECRET })
    expect(told.argv).toEqual(['--version=plain', expect.stringMatching(/^--port=\d+$/)])
    const file = join(world.folder, 'sandbox', 'releases', bundle.release, 'secrets', 'SESSION_KEY')
    expect(statSync(file).mode & 0o777).toBe(0o600)
    for (const pid of [told.pid, keptIn(world, 'blue').keeper.pid]) {
      expect(readFileSync(`/proc/${pid}/environ`, 'utf8') + readFileSync(`/proc/${pid}/cmdline`, 'utf8')).not.toContain('horse')
    }
    expect(JSON.stringify(bundle)).not.toContain('horse')
  })

  test('a secret among the settings is refused, with what to write instead', async () => {
    const refused = world
      .make(undefined, { environment: { SESSION_KEY: new Secret('SESSION_KEY', SECRET) } })
      .then(platform => platform.draft(doing()))
    await expect(refused).rejects.toMatchObject({
      exit: 2,
      message: expect.stringContaining('SESSION_KEY'),
      next: [expect.stringContaining('secrets')],
    })
  })

  test('a changed secret has another fingerprint, and the same one in another sandbox has another too', async () => {
    const { secrets } = await world.platform().draft(doing())
    const changed = await world.make(undefined, { secrets: { SESSION_KEY: `${SECRET}!` } })
    const elsewhere = await world.make(undefined, { directory: join(world.folder, 'elsewhere') })
    for (const other of [changed, elsewhere]) expect((await other.draft(doing())).secrets.SESSION_KEY).not.toBe(secrets.SESSION_KEY)
  })

  test('a command inside a service gets its settings, and its own secrets by stdin', async () => {
    const { platform } = await stands({ backend: 'plain' })
    const print = { file: 'node', argv: ['-p', '[process.env.VERSION, process.env.SHOP_NAME, process.env.PGPASSWORD].join()'] }
    const secrets = { PGPASSWORD: new Secret('PGPASSWORD', 'a\nb c') }
    const command = platform.inside('backend', print, { input: false, secrets })
    expect(JSON.stringify(command)).not.toContain('b c')
    expect((await output(command)).trim()).toBe('plain,Paper & Ink,a\nb c')
    expect((await output(platform.inside('backend', print, { input: false }))).trim()).toBe('plain,Paper & Ink,')
  })

  test('a command of a release that is not staged says so', async () => {
    const { platform, bundle } = await odd({ backend: 'plain' }, [web])
    await expect(run(platform.once(bundle, 'backend', ['node', '-p', '1']), doing())).rejects.toMatchObject({ exit: 3 })
  })
})

describe('services without a health check', () => {
  const { health: _, ...unchecked } = web
  const worker: Service = { name: 'worker', image: 'odd', traffic: 'none', twice: 'allowed' }

  test('are never called healthy for merely running: the verdict waits, says why, and settles once they stay up', async () => {
    const { platform, bundle } = await odd({ backend: 'plain' }, [unchecked])
    const since = await started(platform, bundle)
    const first = await platform.verdict('blue', bundle.release, [], since, doing())
    expect(first).toMatchObject({ is: 'moving', because: expect.stringContaining('no health check') })
    expect(await judged(platform, bundle, since)).toMatchObject({ is: 'settled' })
    expect((await platform.slot('blue', doing())).services.backend).toMatchObject({ running: 1, healthy: 0, restarts: 0 })
  })

  test('a worker that ends with 0 is done, and is not started again', async () => {
    const { platform, bundle, seen } = await stands({ backend: 'plain', worker: 'done' }, [web, worker])
    expect(seen).toMatchObject({ is: 'settled' })
    expect((await platform.slot('blue', doing())).services.worker).toMatchObject({ running: 0, restarts: 0 })
    expect(instanceIn(world, 'blue', 'worker')).toMatchObject({ done: true })
    expect(bundle.services.worker?.version).toBe('done')
  })

  test('a service with a port that ends with 0 is doomed with the second time', async () => {
    const { platform, bundle } = await odd({ backend: 'done' }, [web])
    const since = await started(platform, bundle)
    expect(await judged(platform, bundle, since)).toMatchObject({ is: 'doomed', because: expect.stringContaining('exited 0') })
  })
})

describe('the front door', () => {
  const other: Service = { ...web, name: 'chat' }

  test('the first service is at /, another one at /<name>/, which is taken off', async () => {
    const { platform } = await stands({ backend: 'one', chat: 'two' }, [web, other])
    const door = await platform.door(doing())
    const service = async (path: string) => JSON.parse((await ask(door, path)).body).service
    expect([await service('/'), await service('/chat'), await service('/chat/rooms?x=1'), await service('/chatter')]).toEqual([
      'backend',
      'chat',
      'chat',
      'backend',
    ])
  })

  test('bodies go through both ways as they are, and connections are kept', async () => {
    const { platform } = await stands({ backend: 'plain' })
    const body = randomBytes(1_000_000)
    const answer = await fetch((await platform.door(doing())).url, { method: 'POST', body })
    expect(answer.headers.get('connection')).toBe('keep-alive')
    expect(Buffer.from(await answer.arrayBuffer()).equals(body)).toBe(true)
  })

  test('no user can choose a slot without the token', async () => {
    const { platform } = await stands({ backend: 'plain' })
    const headers = await platform.split?.track('green', doing())
    const door = await platform.door(doing())
    // With the token the empty slot is asked, and nobody is there.
    expect((await ask(door, '/', { headers: headers ?? {} })).status).toBe(503)
    expect((await ask(door, '/', { headers: { 'x-runbooks-track': 'green.guess' } })).status).toBe(200)
  })

  test('a WebSocket works, counts as under way, and ends in its slot', async () => {
    const { platform } = await stands({ backend: 'plain' })
    const socket = await new Promise<Duplex>((resolve, reject) => {
      const headers = {
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-key': Buffer.from('0123456789abcdef').toString('base64'),
        'sec-websocket-version': '13',
      }
      const upgrade = request({ host: '127.0.0.1', port: world.port, path: '/', headers })
      upgrade
        .on('upgrade', (_, opened) => resolve(opened))
        .on('error', reject)
        .end()
    })
    const echoed = new Promise<string>(resolve => socket.once('data', chunk => resolve(String(chunk))))
    socket.write('hello')
    expect(await echoed).toBe('hello')
    expect(await platform.split?.drained('blue', doing())).toMatchObject({ is: 'moving', state: { open: 1 } })
    socket.destroy()
    const seen = await until(
      async () => platform.split?.drained('blue', doing()),
      answer => answer?.is === 'settled',
    )
    expect(seen).toMatchObject({ is: 'settled', state: { open: 0 } })
  })

  test('a slot where nothing answers gets no traffic', async () => {
    const { platform } = await stands({ backend: 'plain' })
    await expect(move(platform, 'green', 50)).rejects.toMatchObject({ exit: 4, message: expect.stringContaining('green') })
    expect(await platform.split?.served(doing())).toMatchObject({ share: { blue: 100, green: 0 } })
  }, 90_000)
})
