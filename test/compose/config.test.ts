import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { describeWith } from '../testbed/index.ts'
import { STACKS, textOf } from './assets.ts'
import { copyOf, remove, run } from './kit.ts'

const folders = new Map(STACKS.map(stack => [stack as string, copyOf(stack)]))
afterAll(() => remove([...folders.values()]))

type Read = {
  name: string
  networks: Record<string, { name: string; external?: boolean; internal?: boolean }>
  volumes?: Record<string, { name: string }>
  secrets?: Record<string, { file: string }>
  services: Record<
    string,
    {
      image: string
      command?: string[] | null
      user: string
      labels?: Record<string, string>
      networks?: Record<string, { aliases?: string[] } | null>
      ports?: { host_ip?: string; published: string; target: number }[]
      volumes?: { type: string; source: string; target: string; read_only?: boolean }[]
      depends_on?: Record<string, { condition: string }>
      healthcheck: { test: string[] }
    }
  >
}

/** What Compose makes of files of a stack; throws with what it said. */
function compose(stack: string, files: readonly string[], env: Readonly<Record<string, string>> = {}, flags: readonly string[] = []): Read {
  const folder = folders.get(stack) ?? ''
  const argv = ['compose', '--env-file', '/dev/null', ...flags, ...files.flatMap(file => ['-f', file]), 'config', '--format', 'json']
  const { status, stdout, stderr } = run(folder, 'docker', argv, env)
  if (status !== 0) throw new Error(stderr)
  return JSON.parse(stdout) as Read
}

const namesOf = (of: Record<string, unknown> | undefined): string[] => Object.keys(of ?? {}).sort()

