import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { containers } from '../../lib/checks/containers.ts'
import { disk } from '../../lib/checks/disk.ts'
import { imageDrift } from '../../lib/checks/image-drift.ts'
import { memory } from '../../lib/checks/memory.ts'
import { type Docker, describeWith, docker } from '../testbed/index.ts'
import { conformance } from './conformance.ts'
import { lookAt } from './kit.ts'

/** A health check that Docker asks often enough for a test. */
const probe = (command: string) => ({ test: ['CMD-SHELL', command], interval: '300ms', start_interval: '300ms', timeout: '2s', retries: 2 })

describeWith('docker', 'containers of a real engine', () => {
  let engine: Docker
  let digest: string
  let file: string
  beforeAll(async () => {
    engine = await docker()
    process.env.DOCKER_HOST = engine.address
    const own = { image: engine.image('checks', ['df', 'true']), network_mode: 'none', init: true, command: ['sleep', '3600'] }
    digest = engine.docker('image', 'inspect', '--format', '{{.Id}}', own.image)
    const up = (project: string, services: object) => {
      const path = join(engine.folder, `${project}.yaml`)
      writeFileSync(path, JSON.stringify({ services }))
      engine.docker('compose', '-p', project, '-f', path, 'up', '--detach')
      return path
    }
    file = up('good', { api: { ...own, healthcheck: probe('true') }, migrate: { ...own, command: ['true'] } })
    up('bad', {
      api: { ...own, healthcheck: probe('echo database is gone; exit 1') },
      loop: { ...own, restart: 'always', command: ['sh', '-c', 'exit 3'] },
    })
    up('plain', { worker: own })
  })
  afterAll(async () => {
    for (const project of ['good', 'bad', 'plain']) engine.docker('compose', '-p', project, 'down', '--timeout', '1')
    delete process.env.DOCKER_HOST
    await engine.stop()
  })

  /** Looks until a verdict is what it will be: health checks take a moment. */
  const settled = async (project: string, is: string) => {
    await expect.poll(async () => (await lookAt(containers({ project }))).is, { timeout: 30_000 }).toBe(is)
    return lookAt(containers({ project }))
  }

  test('a project with a healthy service and a one-shot that ended well is healthy', async () => {
    expect((await settled('good', 'healthy')).says).toMatch(/^1 healthy; migrate: ran once and ended with 0/)
  })

  test('an unhealthy service says what its probe said, and a crash loop its exit code', async () => {
    await expect.poll(async () => (await lookAt(containers({ project: 'bad' }))).says, { timeout: 30_000 }).toMatch(/database is gone/)
    await expect.poll(async () => (await lookAt(containers({ project: 'bad' }))).says, { timeout: 30_000 }).toMatch(/loop: restart.*(exited 3|ago)/)
  })

  test('a service without a health check is not called healthy', async () => {
    expect(await settled('plain', 'unknown')).toMatchObject({ says: 'worker: running, no health check' })
  })

  conformance('its containers', () => ({
    kind: 'containers',
    healthy: () => containers({ project: 'good', services: ['api'] }),
    unhealthy: () => containers({ project: 'good', services: ['api', 'chat'] }),
    cause: /chat: no container of it runs/,
    blind: () => containers({ project: 'good', host: 'ssh://nobody@127.0.0.1:1' }),
  }))

  conformance('its images', () => ({
    kind: 'image-drift',
    healthy: () => imageDrift({ project: 'good', images: { api: digest } }),
    unhealthy: () => imageDrift({ project: 'good', images: async () => ({ api: `sha256:${'0'.repeat(64)}` }) }),
    cause: /api runs sha256:\w{12}…, not sha256:000000000000…/,
    blind: () => imageDrift({ project: 'good', images: { api: digest }, host: 'ssh://nobody@127.0.0.1:1' }),
  }))

  test('room and memory are read inside a service', async () => {
    const place = { in: { compose: { project: 'good', file }, service: 'api' } }
    expect(await lookAt(disk({ ...place, path: '/tmp', freePercent: 0 }))).toMatchObject({ name: 'disk api:/tmp', is: 'healthy' })
    expect(await lookAt(memory({ ...place, availablePercent: 0 }))).toMatchObject({ is: 'healthy' })
    expect(await lookAt(disk({ in: { ...place.in, service: 'nobody' }, path: '/tmp' }))).toMatchObject({
      is: 'unknown',
      says: expect.stringContaining('nobody'),
    })
  })
})
