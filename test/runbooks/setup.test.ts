import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeWith } from '../testbed/index.ts'
import { journals, jsonOf } from './kit.ts'
import { GIVEN, type SetupWorld, setupWorld } from './setup-world.ts'

const SECRETS = ['mongodb-secrets', 'checkin-secrets', 'registry', 'check-in-runbooks'] as const

type Meta = { readonly metadata: { readonly name: string; readonly resourceVersion: string; readonly managedFields: readonly { manager: string }[] } }

describeWith('kubernetes', 'setup of a namespace that is not there', () => {
  let world: SetupWorld
  let all: Record<string, Record<string, string>>
  const secrets = () => Object.fromEntries(SECRETS.map(name => [name, { ...world.secret(name) }]))
  const versions = () =>
    (JSON.parse(world.kubectl('get', 'secrets,roles,networkpolicies', '-o', 'json')).items as Meta[]).map(({ metadata }) => metadata)

  beforeAll(() => {
    world = setupWorld()
  })
  afterAll(() => world?.close())

  test('a dry run shows every object and every key, and makes nothing', { timeout: 180_000 }, async () => {
    const { exit, stdout } = await world.setup(['--dry-run'])
    expect(exit).toBe(0)
    for (const line of [
      `+ Namespace/${world.namespace}  (made first, because the lease is kept in it; it stays)`,
      '+ Role/runbooks-backup',
      '+ NetworkPolicy/default-deny',
      '+ ConfigMap/check-in-runbooks',
      '+ Secret/mongodb-secrets keyfile  (random, 756 bytes in base64)',
      '+ Secret/checkin-secrets MONGODB_URI  (composed of mongodb-secrets/MONGO_APP_PASSWORD)',
    ])
      expect(stdout).toContain(`${line}\n`)
    expect(stdout).toMatch(/\+ Secret\/registry \.dockerconfigjson {2}\(the setting REGISTRY_TOKEN, fingerprint [0-9a-f]{8}\)\n/)
    expect(world.on.tries(['get', 'namespace', world.namespace]).exit).toBe(1)
  })

  test('the first run makes all of it', { timeout: 180_000 }, async () => {
    const ran = await world.setup()
    expect([ran.exit, ran.last]).toEqual([0, expect.stringMatching(/^DONE check-in\/staging: 34 made in https.* setup-\w+, verified .* \(exit 0\)$/)])
    all = secrets()
    const { MONGO_APP_PASSWORD, keyfile, MONGO_ROOT_USERNAME } = all['mongodb-secrets']!
    expect(MONGO_ROOT_USERNAME).toBe('root')
    expect(Buffer.from(MONGO_APP_PASSWORD!, 'base64url')).toHaveLength(32)
    expect(keyfile).toMatch(/^[A-Za-z0-9+/]{1008}$/)
    expect(all['checkin-secrets']!.MONGODB_URI).toMatch(`mongodb://checkin:${MONGO_APP_PASSWORD}@mongodb-0.mongodb:27017,`)
    // Of one member: a command in a pod reaches no set.
    expect(all['check-in-runbooks']!.MONGODB_URI).toBe(
      `mongodb://runbooks:${all['mongodb-secrets']!.MONGO_RUNBOOKS_PASSWORD}@mongodb-0.mongodb:27017/checkin?authSource=admin`,
    )
    const login = { username: 'robot', password: GIVEN.REGISTRY_TOKEN, auth: Buffer.from(`robot:${GIVEN.REGISTRY_TOKEN}`).toString('base64') }
    expect(JSON.parse(all.registry!['.dockerconfigjson']!)).toEqual({ auths: { 'ghcr.io': login } })
    expect(world.kubectl('get', 'secret', 'registry', '-o', 'jsonpath={.type}')).toBe('kubernetes.io/dockerconfigjson')
    // The optional ones that are not set are left out.
    expect(Object.keys(all['check-in-runbooks']!)).not.toContain('SMTP_URL')
    expect(world.kubectl('get', 'namespace', world.namespace, '-o', 'jsonpath={.metadata.labels}')).toContain(
      '"pod-security.kubernetes.io/enforce":"restricted"',
    )
    expect(world.kubectl('get', 'configmap', 'check-in-runbooks', '-o', 'jsonpath={.data}')).toContain('defineStack')
    const role = JSON.parse(world.kubectl('get', 'role', 'runbooks-backup', '-o', 'json', '--show-managed-fields')) as Meta
    expect(role.metadata.managedFields.map(({ manager }) => manager)).toEqual(['runbooks'])
  })

  test('no value is in the journal, the report, the output, or in the arguments and the environment of a command', { timeout: 180_000 }, async () => {
    const { entries, folder } = journals(world.home)[0]!
    expect(entries.at(-1)).toMatchObject({ at: 'ended', outcome: { exit: 0 } })
    const everywhere = `${world.written()}\n${(await world.setup(['--dry-run', '--json'])).stdout}`
    expect(everywhere).toContain(readFileSync(join(folder, 'report.html'), 'utf8').slice(0, 200))
    expect(everywhere).toContain('--server-side')
    const values = Object.values(all).flatMap(keys => Object.values(keys).filter(value => value.length > 20))
    expect(values.length).toBeGreaterThan(8)
    for (const value of [...values, GIVEN.AWS_SECRET_ACCESS_KEY, GIVEN.REGISTRY_TOKEN]) {
      expect(everywhere.includes(value)).toBe(false)
      expect(everywhere.includes(Buffer.from(value).toString('base64'))).toBe(false)
    }
  })

  test('the second run has nothing to do, and touches nothing', { timeout: 180_000 }, async () => {
    const before = versions()
    const ran = await world.setup(['--json'])
    expect(jsonOf(ran)).toMatchObject({ exit: 0, run: null, result: { made: [], changed: [], stays: [] } })
    expect(versions()).toEqual(before)
    expect(journals(world.home)).toHaveLength(1)
  })

  test('a key that is gone is made again, and no other is touched; what differs is said by fingerprint and stays', { timeout: 180_000 }, async () => {
    world.kubectl('patch', 'secret', 'checkin-secrets', '--type=json', '-p', '[{"op":"remove","path":"/data/JWT_SECRET"}]')
    world.kubectl('patch', 'secret', 'check-in-runbooks', '-p', '{"stringData":{"AWS_REGION":"us-east-1"}}')
    const ran = await world.setup(['--yes', '--json'])
    expect(jsonOf(ran)).toMatchObject({ exit: 0, result: { made: ['Secret/checkin-secrets JWT_SECRET'], changed: [] } })
    expect(ran.stdout).toMatch(
      /Secret\/check-in-runbooks AWS_REGION is not as the stack file has it: fingerprint [0-9a-f]{8}, not [0-9a-f]{8}; it stays/,
    )
    const now = secrets()
    expect(now['checkin-secrets']!.JWT_SECRET).not.toBe(all['checkin-secrets']!.JWT_SECRET)
    expect({ ...now['checkin-secrets'], JWT_SECRET: '' }).toEqual({ ...all['checkin-secrets'], JWT_SECRET: '' })
    expect(now['mongodb-secrets']).toEqual(all['mongodb-secrets'])
    expect(now['check-in-runbooks']!.AWS_REGION).toBe('us-east-1')
  })

  test('what the overlay has changed is changed, field by field; what somebody else has set is a conflict that is explained', {
    timeout: 180_000,
  }, async () => {
    const policy = (port: number) => ({ op: 'replace', path: '/spec/egress/0/ports/0/port', value: port })
    const patches = [{ target: { kind: 'NetworkPolicy', name: 'dns' }, patch: JSON.stringify([policy(5353)]) }]
    world.overlay({ patches })
    const dry = await world.setup(['--dry-run'])
    expect(dry.stdout).toContain('~ NetworkPolicy/dns  (spec.egress[0].ports[0].port: 53 → 5353)\n')
    expect(dry.stdout).toMatch(/Change 1 object of the setup +no undo: it stays as the files say/)
    world.kubectl('patch', 'serviceaccount', 'backend', '--field-manager=somebody', '-p', '{"automountServiceAccountToken":true}')
    const refused = await world.setup()
    expect(refused.exit).toBe(3)
    expect(refused.stdout + refused.stderr).toMatch(
      /Somebody else has set fields of ServiceAccount\/backend .*"somebody".*automountServiceAccountToken/s,
    )
  })

  test('whoever may only read is refused, and so is another cluster', { timeout: 180_000 }, async () => {
    const reader = await world.setup(['--yes'], { env: { KUBECONFIG_FILE: world.as('reader', 'check-in-viewers') } })
    expect(reader.exit).toBe(3)
    expect(reader.stdout + reader.stderr).toMatch(/We may not get secrets, create secrets, .*patch roles/s)
    const elsewhere = await world.setup(['--yes'], { env: { CLUSTER: 'https://production.example:6443' } })
    expect(elsewhere.exit).toBe(3)
    expect(elsewhere.stderr).toMatch(/Refused: the context \S+ leads to https\S+, not to\s+https:\/\/production\.example:6443/)
  })
})