describeWith('compose', 'what Compose reads', () => {
  test.each(STACKS)('the folder of %s is one project by itself, with networks and volumes of its own', stack => {
    const { status, stderr } = run(folders.get(stack) ?? '', 'docker', ['compose', 'config', '--quiet'])
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    const all = compose(stack, ['compose.yaml'])
    expect(all.name).toBe(stack)
    expect(Object.values(all.networks).filter(network => network.external)).toEqual([])
    expect(namesOf(all.services)).toEqual(namesOf({ ...compose(stack, ['app.yaml']).services, ...compose(stack, ['edge.yaml']).services }))
  })

  test.each(STACKS)('a slot of %s is a project that joins the networks of the front door under its slot’s name', stack => {
    const env = { SLOT: 'green', RUNBOOKS_RELEASE: 'r1', EDGE_PROJECT: 'shop', SECRETS_DIR: '/srv/r1/secrets' }
    const slot = compose(stack, ['app.yaml'], env)
    const edge = compose(stack, ['edge.yaml'], env)
    expect(slot.name).toBe('shop-green')
    expect(edge.name).toBe('shop')
    for (const [key, network] of Object.entries(slot.networks)) {
      expect(network).toMatchObject({ name: `shop-${key}`, external: true })
      expect(edge.networks[key]).toMatchObject({ name: `shop-${key}` })
      expect(edge.networks[key]?.external).toBeUndefined()
    }
    for (const [name, service] of Object.entries(slot.services)) {
      expect(service.networks?.edge?.aliases).toEqual([`${name}-green`])
      expect(service.labels).toEqual({ 'runbooks.slot': 'green', 'runbooks.release': 'r1' })
      expect(service.ports).toBeUndefined()
    }
    for (const [name, { file }] of Object.entries(slot.secrets ?? {})) expect(file).toBe(`/srv/r1/secrets/${name}`)
  })

  test.each(STACKS)('image and version of each routed service of %s are chosen by its own name, a digest included', stack => {
    const plain = compose(stack, ['app.yaml'])
    const digest = `sha256:${'a'.repeat(64)}`
    for (const name of Object.keys(plain.services)) {
      const prefix = name.toUpperCase().replaceAll('-', '_')
      const chosen = compose(stack, ['app.yaml'], { [`${prefix}_IMAGE`]: '127.0.0.1:5005/x', [`${prefix}_VERSION`]: `1.4.2@${digest}` })
      expect(chosen.services[name]?.image).toBe(`127.0.0.1:5005/x:1.4.2@${digest}`)
      const others = Object.keys(plain.services).filter(other => other !== name)
      expect(others.map(other => chosen.services[other]?.image)).toEqual(others.map(other => plain.services[other]?.image))
    }
  })

  test.each(STACKS)('every image of the front door and the databases of %s can be replaced, and where it listens chosen', stack => {
    const edge = compose(stack, ['edge.yaml'], { HTTP_BIND: '127.0.0.1', HTTP_PORT: '8081', RUNBOOKS_DIR: '/srv/split', NGINX_PROBE: 'true' })
    expect(edge.services.nginx?.ports).toMatchObject([{ host_ip: '127.0.0.1', published: '8081', target: 80 }])
    expect(edge.services.nginx?.healthcheck.test).toEqual(['CMD-SHELL', 'true'])
    expect(edge.services.nginx?.volumes).toContainEqual(expect.objectContaining({ source: '/srv/split', target: '/etc/runbooks', read_only: true }))
    for (const name of Object.keys(edge.services)) {
      expect(compose(stack, ['edge.yaml'], { [`${name.toUpperCase()}_IMAGE`]: 'local/x:1' }).services[name]?.image).toBe('local/x:1')
    }
  })

  describe('with everything in one project', () => {
    test.each([
      ['ecosyste', ['postgres', 'redis']],
      ['immo-express', ['mongodb']],
    ] as const)('the backend of %s waits until its data is healthy', (stack, databases) => {
      const waits = compose(stack, ['compose.yaml']).services.backend?.depends_on
      expect(namesOf(waits)).toEqual([...databases])
      expect(Object.values(waits ?? {}).map(({ condition }) => condition)).toEqual(databases.map(() => 'service_healthy'))
    })

    test.each(['ecosyste', 'immo-express'])('%s has the same volumes and networks as with slots, so that one can follow the other', stack => {
      const all = compose(stack, ['compose.yaml'])
      const edge = compose(stack, ['edge.yaml'])
      expect(all.volumes).toEqual(edge.volumes)
      expect(Object.values(all.networks).map(({ name }) => name)).toEqual(Object.values(edge.networks).map(({ name }) => name))
    })
  })

  test.each(STACKS)('what the README of %s adds for an application that knows variables only is an override that Compose takes', stack => {
    const [, block = ''] = /```yaml\n([\s\S]*?)```/.exec(textOf(stack, 'README.md')) ?? []
    writeFileSync(join(folders.get(stack) ?? '', 'mine.yaml'), block)
    const [name = ''] = Object.keys(compose(stack, ['app.yaml']).services)
    for (const file of ['compose.yaml', 'app.yaml']) expect(compose(stack, [file, 'mine.yaml']).services[name]?.command).toHaveLength(3)
  })

  test('a project named on the command line is taken, as the toolkit does', () => {
    expect(compose('ecosyste', ['app.yaml'], {}, ['-p', 'other-blue']).name).toBe('other-blue')
  })

  test('the monitoring is a project of its own that joins the network of the API', () => {
    const monitoring = compose('benevoclic', ['monitoring.yaml'])
    expect(monitoring.name).toBe('benevoclic-monitoring')
    expect(monitoring.networks.edge).toMatchObject({ name: 'benevoclic-edge', external: true })
    expect(namesOf(monitoring.services.prometheus?.networks)).toEqual(['edge', 'monitoring'])
    expect(namesOf(monitoring.services.grafana?.networks)).toEqual(['monitoring'])
  })

  test('MongoDB on loopback is an addition to the front door’s file', () => {
    const both = compose('immo-express', ['edge.yaml', 'mongodb-loopback.yaml'])
    expect(both.services.mongodb?.ports).toMatchObject([{ host_ip: '127.0.0.1', published: '27017', target: 27017 }])
    expect(compose('immo-express', ['edge.yaml']).services.mongodb?.ports).toBeUndefined()
  })

  test('the photos must exist: Docker would make the folder for root', () => {
    const [uploads] = compose('immo-express', ['app.yaml'], { UPLOADS_DIRECTORY: '/srv/photos' }).services.backend?.volumes ?? []
    expect(uploads).toMatchObject({ type: 'bind', source: '/srv/photos', target: '/app/uploads', bind: {} })
  })
})
