import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Secret } from '../../lib/plan/secrets.ts'
import type { Bundle } from '../../lib/platforms/platform.ts'
import { describeWith } from '../testbed/index.ts'
import { type Registry, registry } from '../testbed/registry.ts'
import { type ComposeWorld, composeWorld } from './compose/world.ts'
import { doing, perform } from './conformance/kit.ts'

describeWith(['docker', 'nginx-image', 'registry'], 'images in a registry that asks who one is', () => {
  let images: Registry
  let world: ComposeWorld
  let config: string
  beforeAll(async () => {
    images = await registry({ asks: true })
    world = await composeWorld(`${images.name}/`)
    config = mkdtempSync(join(tmpdir(), 'pusher-'))
    execFileSync('docker', ['--config', config, 'login', '--username', images.user, '--password-stdin', images.name], {
      input: images.password,
      stdio: ['pipe', 'ignore', 'pipe'],
    })
    push('1.0.0', 'one')
    push('1.1.0', 'two')
  }, 120_000)
  afterAll(async () => {
    rmSync(config, { recursive: true, force: true })
    await world?.close()
    await images?.stop()
  }, 60_000)

  const image = () => `${images.name}/shop/web`

  /** Puts a small image of this content there, and forgets it here. */
  function push(version: string, content: string): void {
    const folder = mkdtempSync(join(tmpdir(), 'content-'))
    writeFileSync(join(folder, 'content'), content)
    execFileSync('docker', ['import', '-', `${image()}:${version}`], {
      input: execFileSync('tar', ['-C', folder, '-c', 'content']),
      stdio: ['pipe', 'ignore', 'pipe'],
    })
    world.engine.docker('--config', config, 'push', '--quiet', `${image()}:${version}`)
    world.engine.docker('rmi', `${image()}:${version}`)
    rmSync(folder, { recursive: true })
  }

  const known = (password = images.password) =>
    world.platform({ registry: { server: images.name, username: images.user, password: new Secret('REGISTRY_PASSWORD', password) } })
  const look = async (platform: ReturnType<typeof known>, version: string, name = image()) =>
    (await platform.images({ web: { image: name, version } }, doing()))[0]
  const bundle = (version: string, digest: string | null): Bundle => ({
    release: 'r1',
    slot: 'blue',
    services: { web: { image: image(), version, digest } },
    files: {},
    secrets: {},
  })

  test('an image is found by its digest and size without being pulled', async () => {
    const facts = await look(known(), '1.0.0')
    expect(facts).toMatchObject({ state: 'pullable', digest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/) })
    expect(facts?.sizeBytes).toBeGreaterThan(100)
    expect(world.engine.docker('images', '--quiet', image())).toBe('')
  })

  test('a tag that is not there is missing, which is another thing than a registry that is not', async () => {
    expect(await look(known(), '9.9.9')).toMatchObject({ state: 'missing', because: expect.stringContaining('9.9.9') })
    expect(await look(world.platform(), '1.0.0', '127.0.0.1:9/shop/web')).toMatchObject({ state: 'unreachable' })
  })

  test('without a login, and with a wrong one, it is denied with what mends it; the password is nowhere', async () => {
    expect(await look(world.platform(), '1.0.0')).toMatchObject({ state: 'denied', mend: expect.stringContaining('registry:') })
    const wrong = await look(known('not the password'), '1.0.0')
    expect(wrong).toMatchObject({ state: 'denied', mend: expect.stringMatching(/password/) })
    expect(JSON.stringify(wrong)).not.toContain('not the password')
  })

  test('a login leaves nothing behind, and the user’s own stays as it was', async () => {
    const own = join(homedir(), '.docker/config.json')
    const had = existsSync(own)
    const scratch = mkdtempSync(join(tmpdir(), 'scratch-'))
    process.env.TMPDIR = scratch
    try {
      expect(await look(known(), '1.0.0')).toMatchObject({ state: 'pullable' })
      expect(await look(known('wrong again'), '1.0.0')).toMatchObject({ state: 'denied' })
    } finally {
      delete process.env.TMPDIR
    }
    expect(readdirSync(scratch)).toEqual([])
    rmSync(scratch, { recursive: true })
    expect(existsSync(own)).toBe(had)
  })

  test('what is fetched is the digest of the release, also after its tag was moved; fetching again pulls nothing', async () => {
    const platform = known()
    const facts = await look(platform, '1.1.0')
    const wanted = bundle('1.1.0', facts?.digest ?? null)
    push('1.1.0', 'another two')
    expect((await look(platform, '1.1.0'))?.digest).not.toBe(facts?.digest)
    expect(await platform.fetched(wanted, doing())).toEqual({ web: false })
    await perform(platform.fetch(wanted))
    expect(await platform.fetched(wanted, doing())).toEqual({ web: true })
    expect(await look(platform, '1.1.0')).toMatchObject({ state: 'present', digest: facts?.digest })
    await images.kill()
    await perform(platform.fetch(wanted))
    await expect(perform(platform.fetch(bundle('1.0.0', `sha256:${'0'.repeat(64)}`)))).rejects.toThrow(/login to .* failed|could not be pulled/)
    await images.start()
    await expect(perform(platform.fetch(bundle('1.0.0', `sha256:${'0'.repeat(64)}`)))).rejects.toThrow(/there is no |could not be pulled/)
  })

  test('tidying removes only images of the stack that no kept release needs', async () => {
    const platform = known()
    const facts = await look(platform, '1.0.0')
    await perform(platform.fetch(bundle('1.0.0', facts?.digest ?? null)))
    const before = world.engine.docker('images', '--quiet', world.engine.base())
    const kept = bundle('1.0.0', facts?.digest ?? null)
    expect((await platform.surplus([kept], doing())).join()).toContain(':1.1.0')
    await perform(platform.tidy([kept]))
    expect(await platform.surplus([kept], doing())).toEqual([])
    expect(await platform.fetched(kept, doing())).toEqual({ web: true })
    expect(world.engine.docker('images', '--quiet', world.engine.base())).toBe(before)
  })
})
