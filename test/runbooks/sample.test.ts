import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { generateX25519Identity, identityToRecipient } from 'age-encryption'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { copyOf, endWorlds, invoke, jsonOf, newWorld, pointsOf, type World } from './kit.ts'

// Each test starts several runbooks, one after the other.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

let base: World
let point: string

beforeAll(async () => {
  base = newWorld()
  writeFileSync(join(base.media, 'film.bin'), randomBytes(30 * 2 ** 20))
  const ran = await invoke(base, 'backup', ['--yes'])
  expect(ran.exit, ran.stderr).toBe(0)
  point = pointsOf(base)[0] ?? ''
})
afterAll(endWorlds)

const at = (world: World, file: string) => join(world.store, 'shop/local', point, file)
const statusOf = async (world: World) => (jsonOf(await invoke(world, 'backup-list', ['--json'])).result as [{ status: string }])[0].status
const proofs = (world: World) => readdirSync(at(world, '.')).filter(name => name.startsWith('proof-'))

function flip(world: World, byte: (bytes: Buffer) => number): void {
  const bytes = readFileSync(at(world, 'media.tar.zst'))
  const where = byte(bytes)
  bytes[where] = bytes[where]! ^ 4
  writeFileSync(at(world, 'media.tar.zst'), bytes)
}

test('a good sample says what it proves, shows its seed, leaves a proof, and makes no status better', async () => {
  const world = copyOf(base)
  const ran = await invoke(world, 'backup-verify', ['--sample', '--seed=abc', '--yes'])
  expect([ran.exit, ran.last], ran.stderr).toEqual([
    0,
    expect.stringMatching(/^SAMPLED shop\/local: 9 of 32 frames of 1 backup are as written, seed abc/),
  ])
  expect(ran.stdout).toMatch(/one damaged frame would have been found with a chance of 28\.1 %, .* makes no backup VERIFIED/)
  expect(proofs(world)).toEqual([expect.stringMatching(/^proof-.*-sample-good-/)])
  const proof = JSON.parse(readFileSync(at(world, proofs(world)[0] ?? ''), 'utf8'))
  expect(proof.sample).toEqual({ percent: 5, seed: 'abc', frames: 9, of: 32 })
  // Nobody read this one back: what was not verified is not so after a sample either.
  const { seal, unseal } = await import('../../lib/backups/manifest.ts')
  const manifest = unseal(readFileSync(at(world, 'manifest.json'), 'utf8'), 'it') as { parts: Record<string, object> }
  const parts = Object.fromEntries(Object.entries(manifest.parts).map(([name, part]) => [name, { ...part, readBack: '' }]))
  writeFileSync(at(world, 'manifest.json'), seal({ ...manifest, parts }))
  expect(await statusOf(world)).toBe('UNVERIFIED')
  const again = await invoke(world, 'backup-verify', ['--sample', '--json', '--yes'])
  expect(jsonOf(again).result).toMatchObject({ sampled: true, frames: 9, of: 32, backups: [{ backup: point, good: true }] })
  expect(await statusOf(world)).toBe('UNVERIFIED')
})

test('a damaged frame makes the backup CORRUPT, by part and byte, and only a whole reading can take that back', async () => {
  const world = copyOf(base)
  flip(world, () => 100)
  const ran = await invoke(world, 'backup-verify', ['--sample', '--yes'])
  expect([ran.exit, ran.last], ran.stderr).toEqual([7, expect.stringMatching(/^CORRUPT/)])
  expect(ran.stderr.replace(/\s+/g, ' ')).toContain('media: media.tar.zst, byte 0: frame 0 is damaged')
  expect(await statusOf(world)).toBe('CORRUPT')
  expect((await invoke(world, 'restore', ['--backup=latest', '--confirm=shop/local'])).exit).toBe(3)
  flip(world, () => 100)
  expect((await invoke(world, 'backup-verify', ['--sample', '--yes'])).exit).toBe(0)
  expect(await statusOf(world)).toBe('CORRUPT')
  expect((await invoke(world, 'backup-verify', ['--yes'])).exit).toBe(0)
  expect(await statusOf(world)).toBe('VERIFIED')
})

test('damage in what a sample did not read is found by a whole reading, and by a sample of everything', async () => {
  const world = copyOf(base)
  const { chosenFrames } = await import('../../lib/backups/sample.ts')
  const lengths: number[] = JSON.parse(readFileSync(at(world, 'media.tar.zst.frames.json'), 'utf8')).stored
  const chosen = chosenFrames(lengths.length, { percent: 5, seed: 'abc' }, 'media')
  const unread = lengths.findIndex((_, frame) => !chosen.includes(frame))
  flip(world, () => lengths.slice(0, unread).reduce((sum, length) => sum + length, 0) + 50)
  expect((await invoke(world, 'backup-verify', ['--sample', '--seed=abc', '--yes'])).exit).toBe(0)
  expect((await invoke(world, 'backup-verify', ['--sample', '--percent=100', '--yes'])).exit).toBe(7)
  expect((await invoke(world, 'backup-verify', ['--yes'])).exit).toBe(7)
})

test('what cannot be asked for is refused', async () => {
  for (const flags of [['--sample', '--percent=0'], ['--sample', '--percent=many'], ['--percent=5'], ['--seed=x']]) {
    const ran = await invoke(base, 'backup-verify', [...flags, '--yes'])
    expect([ran.exit, proofs(base)], flags.join(' ')).toEqual([2, []])
  }
})

test('an encrypted backup is sampled with an identity only, and refused without, in plain words', async () => {
  const world = newWorld()
  const key = await generateX25519Identity()
  const stack = join(world.config, 'shop.ts')
  const recipients = `backups: { encryption: age({ recipients: ['${await identityToRecipient(key)}'] }) }, environments:`
  writeFileSync(stack, readFileSync(stack, 'utf8').replace('import { ', 'import { age, ').replace('environments:', recipients))
  mkdirSync(join(world.folder, 'keys'))
  writeFileSync(join(world.folder, 'keys/identity'), `${key}\n`, { mode: 0o600 })
  const made = await invoke(world, 'backup', ['--yes'])
  expect(made.exit, made.stderr).toBe(0)
  const refused = await invoke(world, 'backup-verify', ['--sample', '--yes'])
  expect([refused.exit, refused.stderr], refused.stdout).toEqual([3, expect.stringContaining('nothing of an encrypted backup can be sampled')])
  const ran = await invoke(world, 'backup-verify', ['--sample', `--identity=${join(world.folder, 'keys/identity')}`, '--yes'])
  expect([ran.exit, ran.last], ran.stderr).toEqual([0, expect.stringMatching(/^SAMPLED/)])
})
