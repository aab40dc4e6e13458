import { expect, test } from 'vitest'
import { compose, directory, files, mongodb, type Part, type PlatformDescription, postgres, redis, secret } from '../../lib/stack/describe.ts'
import { check } from '../../lib/stack/describe-checks.ts'
import { makeSite } from '../../lib/stack/load.ts'
import { checkStack } from '../../lib/stack/schema.ts'
import { Settings } from '../../lib/stack/settings.ts'
import { doing } from '../exec/doing.ts'

const stack = (parts: Readonly<Record<string, Part>>, platform?: PlatformDescription, checks: readonly ReturnType<typeof check.redis>[] = []) =>
  checkStack(
    {
      name: 'shop',
      timezone: 'UTC',
      data: parts,
      checks,
      environments: { local: { stores: [directory({ path: 'b' })], ...(platform ? { platform } : {}) } },
    },
    'shop.ts',
  )
const service = { compose: { project: 'shop' }, service: 'app' }
const PARTS = {
  database: postgres({ in: 'postgres', database: 'shop' }),
  cache: redis({ in: 'redis' }),
  documents: mongodb({ in: 'mongodb', uri: secret('SHOP_URI'), databases: ['shop'] }),
  media: files({ in: 'media', directory: '/srv/media' }),
}
const PLATFORM = compose({
  host: 'ssh://deploy@shop',
  key: secret('SSH_KEY'),
  project: 'shop',
  directory: '/srv/shop',
  files: 'compose',
  door: 'http://127.0.0.1:80',
})
const settings = (env: NodeJS.ProcessEnv) => new Settings({ SHOP_URI: 'mongodb://127.0.0.1:27017/', ...env }, 'shop.local.env', {})

test('every kind of data that has tools may be in a service, of a Compose project or of the platform', async () => {
  await stack({ part: files({ directory: '/srv/media', in: service }) })
  await stack({ part: mongodb({ uri: secret('SHOP_URI'), databases: ['shop'], in: service }) })
  await stack(PARTS, PLATFORM)
})

test('a folder in a service that is written as if it were here is no valid stack', async () => {
  for (const within of [service, 'media'])
    await expect(stack({ part: files({ directory: 'media', in: within }) }, PLATFORM)).rejects.toMatchObject({
      exit: 2,
      message: expect.stringContaining('absolute'),
    })
})

test.each(['', '-x', 'a b', 'a/b'])('%j is no name of a service', async name => {
  await expect(stack({ part: redis({ in: name }) }, PLATFORM)).rejects.toMatchObject({ exit: 2, message: expect.stringContaining('data.part') })
})

test('a part or a check in a service of the platform, where there is none, is no valid stack', async () => {
  await expect(stack({ cache: redis({ in: 'redis' }) })).rejects.toMatchObject({
    exit: 2,
    message: expect.stringContaining('environments.local: data.cache is in "redis", a service of the platform'),
  })
  const looks = [check.redis({ in: 'redis' })]
  await expect(stack({ cache: redis({ host: '127.0.0.1' }) }, undefined, looks)).rejects.toMatchObject({
    exit: 2,
    message: expect.stringContaining('environments.local: checks.0 is in "redis"'),
  })
})

test('parts are entered as the platform enters its services, and say so', async () => {
  const { parts } = await makeSite(await stack(PARTS, PLATFORM), 'local', settings({ SSH_KEY: 'a key' }))
  const where = 'ssh://deploy@shop shop in /srv/shop'
  expect([...parts.values()].map(part => part.where)).toEqual([
    `${where}: postgres postgres://local/shop`,
    `${where}: redis redis://127.0.0.1:6379`,
    `${where}: mongodb mongodb://127.0.0.1:27017/shop`,
    `${where}: media /srv/media`,
  ])
  expect(parts.get('database')?.dump().prints).toMatch(/^ssh .*deploy@shop docker compose -p shop exec -T postgres pg_dump /)
  expect(parts.get('media')?.dump().prints).toMatch(/^ssh .*deploy@shop docker compose -p shop exec -T media tar -c /)
})

test('on a machine where the platform is not set up, each part is unreachable and says why, and nothing breaks', async () => {
  const { parts, checks } = await makeSite(await stack(PARTS, PLATFORM, [check.redis({ in: 'redis' })]), 'local', settings({}))
  const because = expect.stringContaining('SSH_KEY is not set')
  for (const part of parts.values()) {
    expect(await part.facts(doing())).toMatchObject({ state: 'unreachable', because })
    expect(part.dump().prints).not.toBe('')
  }
  await expect((async () => Array.fromAsync(parts.get('database')!.dump().open(doing())))()).rejects.toMatchObject({ exit: 8, message: because })
  expect(await (await checks?.())?.[0]?.look(doing())).toMatchObject({ is: 'unknown', says: because })
})
