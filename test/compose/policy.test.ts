import { describe, expect, test } from 'vitest'
import { composeOf, type ServiceFile, STACKS, servicesOf, wholeFiles } from './assets.ts'
import { wrongWith, wrongWithFile } from './policy.ts'

const everyService = STACKS.flatMap(stack => servicesOf(stack).map(found => ({ stack, ...found })))

describe('every service', () => {
  test.each(everyService)('$name of $stack breaks no rule', ({ stack, file, service }) => {
    expect(wrongWith(service, composeOf(stack, file))).toEqual([])
  })

  test('there are as many as the stacks have', () => {
    const names = Object.fromEntries(STACKS.map(stack => [stack, servicesOf(stack).map(({ name }) => name)]))
    expect(names).toEqual({
      benevoclic: ['benevoclic-api', 'nginx', 'prometheus', 'alertmanager', 'grafana', 'node-exporter'],
      ecosyste: ['backend', 'frontend', 'nginx', 'postgres', 'redis', 'rehearsal-redis'],
      'immo-express': ['backend', 'frontend', 'nginx', 'mongodb'],
    })
  })

  const files = STACKS.flatMap(stack => wholeFiles(stack).map(file => ({ stack, file })))
  test.each(files)('$file of $stack declares what it uses, and nothing else', ({ stack, file }) => {
    expect(wrongWithFile(composeOf(stack, file))).toEqual([])
  })
})

describe('a service that breaks a rule is noticed', () => {
  const file = composeOf('ecosyste', 'app.yaml')
  const good = file.services?.backend as ServiceFile
  const { user: _, ...nobody } = good
  const { healthcheck: __, ...unwatched } = good
  const broken: readonly (readonly [string, ServiceFile])[] = [
    ['its image is not named by a variable with a default', { ...good, image: 'ecosyste/backend:1.0.0' }],
    ['its image has no version', { ...good, image: `\${BACKEND_IMAGE:-ecosyste/backend}:latest` }],
    ['its image has no version', { ...good, image: `\${BACKEND_IMAGE:-ecosyste/backend}` }],
    ['it is built where it runs', { ...good, build: '.' }],
    ['it runs as root, or as whoever the image says', { ...good, user: `\${BACKEND_USER:-0:0}` }],
    ['it runs as root, or as whoever the image says', nobody],
    ['it keeps capabilities', { ...good, cap_drop: ['NET_RAW'] }],
    ['it adds capabilities', { ...good, cap_add: ['SYS_ADMIN'] }],
    ['it is privileged', { ...good, privileged: true }],
    ['it has no network of its own', { ...good, network_mode: 'host' }],
    ['it may gain privileges', { ...good, security_opt: [] }],
    ['its file system is writable', { ...good, read_only: false }],
    ['it is given the Docker engine', { ...good, volumes: ['/var/run/docker.sock:/var/run/docker.sock:ro'] }],
    ['it can write to a folder of the host', { ...good, volumes: ['./data:/data'] }],
    ['its memory is not limited', { ...good, mem_limit: '' }],
    ['its CPU is not limited to one at most', { ...good, cpus: 2 }],
    ['its processes are not limited', { ...good, pids_limit: 0 }],
    ['its log grows for ever', { ...good, logging: { driver: 'json-file', options: { 'max-size': '10m' } } }],
    ['it has no health check', unwatched],
    ['it has no health check', { ...good, healthcheck: { ...good.healthcheck, disable: true } }],
    [
      'its health check needs curl, which Alpine images do not have',
      { ...good, healthcheck: { ...good.healthcheck, test: ['CMD', 'curl', '-f', 'x'] } },
    ],
    ['it is not started again', { ...good, restart: 'no' }],
    ['a database publishes a port', { ...good, image: `\${DB_IMAGE:-postgres:15-alpine}`, ports: ['127.0.0.1:5432:5432'] }],
    ['a port is published without an address', { ...good, ports: ['3001:3001'] }],
    ['a port other than the front door’s is open to the world', { ...good, ports: [`\${BIND:-0.0.0.0}:3001:3001`] }],
    ['a secret is a variable', { ...good, environment: { DATABASE_URL: `\${DATABASE_URL:?set it}` } }],
    ['a secret is a variable', { ...good, environment: { DB_PASSWORD: 'admin123' } }],
    ['an address has a password', { ...good, environment: { MAIL: 'smtp://user:secret@mail' } }],
    ['it reads variables from a file', { ...good, env_file: '.env' }],
    ['a secret file is named that it is not given', { ...good, environment: { API_KEY_FILE: '/run/secrets/api_key' } }],
  ]
  test.each(broken)('%s', (says, service) => {
    expect(wrongWith(service, file)).toContain(says)
  })
})

describe('what a port or a network opens', () => {
  test('only the front doors are reachable from outside, on a port and an address that can be chosen', () => {
    const open = everyService.filter(({ service }) => service.ports?.some(port => !port.startsWith('127.0.0.1:')))
    expect(open.map(({ stack, name }) => `${stack} ${name}`)).toEqual(STACKS.map(stack => `${stack} nginx`))
    for (const { service } of open) expect(service.ports).toEqual([`\${HTTP_BIND:-0.0.0.0}:\${HTTP_PORT:-80}:80`])
  })

  test.each(['ecosyste', 'immo-express'])('the databases of %s are on a network that leads nowhere, without the front door', stack => {
    const edge = composeOf(stack, 'edge.yaml')
    expect(edge.networks?.data?.internal).toBe(true)
    const { nginx, ...databases } = edge.services ?? {}
    expect(nginx?.networks).toEqual(['edge'])
    expect(Object.values(databases).map(service => service.networks)).toEqual(Object.keys(databases).map(() => ['data']))
  })

  test('MongoDB is published on loopback only, and only by the file that is there for it', () => {
    expect(composeOf('immo-express', 'mongodb-loopback.yaml').services?.mongodb?.ports).toEqual([`127.0.0.1:\${MONGODB_PORT:-27017}:27017`])
  })

  test('each service of the monitoring answers on loopback only', () => {
    const ports = servicesOf('benevoclic')
      .filter(({ file }) => file === 'monitoring.yaml')
      .flatMap(({ service }) => service.ports ?? [])
    expect(ports.map(port => port.replace(/\$\{\w+:-(\d+)\}/, '$1'))).toEqual([
      '127.0.0.1:9090:9090',
      '127.0.0.1:9093:9093',
      '127.0.0.1:3001:3000',
      '127.0.0.1:9100:9100',
    ])
  })
})
