import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Setup } from '../../lib/platforms/setup.ts'
import { describeWith } from '../testbed/index.ts'
import { type ComposeWorld, composeWorld, TOKEN } from './compose/world.ts'
import { doing } from './conformance/kit.ts'

describeWith(['docker', 'nginx-image'], 'setup of a host', () => {
  let world: ComposeWorld
  let setup: Setup
  const wants = () => ({ secrets: {}, configMaps: {} })
  const running = () => world.engine.docker('ps', '--format', '{{.Names}}')
  const root = () => join(world.directory, '.runbooks')

  beforeAll(async () => {
    world = await composeWorld()
    setup = world.platform().setup!(wants)
  })
  afterAll(() => world?.close())

  test('makes folders for the owner alone, files, secrets and the front door, and has nothing to do the second time', async () => {
    const before = await setup.survey(false, doing())
    expect(before).toMatchObject({ needs: [{ holds: true }], ground: root(), parts: [{ phase: 'edge', of: 'shop' }] })
    await setup.ground(doing())
    expect(statSync(root()).mode & 0o777).toBe(0o700)
    for (const action of setup.make(before.parts[0]!)) {
      expect(action.prints).not.toContain(TOKEN)
      await action.run(doing())
    }
    expect(statSync(join(root(), 'edge')).mode & 0o077).toBe(0)
    expect(statSync(join(root(), 'edge/secrets/token')).mode & 0o777).toBe(0o444)
    expect(running()).toContain('shop-nginx-1')
    expect(await setup.survey(false, doing())).toMatchObject({ ground: null, parts: [], stays: [] })
  })

  test('takes back what it made', async () => {
    const made = { phase: 'edge', of: 'shop', things: { 'files and secrets': '', 'network, front door and databases': '' } } as const
    for (const action of setup.unmake(made)) await action.run(doing())
    expect(running()).toBe('')
    expect(existsSync(join(root(), 'edge'))).toBe(false)
    expect(Object.values(await setup.states(made, doing()))).toEqual(['missing', 'missing'])
  })

  test('says that Docker does not answer', async () => {
    world.engine.killEngine()
    const { needs, parts } = await setup.survey(false, doing())
    expect([needs[0]?.holds, parts]).toEqual([false, []])
  })
})
