import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { directory, files } from '../../lib/index.ts'
import { checkStack } from '../../lib/stack/schema.ts'
import { invoke, newWorld, removeWorld, type World } from './toys/invoke.ts'

/** The least that a stack file may say, as its author wrote it. */
const good = () => ({
  name: 'shop',
  timezone: 'Europe/Paris',
  data: { media: files({ directory: '/srv/media' }) } as Record<string, unknown>,
  environments: { local: { stores: [directory({ path: '/srv/backups' })] } as Record<string, unknown> },
})
type Written = ReturnType<typeof good> & Record<string, unknown>

const FILE = '/etc/runbooks/shop.ts'
const GOOD = `{
  name: 'shop', timezone: 'Europe/Paris',
  data: { media: files({ directory: '/srv/media' }) },
  environments: { local: { stores: [directory({ path: '/srv/backups' })] } },
}`

describe('a stack', () => {
  it('that is right is taken as it is', async () => {
    expect(await checkStack(good(), FILE)).toEqual(good())
  })

  it.each<[string, (stack: Written) => unknown, RegExp]>([
    ['a wrong time zone', s => ({ ...s, timezone: 'Europe/Pari' }), /timezone: a time zone is written Europe\/Paris, found "Europe\/Pari"/],
    ['a misspelt field', ({ timezone, ...s }) => ({ ...s, timezon: timezone }), /timezone: .*undefined\n.*the stack: .*"timezon"/],
    [
      'a misspelt field of an environment',
      s => ({ ...s, environments: { local: { store: [] } } }),
      /environments\.local\.stores: .*\n.*local: .*"store"/,
    ],
    [
      'a misspelt option of a member',
      s => ({ ...s, data: { media: { ...files({ directory: '' }), options: { direktory: '/srv' } } } }),
      /data\.media\.directory: a text, env\('NAME'\) or secret\('NAME'\)\n.*data\.media: .*"direktory"/,
    ],
    [
      'a wrong type',
      s => ({ ...s, environments: { local: { stores: [{ ...directory({ path: '' }), options: { path: 7 } }] } } }),
      /environments\.local\.stores\.0\.path: a text, .*, found 7/,
    ],
    ['no store', s => ({ ...s, environments: { local: { stores: [] } } }), /environments\.local\.stores: at least one store/],
    ['a wrong name', s => ({ ...s, name: 'Shop' }), /name: a name has small letters, digits and dashes, found "Shop"/],
    ['a wrong duration', s => ({ ...s, backups: { objectives: { dataLoss: '5 hours' } } }), /dataLoss: a duration is written 30s.*found "5 hours"/],
    ['a store where data is', s => ({ ...s, data: { media: directory({ path: '/x' }) } }), /data\.media\.family: .*"source", found "store"/],
    [
      'a member that there is not',
      s => ({ ...s, data: { media: { family: 'source', kind: 'mongo', options: {} } } }),
      /kind: .*"mongodb".*found "mongo"/,
    ],
    ['nothing at all', () => undefined, /the stack: /],
  ])('with %s is refused: file, field, what was found, what is allowed', async (_, spoil, words) => {
    const refused = checkStack(spoil(good()), FILE)
    await expect(refused).rejects.toMatchObject({ exit: 2, message: expect.stringMatching(words) })
    await expect(refused).rejects.toThrow(`${FILE} is not a valid stack file`)
  })
})

describe('a name that is typed wrong', () => {
  let world: World
  beforeEach(() => {
    world = newWorld()
  })
  afterEach(() => removeWorld(world))

  it.each([
    ['--stack=tooy', 'There is no stack "tooy". Did you mean toy?'],
    ['--stack=../etc/passwd', 'There is no stack'],
    ['--environment=locla', 'There is no environment "locla". Did you mean local?'],
    ['--environment=nowhere', 'There are: local, guarded.'],
    ['--dryrn', 'There is no option --dryrn. Did you mean --dry-run?'],
  ])('%s exits 2 with the nearest one', async (flag, words) => {
    const { code, stderr, last } = await invoke(world, [flag, '--yes'])
    expect([code, last]).toEqual([2, expect.stringMatching(/^USAGE toy: nothing was touched \(exit 2\)$/)])
    expect(stderr.replace(/\n\s+/g, ' ')).toContain(words)
  })

  it('and a folder of stack files that is not there is named', async () => {
    const { code, stderr } = await invoke(world, ['--yes'], { RUNBOOKS_CONFIG: join(world.folder, 'nowhere') })
    expect([code, stderr]).toEqual([2, expect.stringContaining('RUNBOOKS_CONFIG')])
  })

  it.each([
    ['export default nonsense', 'shop.ts could not be loaded: nonsense is not defined'],
    [
      `import { defineStack, directory, files } from 'runbooks'\nexport default defineStack(${GOOD.replace("'shop'", "'store'")})`,
      'name the file store.ts',
    ],
    ['export const stack = 1', 'is not a valid stack file'],
  ])('in a file that says %j is told with the file', async (body, words) => {
    const config = join(world.folder, 'config')
    mkdirSync(config)
    writeFileSync(join(config, 'shop.ts'), body)
    const { code, stderr } = await invoke(world, ['--stack=shop', '--yes'], { RUNBOOKS_CONFIG: config })
    expect([code, stderr.replace(/\n\s+/g, ' ')]).toEqual([2, expect.stringContaining(words)])
  })

  it('in an env file is refused by its variable', async () => {
    const config = join(world.folder, 'config')
    mkdirSync(config)
    writeFileSync(join(config, 'shop.ts'), `import { defineStack, directory, files } from 'runbooks'\nexport default defineStack(${GOOD})\n`)
    writeFileSync(join(config, 'shop.local.env'), 'RUNBOOKS_WAIT=soon\nRUNBOOKS_YES=1\n')
    const ran = await invoke(world, ['--stack=shop', '--yes'], { RUNBOOKS_CONFIG: config })
    expect([ran.code, ran.stderr]).toEqual([2, expect.stringContaining('RUNBOOKS_WAIT is "soon"')])
  })
})
