import { chmodSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { generateX25519Identity, identityToRecipient } from 'age-encryption'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { copyOf, endWorlds, invoke, jsonOf, newWorld, rowsOf, type World } from '../runbooks/kit.ts'

afterAll(endWorlds)

const identity = await generateX25519Identity()
const recipient = await identityToRecipient(identity)
const template = newWorld()

function stack(world: World, policy: 'all' | 'any'): void {
  writeFileSync(
    join(world.config, 'shop.ts'),
    `import { age, defineStack, directory, files, sqlite } from 'runbooks'
export default defineStack({
  name: 'shop', timezone: 'Europe/Paris',
  data: { database: sqlite({ file: 'shop.sqlite' }), media: files({ directory: 'media' }) },
  backups: { policy: '${policy}', encryption: age({ recipients: ['${recipient}'] }) },
  environments: { local: { stores: [directory({ name: 'near', path: 'near' }), directory({ name: 'far', path: 'far' })] } },
})
`,
  )
  writeFileSync(join(world.folder, 'id.txt'), `${identity}\n`)
  chmodSync(join(world.folder, 'id.txt'), 0o600)
}

const points = (world: World, store: string) => {
  const folder = join(world.home, store, 'shop/local')
  return existsSync(folder) ? readdirSync(folder).filter(id => existsSync(join(folder, id, 'manifest.json'))) : []
}

/** A store that nobody can reach: a file stands where its folder should. */
function breakStore(world: World, store: string): void {
  if (existsSync(join(world.home, store))) renameSync(join(world.home, store), join(world.home, `${store}.away`))
  writeFileSync(join(world.home, store), '')
}

function mendStore(world: World, store: string): void {
  rmSync(join(world.home, store))
  if (existsSync(join(world.home, `${store}.away`))) renameSync(join(world.home, `${store}.away`), join(world.home, store))
}

describe('a stack with two stores and encryption', () => {
  let world: World
  beforeEach(() => {
    world = copyOf(template)
    stack(world, 'all')
  })

  it('reads the data once and puts the same bytes into both', async () => {
    const ran = await invoke(world, 'backup', ['--yes', '--json'])
    expect(jsonOf(ran)).toMatchObject({ exit: 0, result: { stores: ['near', 'far'] } })
    const [id = ''] = points(world, 'near')
    for (const file of ['manifest.json', 'database.sqlite.zst.age', 'media.tar.zst.age'])
      expect(readFileSync(join(world.home, 'far/shop/local', id, file)).equals(readFileSync(join(world.home, 'near/shop/local', id, file)))).toBe(
        true,
      )
  })

  it('never lets plain data reach a store', async () => {
    await invoke(world, 'backup', ['--yes'])
    const [id = ''] = points(world, 'far')
    const folder = join(world.home, 'far/shop/local', id)
    for (const file of readdirSync(folder)) expect(readFileSync(join(folder, file)).includes('photo 3\n')).toBe(false)
    expect(readFileSync(join(folder, 'media.tar.zst.age')).subarray(0, 21).toString()).toBe('age-encryption.org/v1')
  })

  it('says which store lacks the backup, exits 7, and catches up with the next', async () => {
    breakStore(world, 'far')
    const partly = await invoke(world, 'backup', ['--yes'])
    expect(partly.exit).toBe(7)
    expect(partly.last).toMatch(/^PARTLY shop\/local: .* in 1 of 2 stores/)
    expect(partly.stderr).toContain('it is not in far')
    mendStore(world, 'far')
    const next = await invoke(world, 'backup', ['--yes'])
    expect(next.exit).toBe(0)
    expect(points(world, 'far')).toEqual(points(world, 'near'))
    expect(points(world, 'far')).toHaveLength(2)
  })

  it('restores from the second store when the first is gone', async () => {
    await invoke(world, 'backup', ['--yes'])
    const before = rowsOf(world.database)
    rmSync(world.database)
    breakStore(world, 'near')
    const ran = await invoke(world, 'restore', ['--yes', '--backup=latest', '--store=far', `--identity=${join(world.folder, 'id.txt')}`])
    expect(ran.exit, ran.stderr).toBe(0)
    expect(rowsOf(world.database)).toBe(before)
  })

  it('refuses to restore without an identity, and touches nothing', async () => {
    await invoke(world, 'backup', ['--yes'])
    const ran = await invoke(world, 'restore', ['--yes', '--backup=latest'])
    expect(ran.exit).toBe(3)
    expect(ran.stderr).toContain('add --identity=<file>')
    expect(ran.last).toBe('REFUSED shop/local: nothing was touched (exit 3)')
  })

  it('certifies with the identity, and without it still proves that the bytes are as written', async () => {
    await invoke(world, 'backup', ['--yes'])
    expect((await invoke(world, 'backup-verify', ['--yes'])).last).toMatch(/^VERIFIED/)
    expect((await invoke(world, 'restore-drill', ['--yes', `--identity=${join(world.folder, 'id.txt')}`])).last).toMatch(/^CERTIFIED/)
    const [id = ''] = points(world, 'near')
    const object = join(world.home, 'near/shop/local', id, 'media.tar.zst.age')
    const bytes = readFileSync(object)
    bytes[200] = (bytes[200] ?? 0) ^ 1
    chmodSync(object, 0o600)
    writeFileSync(object, bytes)
    const ran = await invoke(world, 'backup-verify', ['--yes'])
    expect(ran.exit).toBe(7)
    expect(ran.stderr).toContain('media')
  })
})

describe('the policy any', () => {
  it('goes on with the store that can be reached, and brings the other up to date later', async () => {
    const world = copyOf(template)
    stack(world, 'any')
    breakStore(world, 'near')
    const ran = await invoke(world, 'backup', ['--yes', '--json'])
    expect(jsonOf(ran), ran.stderr).toMatchObject({ exit: 0, result: { stores: ['far'] } })
    mendStore(world, 'near')
    expect((await invoke(world, 'backup', ['--yes'])).exit).toBe(0)
    expect(points(world, 'near')).toEqual(points(world, 'far'))
    expect(points(world, 'near')).toHaveLength(2)
  })
})
