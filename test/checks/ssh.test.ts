import { afterAll, beforeAll, expect, test } from 'vitest'
import { lookAtAll } from '../../lib/checks/check.ts'
import { disk } from '../../lib/checks/disk.ts'
import { memory } from '../../lib/checks/memory.ts'
import { sshAddress } from '../../lib/exec/host.ts'
import { Secret } from '../../lib/plan/secrets.ts'
import { doing } from '../exec/doing.ts'
import { describeWith, type Sshd, sshd } from '../testbed/index.ts'
import { conformance } from './conformance.ts'
import { deadPort, lookAt } from './kit.ts'

describeWith('ssh', 'a machine behind ssh', () => {
  let server: Sshd
  beforeAll(async () => {
    server = await sshd()
  })
  afterAll(() => server.stop())
  const at = (more: object = {}) => ({
    host: `ssh://${server.user}@127.0.0.1:${server.port}`,
    key: new Secret('OVH_SSH_KEY', server.key),
    knownHosts: server.knownHosts,
    ...more,
  })
  conformance('its disk', () => ({
    kind: 'disk',
    healthy: () => disk({ ...at(), path: '/', freePercent: 0 }),
    unhealthy: () => disk({ ...at(), path: '/', freeBytes: Number.MAX_SAFE_INTEGER }),
    cause: /free of .* less than/,
    blind: () => disk({ ...at(), path: '/nowhere/at/all' }),
    reason: /nowhere/,
    secret: new Secret('OVH_SSH_KEY', server.key),
  }))

  test('several checks of it share one connection, which is closed when the last is done', async () => {
    const four = [1, 2].flatMap(n => [
      disk({ ...at(), name: `d${n}`, path: '/', freePercent: 0 }),
      memory({ ...at(), name: `m${n}`, availablePercent: 0 }),
    ])
    let most = 0
    const watch = setInterval(() => {
      most = Math.max(most, server.sessions().length)
    }, 5)
    expect((await lookAtAll(four, doing())).map(({ is, says }) => (is === 'healthy' ? is : says))).toEqual(Array(4).fill('healthy'))
    clearInterval(watch)
    expect(most).toBe(1)
    await expect.poll(() => server.sessions().length).toBe(0)
  })

  test('one that cannot be reached, or whose host key nobody knows, is unknown', async () => {
    const dead = await deadPort()
    for (const more of [{ host: `ssh://${server.user}@127.0.0.1:${dead}` }, { knownHosts: '# nobody\n' }]) {
      const found = await lookAt(memory({ ...at(more), availablePercent: 0 }))
      expect(found, found.says).toMatchObject({ is: 'unknown', says: expect.stringMatching(/^could not look: /) })
    }
  })
})

test('the address of a machine is ssh, with a user and a port or without', () => {
  expect(sshAddress('ssh://deploy@shop:2222')).toEqual({ host: 'shop', user: 'deploy', port: 2222 })
  expect(sshAddress('ssh://[::1]')).toEqual({ host: '::1' })
  for (const wrong of ['shop', 'https://shop', 'ssh://shop/srv', '']) expect(() => sshAddress(wrong)).toThrow('a host is ssh://user@host')
})
