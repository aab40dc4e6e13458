import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generateX25519Identity, identityToRecipient } from 'age-encryption'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { ageRanges } from '../../lib/backups/age-range.ts'
import { type Encryption, encrypted } from '../../lib/backups/encryption.ts'
import { printIndex } from '../../lib/backups/frame-index.ts'
import { compress } from '../../lib/backups/frames.ts'
import { chosenFrames, sampled } from '../../lib/backups/sample.ts'
import type { Stored } from '../../lib/backups/transfer.ts'
import { Trouble } from '../../lib/plan/outcome.ts'
import { Secret } from '../../lib/plan/secrets.ts'
import { directory } from '../../lib/stores/directory/index.ts'
import type { Store } from '../../lib/stores/store.ts'
import { collect, doing } from '../exec/doing.ts'

const folder = mkdtempSync(join(tmpdir(), 'runbooks-sample-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const sum = (bytes: Buffer) => ({ bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') })

async function* one(bytes: Buffer): AsyncIterable<Buffer> {
  yield bytes
}

/** A part of `frames` small frames in a folder of its own. */
async function partOf(frames: number, encryption?: Encryption): Promise<{ part: Stored; store: Store; object: string }> {
  const root = mkdtempSync(join(folder, 'store-'))
  const path = join(root, 'point')
  mkdirSync(path)
  const plain = randomBytes(frames * 4_096 - 100)
  const packing = compress(one(plain), { frameBytes: 4_096 })
  const packed = await collect(packing.stored)
  const stored = encryption ? await collect(encrypted(one(packed), encryption)) : packed
  const index = Buffer.from(printIndex(packing.done().index))
  const object = join(path, 'a.zst')
  writeFileSync(object, stored)
  writeFileSync(join(path, 'a.frames'), index)
  const part = { object: 'a.zst', frames: 'a.frames', plain: sum(plain), packed: sum(packed), stored: sum(stored), index: sum(index) }
  return { part, store: directory({ path: root }), object }
}

/** A sample of the part `media`. */
const sample = (store: Store, part: Stored, percent = 5, identities: readonly Secret[] = [], seed = 'one') =>
  sampled(store, 'point', part, { sampling: { percent, seed }, identities, name: 'media' }, doing())

function flip(file: string, at: number): void {
  const bytes = readFileSync(file)
  bytes[at] = bytes[at]! ^ 4
  writeFileSync(file, bytes)
}

describe('the choice of frames', () => {
  it('has the first, the last, no frame twice, as many as were asked for, and is the same for the same seed', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3_000 }), fc.integer({ min: 1, max: 100 }), fc.string(), (frames, percent, seed) => {
        const chosen = chosenFrames(frames, { percent, seed }, 'database')
        expect([chosen[0], chosen.at(-1)]).toEqual([0, frames - 1])
        expect(chosen.length).toBe(Math.min(frames, Math.max(8, Math.ceil((frames * percent) / 100))))
        expect([...new Set(chosen)].sort((a, b) => a - b)).toEqual(chosen)
        expect(chosenFrames(frames, { percent, seed }, 'database')).toEqual(chosen)
      }),
    )
  })

  it('reaches every frame with other seeds, none much more often than others', () => {
    const times = new Map<number, number>()
    for (let seed = 0; seed < 4_000; seed++)
      for (const frame of chosenFrames(40, { percent: 20, seed: String(seed) }, 'database')) times.set(frame, (times.get(frame) ?? 0) + 1)
    const middle = Array.from({ length: 38 }, (_, i) => times.get(i + 1) ?? 0)
    // 6 of the 38 in the middle are chosen each time: 632 times each, with a deviation of 23.
    expect(Math.min(...middle)).toBeGreaterThan(500)
    expect(Math.max(...middle)).toBeLessThan(760)
  })

  it('of a million frames is made in seconds', { timeout: 60_000 }, () => {
    expect(chosenFrames(1_000_000, { percent: 5, seed: 'x' }, 'media')).toHaveLength(50_000)
  })
})

