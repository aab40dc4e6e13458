import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeWith } from '../testbed/index.ts'
import { type SetupWorld, setupWorld } from './setup-world.ts'

describeWith('kubernetes', 'a setup that is killed in the middle', () => {
  let world: SetupWorld
  /** Dies when the Secret is made, and before that is written down. */
  const killed = async () => {
    const { signal } = await world.setup(['--yes'], { die: 'line:"at":"exited","of":"setup.make/secret checkin-secrets"' })
    expect(signal).toBe('SIGKILL')
  }
  const names = (kind: string) =>
    world
      .kubectl('get', kind, '-o', 'name')
      .split('\n')
      .filter(name => /runbooks-(backup|viewer|operator)|secrets$|registry$|check-in-runbooks$/.test(name))

  beforeAll(() => {
    world = setupWorld('killed')
    world.on.kubectl(['create', 'namespace', world.namespace])
    // Somebody began by hand.
    world.kubectl('create', 'secret', 'generic', 'checkin-secrets', '--from-literal=JWT_SECRET=by hand')
  })
  afterAll(() => world?.close())

  test('what it made is taken back, and what was there before stays', { timeout: 180_000 }, async () => {
    await killed()
    expect(Object.keys(world.secret('checkin-secrets')).sort()).toEqual(['JWT_SECRET', 'MONGODB_URI', 'REDIS_PASSWORD'])
    const next = await world.setup()
    expect([next.exit, next.last]).toEqual([5, expect.stringContaining('an unfinished run must be settled first')])
    const back = await world.setup(['--revert'])
    expect([back.exit, back.last]).toEqual([0, expect.stringMatching(/^REVERTED .* is taken back/)])
    expect(world.secret('checkin-secrets')).toEqual({ JWT_SECRET: 'by hand' })
    expect(names('secrets')).toEqual(['secret/checkin-secrets'])
    expect(names('roles')).toEqual([])
  })

  test('resumed it makes the rest, and keeps what it has made', { timeout: 180_000 }, async () => {
    await killed()
    const before = { ...world.secret('mongodb-secrets'), ...world.secret('checkin-secrets') }
    const on = await world.setup(['--resume'])
    expect([on.exit, on.last]).toEqual([0, expect.stringMatching(/^DONE check-in\/staging: /)])
    expect({ ...world.secret('mongodb-secrets'), ...world.secret('checkin-secrets') }).toEqual(before)
    expect(before.JWT_SECRET).toBe('by hand')
    expect(names('secrets')).toEqual(['check-in-runbooks', 'checkin-secrets', 'mongodb-secrets', 'registry'].map(name => `secret/${name}`))
  })
})
