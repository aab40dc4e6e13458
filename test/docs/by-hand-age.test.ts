import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bareEnv, endWorlds, invoke, newWorld, pointsOf, rowsOf, type World } from '../runbooks/kit.ts'
import { available } from '../testbed/index.ts'
import { block } from './documents.ts'

const PAGE = 'docs/recovery-point.md'
const lacking = [available('age'), available('zstd')].filter(found => found !== true)

afterAll(endWorlds)

describe.skipIf(lacking.length > 0)(`an encrypted recovery point by hand ${lacking.map(why => `(skipped: ${why})`).join(' ')}`, () => {
  let world: World
  let point: string
  beforeAll(async () => {
    world = newWorld()
    const recipients = ['ops.key', 'vault.key', 'stranger.key'].map(name => {
      const made = spawnSync('age-keygen', ['-o', join(world.folder, name)], { encoding: 'utf8' })
      return /age1\w+/.exec(made.stderr)?.[0] ?? ''
    })
    const file = join(world.config, 'shop.ts')
    const encryption = `name: 'shop',\n  backups: { encryption: { kind: 'age', recipients: ['${recipients.slice(0, 2).join("', '")}'] } },`
    writeFileSync(file, readFileSync(file, 'utf8').replace("name: 'shop',", encryption))
    expect((await invoke(world, 'backup', ['--yes'])).last).toContain('DONE')
    point = join(world.store, 'shop/local', pointsOf(world).at(-1) ?? '')
  })

  /** Runs a block of the page in a folder, as a person would: a plain shell. */
  const typed = (name: string, cwd: string, env: Readonly<Record<string, string>>) =>
    spawnSync('/bin/sh', ['-eu', '-c', block(PAGE, name)], {
      cwd,
      encoding: 'utf8',
      env: { ...bareEnv(world), PATH: process.env.PATH ?? '', ...env },
    })

  const folder = (name: string) => {
    mkdirSync(join(world.folder, name))
    return join(world.folder, name)
  }

  test.each(['ops.key', 'vault.key'])('%s alone decrypts it, and the other commands go on from there', key => {
    const [PLAIN, TO] = [folder(`plain ${key}`), folder(`to ${key}`)]
    const opened = typed('age', point, { IDENTITY: join(world.folder, key), PLAIN })
    expect(opened.stderr).toBe('')
    expect(opened.status).toBe(0)
    expect(readdirSync(PLAIN).sort()).toEqual(['database.sqlite.zst', 'manifest.json', 'media.tar.zst'])
    const env = { TO }
    expect(typed('check', PLAIN, env).stdout).toBe('database.sqlite.zst is as recorded\nmedia.tar.zst is as recorded\n')
    expect(typed('manifest', PLAIN, env).stdout).toBe('the manifest is as it was written\n')
    expect(typed('sqlite', PLAIN, env).status).toBe(0)
    expect(rowsOf(join(TO, 'shop.sqlite'))).toBe(rowsOf(world.database))
    expect(typed('files', PLAIN, env).status).toBe(0)
    expect(readdirSync(join(TO, 'media'))).toHaveLength(5)
  })

  test('an identity of somebody else opens nothing', () => {
    const PLAIN = folder('nothing')
    const refused = typed('age', point, { IDENTITY: join(world.folder, 'stranger.key'), PLAIN })
    expect(refused.status).not.toBe(0)
    expect(refused.stderr).toContain('no identity matched')
    expect(readdirSync(PLAIN).filter(name => name.endsWith('.zst'))).toEqual([])
  })

  test('a flipped bit is named before anything is decrypted', () => {
    const object = join(point, 'database.sqlite.zst.age')
    const bytes = readFileSync(object)
    bytes.writeUInt8(bytes.readUInt8(bytes.length >> 1) ^ 1, bytes.length >> 1)
    chmodSync(object, 0o600)
    writeFileSync(object, bytes)
    const found = typed('age', point, { IDENTITY: join(world.folder, 'ops.key'), PLAIN: folder('flipped') })
    expect(found.stdout).toBe('database.sqlite.zst.age is NOT as recorded\n')
    expect(found.status).toBe(1)
  })
})