describe('a sample of a part', () => {
  it('reads no more than its frames', async () => {
    const { part, store } = await partOf(200)
    let read = 0
    const counting: Store = {
      ...store,
      async *get(path, work, range) {
        for await (const chunk of store.get(path, work, range)) {
          if (path.endsWith('.zst')) read += chunk.length
          yield chunk
        }
      },
    }
    const found = await sample(counting, part)
    expect(found).toMatchObject({ finding: null, frames: 10, of: 200, bytes: read })
    expect(read).toBeLessThan(part.stored.bytes / 15)
  })

  it('names the object and the byte of a damaged frame, and does not see one that it did not read', async () => {
    const { part, store, object } = await partOf(200)
    const lengths: number[] = JSON.parse(readFileSync(object.replace('a.zst', 'a.frames'), 'utf8')).stored
    const start = (frame: number) => lengths.slice(0, frame).reduce((sum, length) => sum + length, 0)
    const chosen = chosenFrames(200, { percent: 5, seed: 'one' }, 'media')
    flip(object, start(Array.from({ length: 200 }, (_, i) => i).find(frame => !chosen.includes(frame))!) + 100)
    expect((await sample(store, part)).finding).toBeNull()
    flip(object, start(chosen[4]!) + 100)
    expect((await sample(store, part)).finding).toMatch(
      new RegExp(`^a\\.zst, byte ${start(chosen[4]!).toLocaleString('en-US')}: frame ${chosen[4]} is damaged`),
    )
    for (const frame of chosen.slice(5)) flip(object, start(frame) + 100)
    flip(object, start(0) + 100)
    expect((await sample(store, part)).finding).toMatch(/; 2 more damaged frames$/)
  })

  it('finds a cut object, an index that is not the recorded one, and one of other lengths', async () => {
    const { part, store, object } = await partOf(20)
    const index = object.replace('a.zst', 'a.frames')
    writeFileSync(object, readFileSync(object).subarray(0, -1))
    expect((await sample(store, part)).finding).toMatch(/^a\.zst has [\d,]+ of [\d,]+ bytes$/)
    writeFileSync(index, readFileSync(index, 'utf8').replace('"stored"', '"stored" '))
    await expect(sample(store, part)).rejects.toMatchObject({ exit: 7, message: expect.stringContaining('SHA-256') })
    const other = await partOf(20)
    const wrong = { ...other.part, packed: { ...other.part.packed, bytes: 5 }, stored: { ...other.part.stored, sha256: other.part.packed.sha256 } }
    expect((await sample(other.store, wrong)).finding).toMatch(/counts [\d,]+ bytes where the manifest has 5/)
  })
})

describe('a sample of an encrypted part', () => {
  it('is decrypted with an identity alone, and a flipped bit is found', async () => {
    const identity = await generateX25519Identity()
    const { part, store, object } = await partOf(200, { kind: 'age', recipients: [await identityToRecipient(identity)] })
    const keys = [new Secret('identity', identity)]
    expect(await sample(store, part, 5, keys)).toMatchObject({ finding: null, frames: 10, of: 200 })
    const stranger = [new Secret('identity', await generateX25519Identity())]
    await expect(sample(store, part, 5, stranger)).rejects.toMatchObject({ exit: 3 })
    flip(object, part.stored.bytes - 20)
    expect((await sample(store, part, 5, keys)).finding).toMatch(/frame 199 is damaged \(the ciphertext was cut or altered/)
    flip(object, 60)
    await expect(sample(store, part, 5, keys)).rejects.toBeInstanceOf(Trouble)
  })

  it('gives any range of any length as it was encrypted', async () => {
    const identity = await generateX25519Identity()
    const encryption: Encryption = { kind: 'age', recipients: [await identityToRecipient(identity)] }
    // One byte, both sides of a chunk's end, whole chunks, and a last one that is short.
    for (const length of [1, 65_535, 65_536, 65_537, 131_072, 300_000]) {
      const plain = randomBytes(length)
      const cipher = await collect(encrypted(one(plain), encryption))
      const open = await ageRanges(({ start, end }) => one(cipher.subarray(start, end)), cipher.length, [new Secret('identity', identity)], 'x')
      for (const [start, end] of [
        [0, length],
        [length - 1, length],
        [Math.floor(length / 3), Math.ceil((2 * length) / 3)],
        [Math.max(0, 65_530), Math.min(length, 65_540)],
      ] as const)
        if (start < end) expect((await collect(open({ start, end }))).equals(plain.subarray(start, end)), `${start}–${end} of ${length}`).toBe(true)
    }
  })
})
