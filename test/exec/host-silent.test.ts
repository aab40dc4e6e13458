import { expect, test } from 'vitest'
import { run } from '../../lib/exec/process.ts'
import { describeWith, sshd, toxiproxy } from '../testbed/index.ts'
import { doing, running } from './doing.ts'
import { hostOf, lasting, refusal } from './hosts.ts'

describeWith(['ssh', 'toxiproxy'], 'a link that goes silent', () => {
  test('is noticed here within fifteen seconds, and what ran there is ended within thirty more', { timeout: 150_000 }, async () => {
    const server = await sshd()
    const proxy = await toxiproxy()
    const way = await proxy.through(`127.0.0.1:${server.port}`)
    const host = hostOf(server, { port: way.port, knownHosts: server.knownAt(way.port) })
    try {
      await host.script('exit 0', [], doing())
      const context = doing()
      const works = lasting(host, context.run).map(([command, limits]) => refusal(run(command, context, limits)))
      await expect.poll(() => running(context.run).length, { timeout: 20_000 }).toBeGreaterThanOrEqual(works.length * 3)
      // Nothing gets through any more, and nobody is told.
      await way.toxic('timeout', { timeout: 0 }, 'upstream')
      await way.toxic('timeout', { timeout: 0 }, 'downstream')
      const began = performance.now()
      for (const work of works) expect(await work).toMatchObject({ exit: 8, message: expect.stringContaining('was cut') })
      const noticedMs = performance.now() - began
      await expect.poll(() => running(context.run), { timeout: 90_000 }).toEqual([])
      expect(noticedMs).toBeLessThan(60_000)
    } finally {
      await host.close()
      await proxy.stop()
      await server.stop()
    }
  })
})
