import { createPrivateKey, X509Certificate } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { composed as asComposed, defineStack, directory, env, from, random, registryLogin, sandbox, secret } from '../../lib/index.ts'
import { composed, made } from '../../lib/platforms/kubernetes/setup/values.ts'
import type { Site } from '../../lib/platforms/kubernetes/site.ts'
import type { SetupDescription } from '../../lib/stack/describe-setup.ts'
import { loadStack } from '../../lib/stack/load.ts'
import { checkStack } from '../../lib/stack/schema.ts'
import { Settings } from '../../lib/stack/settings.ts'
import { makeWants, secretOrder } from '../../lib/stack/setup.ts'
import { documentedSecrets, project } from '../k8s/kit.ts'
import { doing } from '../platforms/conformance/kit.ts'
import { endWorlds, invoke, newWorld } from '../runbooks/kit.ts'

const platform = sandbox({ directory: 'shop', port: 4000, services: { web: { script: 'web.ts', versions: ['1'] } } })
const stack = (setup: SetupDescription) =>
  defineStack({
    name: 'shop',
    timezone: 'UTC',
    services: { web: { image: 'web', port: 1, traffic: 'split', twice: 'allowed' } },
    data: {},
    setup,
    environments: { local: { platform, stores: [directory({ path: 'backups' })] } },
  })
const check = (setup: SetupDescription) => checkStack(stack(setup), 'config/shop.ts')
const none = async () => undefined

describe('what stack files say of secrets', () => {
  test.each([
    [{ a: { KEY: random(8) } }, 'at least 16 bytes'],
    [{ a: { KEY: asComposed('nothing') } }, 'a composed value names others as {secret/key}'],
    [{ a: { KEY: asComposed('{b/KEY}') } }, 'a.KEY is composed of {b/KEY}, which there is not'],
    [{ a: { KEY: asComposed('{b/KEY}') }, b: { KEY: asComposed('{a/KEY}') } }, 'which is composed of it'],
    [{ a: { KEY: asComposed('{a/KEY}') } }, 'a.KEY is composed of {a/KEY}, which is composed of it'],
    [{ A_: { KEY: random(32) } }, 'setup.secrets.A_: Invalid key'],
  ])('%j is refused', async (secrets, why) => {
    await expect(check({ secrets })).rejects.toThrow(why)
  })

  test('a Secret comes behind those that it is composed of', () => {
    const secrets = { a: { URL: asComposed('x://{c/P}') }, b: { P: random(16) }, c: { P: random(16), Q: asComposed('{c/P}{b/P}') } }
    expect(secretOrder(secrets)).toEqual({ order: ['b', 'c', 'a'] })
  })

  test('settings are read only when they are needed; an optional one that is not set is left out', async () => {
    const login = registryLogin({ server: 'registry.internal', username: env('USER_'), password: secret('TOKEN_'), optional: true })
    const described = await check({ secrets: { a: { MUST: from(secret('MUST')), MAY: from(secret('MAY'), { optional: true }) }, login } })
    const wants = makeWants({ description: described, environment: 'local' }, new Settings({ USER_: 'robot' }, 'shop.local.env', {}))
    const read = (name: string, key: string) => (wants.secrets[name]!.keys[key] as { read: () => unknown }).read
    expect(read('a', 'MUST')).toThrow('MUST is not set')
    expect(read('a', 'MAY')()).toBeUndefined()
    expect(read('login', '.dockerconfigjson')()).toBeUndefined()
  })

  test.each(['check-in', 'veza'])('%s makes every key that its pods are documented to read, but for certificates of the ingress', async name => {
    const { setup } = await loadStack(join(project, 'config'), name)
    const byOthers = /^(checkin-tls|veza-(api|chat)-tls|mongo-express-secrets)$/
    const wants = makeWants({ description: { setup, environments: {} } as never, environment: 'staging' }, new Settings({}, '', {}))
    for (const [secretName, keys] of documentedSecrets(name)) {
      if (byOthers.test(secretName)) continue
      expect(Object.keys(wants.secrets[secretName]?.keys ?? {}).sort(), secretName).toEqual([...keys].sort())
    }
  })
})

describe('values', () => {
  const site = { options: { cluster: 'https://k8s.example:6443', namespace: 'shop' } } as Site

  test('in an address what a value is composed of is encoded, elsewhere it is not', async () => {
    const find = async () => 'p@ss/w:rd'
    expect(await composed('redis://:{a/P}@host', find)).toBe('redis://:p%40ss%2Fw%3Ard@host')
    expect(await composed('requirepass {a/P}', find)).toBe('requirepass p@ss/w:rd')
    expect(await composed('redis://:{a/P}@host', none)).toBeUndefined()
  })

  test('a certificate is for its host, and its key is its own', async () => {
    const half = (one: 'certificate' | 'key') => ({ from: 'certificate', host: 'postgres-service', half: one }) as const
    const values = await made(site, 'postgres-tls', { 'tls.crt': half('certificate'), 'tls.key': half('key') }, none, doing())
    const certificate = new X509Certificate(values['tls.crt']!)
    expect(certificate.checkPrivateKey(createPrivateKey(values['tls.key']!))).toBe(true)
    expect(certificate.checkHost('postgres-service')).toBe('postgres-service')
  })

  test('a pod enters as its own account, and what tells it so holds no secret', async () => {
    const { KUBE_CONFIG } = await made(site, 'shop-runbooks', { KUBE_CONFIG: { from: 'account' } }, none, doing())
    expect(JSON.parse(KUBE_CONFIG!)).toMatchObject({
      clusters: [{ cluster: { server: 'https://k8s.example:6443' } }],
      users: [{ user: { tokenFile: '/var/run/secrets/kubernetes.io/serviceaccount/token' } }],
    })
  })
})

describe('setup.ts', () => {
  test('has nothing to do for a sandbox, and needs a platform', async () => {
    const world = newWorld()
    const services = `{ web: { script: 'web.ts', versions: ['1'] } }`
    writeFileSync(
      join(world.config, 'shop.ts'),
      `import { defineStack, directory, sandbox } from 'runbooks'
export default defineStack({ name: 'shop', timezone: 'UTC', services: { web: { image: 'web', port: 1, traffic: 'split', twice: 'allowed' } }, data: {},
  environments: { local: { platform: sandbox({ directory: 'shop', port: 4000, services: ${services} }), stores: [directory({ path: 'backups' })] } } })\n`,
    )
    const ran = await invoke(world, 'setup', ['--yes'])
    expect([ran.exit, ran.last]).toEqual([0, expect.stringContaining('nothing to do: the sandbox makes what it needs by itself')])
    const without = await invoke(newWorld(), 'setup', ['--yes'])
    expect([without.exit, without.stderr]).toEqual([2, expect.stringContaining('shop/local has no platform')])
    endWorlds()
  })
})
