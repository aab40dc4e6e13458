import { appendFileSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Trouble } from '../../lib/plan/outcome.ts'
import type { Doing } from '../../lib/plan/plan.ts'
import { Secret } from '../../lib/plan/secrets.ts'
import { envFile } from '../../lib/platforms/compose/site.ts'
import type { Bundle, Platform } from '../../lib/platforms/platform.ts'
import { describeWith } from '../testbed/index.ts'
import { freePort } from '../testbed/ports.ts'
import { type ComposeWorld, composeWorld, put, TOKEN } from './compose/world.ts'
import { doing, judged, move, perform, until } from './conformance/kit.ts'
import { ask } from './load.ts'

describeWith(['docker', 'nginx-image'], 'Docker Compose when things go wrong', () => {
  let world: ComposeWorld
  let platform: Platform
  let live: Bundle
  const prints: string[] = []
  const listening = (): Doing => ({ ...doing(), spawned: ({ prints: line }) => void prints.push(line) })
  beforeAll(async () => {
    world = await composeWorld()
    for (const { image } of world.services) for (const version of ['1.0.0', '1.1.0']) world.version(image, version)
    platform = world.platform()
    const { bundle, since } = await put(platform, world.services, {}, 'blue')
    expect((await judged(platform, bundle, since)).is).toBe('settled')
    await move(platform, 'blue', 100)
    live = bundle
  }, 120_000)
  afterAll(() => world?.close(), 60_000)

  const answer = async () => ask(await platform.door(doing()), '/')
  const served = () =>
    until(
      async () => (await platform.standing(doing())).serving,
      slot => slot === 'blue',
    )

  test('a secret reaches its service whole, and stands in no command line and in nothing that docker shows', async () => {
    const { body } = await ask(await platform.door(doing()), '/secret')
    expect(body).toBe(TOKEN)
    const shown = world.engine.docker('inspect', ...world.engine.docker('ps', '-aq').split('\n'))
    const { release } = live
    for (const action of [...platform.stage({ ...live, release: `${release}b` }), ...platform.unstage(`${release}b`)]) {
      prints.push(action.prints)
      await action.run(listening())
    }
    expect(prints.length).toBeGreaterThan(2)
    for (const text of [shown, ...prints]) expect(text).not.toMatch(/line one|line two/)
    const folder = join(world.directory, '.runbooks')
    expect(statSync(folder).mode & 0o777).toBe(0o700)
    expect(statSync(join(folder, 'releases', release)).mode & 0o777).toBe(0o700)
    expect(statSync(join(folder, 'releases', release, 'release.env')).mode & 0o777).toBe(0o600)
  })

  test('a file that nginx does not take is refused with its words, and the old weights go on', async () => {
    const before = await platform.split?.served(doing())
    const file = join(world.directory, '.runbooks/edge/files/nginx/nginx.conf')
    const text = readFileSync(file, 'utf8')
    writeFileSync(file, text.replace('listen 8080;', 'listen 8080; lissen 9;'))
    await expect(move(platform, 'green', 100)).rejects.toThrow(/unknown directive "lissen"/)
    writeFileSync(file, text)
    expect(readFileSync(join(world.directory, '.runbooks/traffic/split.conf'), 'utf8')).toContain(`'${before?.generation}'`)
    expect(await platform.split?.served(doing())).toEqual(before)
    expect(await move(platform, 'blue', 100)).toBe((await platform.split?.served(doing()))?.generation)
  })

  test('with nginx down nothing serves, the release behind it is not taken for idle, and putting it there again opens the door', async () => {
    world.engine.docker('stop', 'shop-nginx-1')
    const standing = await platform.standing(doing())
    expect(standing).toMatchObject({ serving: null, idle: 'green', slots: { blue: { is: 'running', release: live.release } } })
    await expect(move(platform, 'green', 100)).rejects.toThrow(/no nginx runs/)
    await perform(platform.start(live, []))
    expect(await served()).toBe('blue')
  })

  test('containers that stand still, as after a reboot, are said to be stopped, and are started again', async () => {
    world.engine.docker('kill', 'shop-blue-web-1', 'shop-blue-worker-1')
    expect(await platform.standing(doing())).toMatchObject({
      serving: null,
      idle: 'green',
      slots: { blue: { is: 'stopped', release: live.release } },
    })
    expect((await platform.verdict('blue', live.release, [], '2026-01-01T00:00:00Z', doing())).is).toBe('doomed')
    await perform(platform.start(live, []))
    expect(await served()).toBe('blue')
  })

  test('a Docker that is gone is unknown, never empty; once it is back, what stands is known again, and is started', async () => {
    world.engine.killEngine()
    expect(await platform.facts(doing())).toMatchObject({ state: 'unreachable', because: expect.stringMatching(/docker/i) })
    await expect(platform.standing(doing())).rejects.toMatchObject({ exit: 8 })
    await expect(platform.verdict('blue', live.release, [], new Date().toISOString(), doing())).rejects.toMatchObject({ exit: 8 })
    await world.engine.start()
    // Whether containers run on, are started again or are left as they are is the engine's affair; what is said of them is not.
    const there = world.engine.docker('ps', '--quiet', '--filter', 'label=com.docker.compose.project=shop-blue')
    expect(await platform.slot('blue', doing())).toMatchObject({ release: live.release, is: there === '' ? 'stopped' : 'running' })
    await perform(platform.start(live, []))
    expect(await served()).toBe('blue')
    expect((await until(answer, ({ status }) => status === 200)).version).toBe('1.0.0')
  })

  test('a port that is taken is said with Docker’s words, and nothing of the release runs', async () => {
    const port = await freePort()
    const taken = createServer().listen(port, '127.0.0.1')
    const environment = { NGINX_IMAGE: world.engine.base(), HTTP_PORT: String(port) }
    const other = world.platform({ project: 'other', directory: join(world.directory, 'other'), door: `http://127.0.0.1:${port}`, environment })
    await expect(put(other, world.services, {}, 'blue')).rejects.toThrow(/address already in use|port is already allocated/)
    taken.close()
    expect((await other.slot('blue', doing())).is).toBe('absent')
  })

  test('a file with a typo, a service that is not in it and a secret that nobody gives are refused before anything is touched', async () => {
    const file = join(world.files, 'app.yaml')
    const text = readFileSync(file, 'utf8')
    writeFileSync(file, text.replace('restart: unless-stopped', 'restrat: unless-stopped'))
    const typo = await platform.draft(doing()).catch((cause: unknown) => cause)
    expect(typo).toBeInstanceOf(Trouble)
    expect(typo).toMatchObject({ exit: 3, message: expect.stringMatching(/app\.yaml is not valid: .*restrat/) })
    writeFileSync(file, text)
    const more = world.platform({}, [...world.services, { name: 'mailer', image: 'shop/mailer', traffic: 'none', twice: 'allowed' }])
    await expect(more.draft(doing())).rejects.toMatchObject({ exit: 3, message: expect.stringContaining('no service mailer') })
    await expect(world.platform({ secrets: {} }).draft(doing())).rejects.toMatchObject({ exit: 3, message: expect.stringContaining('secret token') })
  })

  test('a secret that has changed since the draft is named, and nothing is written', async () => {
    const other = world.platform({ secrets: { token: new Secret('TOKEN', 'another token') } })
    const bundle = { ...live, release: 'r20261121changed' }
    await expect(perform(other.stage(bundle))).rejects.toMatchObject({ exit: 3, message: expect.stringContaining('secret token') })
    expect(await other.staged(bundle.release, doing())).toBeNull()
  })

  test('a changed file of the edge is said, and not applied', async () => {
    await platform.draft(doing())
    expect(platform.caution).toBeUndefined()
    appendFileSync(join(world.files, 'nginx/nginx.conf'), '# changed\n')
    await platform.draft(doing())
    expect(platform.caution).toContain('nginx/nginx.conf')
  })

  test('values of variables arrive as they are, whatever is in them', () => {
    const values = {
      A: `it's "so" $HOME \\n #x`,
      B: 'two\nlines\t$$ `x`',
      C: '',
      D: ' spaces ',
      E: '$' + '{A}',
      F: "only 'quotes'",
      G: 'back\\slash',
    }
    const env = join(world.directory, 'values.env')
    const file = join(world.directory, 'values.yaml')
    writeFileSync(env, envFile(values))
    const names = Object.keys(values)
    writeFileSync(
      file,
      JSON.stringify({ services: { it: { image: 'x', environment: Object.fromEntries(names.map(name => [name, `\${${name}}`])) } } }),
    )
    const config = JSON.parse(world.engine.docker('compose', '--env-file', env, '-f', file, 'config', '--format', 'json', '--no-interpolate=false'))
    // What Compose prints is meant to be read by it again: a dollar is doubled.
    const seen = Object.fromEntries(names.map(name => [name, String(config.services.it.environment[name] ?? '').replaceAll('$$', '$')]))
    expect(seen).toEqual(values)
  })
})
