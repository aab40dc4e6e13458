import { chmodSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Secret } from '../../lib/plan/secrets.ts'
import type { Bundle, Platform } from '../../lib/platforms/platform.ts'
import { describeWith, type Sshd, sshd } from '../testbed/index.ts'
import { type ComposeWorld, composeWorld, put, TOKEN } from './compose/world.ts'
import { doing, judged, move, output, perform } from './conformance/kit.ts'
import { ask, load } from './load.ts'

describeWith(['docker', 'nginx-image', 'ssh'], 'Docker Compose on a host behind ssh', () => {
  let world: ComposeWorld
  let server: Sshd
  let platform: Platform
  let live: Bundle
  const there = () =>
    world.platform({ host: `ssh://${server.user}@127.0.0.1:${server.port}`, key: new Secret('SSH_KEY', server.key), knownHosts: server.knownHosts })

  beforeAll(async () => {
    world = await composeWorld()
    // An ordinary user who may use Docker, and has a folder for the stack.
    chmodSync(world.engine.folder, 0o711)
    chmodSync(join(world.engine.folder, 'docker.sock'), 0o666)
    chmodSync(dirname(world.directory), 0o711)
    chmodSync(world.directory, 0o777)
    server = await sshd({ settings: { SetEnv: `DOCKER_HOST=${world.engine.address}` } })
    for (const { image } of world.services) for (const version of ['1.0.0', '1.1.0']) world.version(image, version)
    platform = there()
  }, 120_000)
  afterAll(async () => {
    await platform?.close?.()
    await server?.stop()
    await world?.close()
  }, 60_000)

  test('an ordinary user puts a release there, and it is served through the front door of the host', async () => {
    expect(await platform.facts(doing())).toMatchObject({ state: 'answers', where: expect.stringContaining(`ssh://${server.user}@`) })
    expect(await platform.standing(doing())).toMatchObject({ serving: null, slots: { blue: { is: 'absent' } } })
    const { bundle, since } = await put(platform, world.services, {}, 'blue')
    expect(await judged(platform, bundle, since)).toMatchObject({ is: 'settled' })
    await move(platform, 'blue', 100)
    const door = await platform.door(doing())
    expect(await ask(door, '/')).toMatchObject({ status: 200, version: '1.0.0' })
    expect(await ask(door, '/secret')).toMatchObject({ body: TOKEN })
    expect(statSync(join(world.directory, '.runbooks')).mode & 0o777).toBe(0o700)
    expect((await platform.standing(doing())).serving).toBe('blue')
    live = bundle
  })

  test('another release takes over without a failed request, seen by another operator, and the first is stopped', async () => {
    const running = load({ url: world.door, headers: {} }, '/')
    const { bundle, since } = await put(platform, world.services, { web: '1.1.0', worker: '1.1.0' }, 'green')
    expect(await judged(platform, bundle, since)).toMatchObject({ is: 'settled' })
    expect(await ask(await platform.door(doing()), '/', { headers: (await platform.split?.track('green', doing())) ?? {} })).toMatchObject({
      version: '1.1.0',
    })
    await move(platform, 'green', 100)
    const { failures } = await running.stop()
    expect(failures).toEqual([])
    const other = there()
    expect(await other.split?.served(doing())).toMatchObject({ share: { green: 100 } })
    await perform(other.stop('blue'))
    expect(await other.slot('blue', doing())).toMatchObject({ release: live.release, is: 'stopped' })
    await other.close?.()
  })

  test('commands run in a throw-away container and in a service that serves, with secrets as variables', async () => {
    expect(await output(platform.once(live, 'web', ['node', '/app.mjs', 'version']))).toContain('1.0.0')
    const echo = { file: 'sh', argv: ['-c', 'echo "$WORD of $APP_VERSION"'] }
    expect(await output(platform.inside('web', echo, { secrets: { WORD: new Secret('WORD', 'two\nlines') }, input: false }))).toBe(
      'two\nlines of 1.1.0\n',
    )
  })

  test('state is kept on the host', async () => {
    const cell = platform.cell('release')
    await cell.write('{"held":true}', (await cell.read()).version)
    expect((await there().cell('release').read()).body).toBe('{"held":true}')
  })

  test('a host that does not let us in is denied, and one that is not there is unreachable', async () => {
    const stranger = world.platform({
      host: `ssh://${server.user}@127.0.0.1:${server.port}`,
      knownHosts: server.knownHosts,
      key: new Secret('SSH_KEY', 'no key\n'),
    })
    expect(await stranger.facts(doing())).toMatchObject({ state: 'denied' })
    expect(await world.platform({ host: 'ssh://nobody@127.0.0.1:9' }).facts(doing())).toMatchObject({ state: 'unreachable' })
  })
})
