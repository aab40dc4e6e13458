import { afterAll, beforeAll, expect, test } from 'vitest'
import { parsed } from '../k8s/kit.ts'
import { loadStack } from '../k8s/stand.ts'
import { describeWith } from '../testbed/index.ts'
import { jsonOf } from './kit.ts'
import { type SetupWorld, setupWorld } from './setup-world.ts'

describeWith(['kubernetes', 'mongodb', 'mongodb-tools', 'redis'], 'setup with the databases (FerretDB for MongoDB)', () => {
  let world: SetupWorld
  const has = (name: string) => world.on.tries(['--namespace', world.namespace, 'get', name]).exit === 0

  beforeAll(async () => {
    world = setupWorld('data')
    await loadStack(world.on, 'check-in', ['1.4.1'])
  })
  afterAll(() => world?.close())

  test('a database that never starts is taken back with its cause, and the secrets stay', { timeout: 120_000 }, async () => {
    world.overlay({ images: [{ name: 'testbed.local/redis', newName: 'testbed.local/REDIS' }] })
    const ran = await world.setup(['--data', '--yes'])
    expect([ran.exit, ran.last]).toEqual([4, expect.stringContaining('rights, policies and secrets are set up and stay; the databases are not')])
    expect(ran.stdout + ran.stderr).toMatch(/redis-\S+: its image has no valid name/)
    expect([has('deployment/redis'), has('statefulset/mongodb'), has('secret/mongodb-secrets'), has('role/runbooks-viewer')]).toEqual([
      false,
      false,
      true,
      true,
    ])
  })

  test('then they are ready, and pods of a release start with the secrets that were made', { timeout: 240_000 }, async () => {
    world.overlay()
    const before = world.secret('mongodb-secrets')
    const ran = await world.setup(['--data', '--yes', '--json'])
    expect(jsonOf(ran)).toMatchObject({ exit: 0, says: expect.stringContaining('the databases are ready') })
    expect(world.secret('mongodb-secrets')).toEqual(before)
    expect(world.kubectl('get', 'deployment/redis', 'statefulset/mongodb', '-o', 'jsonpath={.items[*].status.readyReplicas}')).toBe('1 1')
    const again = await world.setup(['--data', '--yes', '--json'])
    expect(jsonOf(again)).toMatchObject({ exit: 0, run: null, result: { made: [], changed: [] } })
    const objects = parsed(world.rendered()).filter(({ metadata }) => metadata.labels?.['runbooks.dev/layer'] === 'release')
    world.on.kubectl(['apply', '--server-side', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }))
    for (const name of ['backend', 'frontend']) world.kubectl('rollout', 'status', `deployment/${name}`, '--timeout=150s')
    const env = ['exec', 'deployment/backend', '--', 'sh', '-c', 'printf %s "$MONGODB_URI"']
    expect(world.kubectl(...env)).toBe(world.secret('checkin-secrets').MONGODB_URI)
    const redis = ['exec', 'deployment/redis', '--', 'sh', '-c', 'REDISCLI_AUTH="$0" redis-cli ping', world.secret('checkin-secrets').REDIS_PASSWORD!]
    expect(world.kubectl(...redis)).toBe('PONG\n')
  })
})
