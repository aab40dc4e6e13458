import { spawnSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { printIndex } from '../../lib/backups/frame-index.ts'
import { compress, decompress, decompressRange, FRAME_BYTES } from '../../lib/backups/frames.ts'
import { collect, cut, documents, sha256 } from './frames-helpers.ts'

async function packed(plain: Buffer, options: Parameters<typeof compress>[1] = {}, lengths?: readonly number[]) {
  const work = compress(cut(plain, lengths), options)
  const stored = await collect(work.stored)
  return { stored, ...work.done() }
}

describe('compress', () => {
  test('the zstd program reads what it wrote, checks it, and finds the sizes in it', async () => {
    const plain = documents(3 * FRAME_BYTES + 12_345)
    const { stored } = await packed(plain)
    const unzstd = spawnSync('zstd', ['-dc'], { input: stored, maxBuffer: 2 ** 26 })
    expect(unzstd.status).toBe(0)
    expect(unzstd.stdout.equals(plain)).toBe(true)
    const list = spawnSync('sh', ['-c', 'f=$(mktemp) && cat > "$f" && zstd -lv "$f"; rm -f "$f"'], { input: stored }).stdout.toString()
    expect(list).toMatch(/# Zstandard Frames: 4/)
    expect(list).toMatch(/Check: XXH64/)
    expect(list).toContain(`(${plain.length} B)`)
  })

  test('an empty input is one empty frame, which the zstd program takes', async () => {
    const { stored, index, plainBytes } = await packed(Buffer.alloc(0))
    expect(index.stored).toEqual([stored.length])
    expect(plainBytes).toBe(0)
    expect(spawnSync('zstd', ['-dc'], { input: stored })).toMatchObject({ status: 0, stdout: Buffer.alloc(0) })
    expect(await collect(decompress(cut(stored), index).plain)).toEqual(Buffer.alloc(0))
  })

  test('bytes that do not compress come through', async () => {
    const plain = crypto.getRandomValues(Buffer.alloc(65_536))
    const { stored, index } = await packed(plain, { frameBytes: 4_096 })
    expect(stored.length).toBeGreaterThan(plain.length)
    expect((await collect(decompress(cut(stored), index).plain)).equals(plain)).toBe(true)
  })

  test('has no result before its stream was read', async () => {
    const work = compress(cut(Buffer.from('x')))
    expect(() => work.done()).toThrow('not read to its end')
    for await (const _ of work.stored) break
    expect(() => work.done()).toThrow('not read to its end')
  })

  test('a source that throws is never taken for a whole one', async () => {
    async function* source() {
      yield documents(3_000_000)
      throw new Error('mongodump exited 1')
    }
    const work = compress(source())
    await expect(collect(work.stored)).rejects.toThrow('mongodump exited 1')
    expect(() => work.done()).toThrow('not read to its end')
  })

  test('a consumer that stops early lets go of the source', async () => {
    let released = false
    async function* source() {
      try {
        for (;;) yield Buffer.alloc(FRAME_BYTES)
      } finally {
        released = true
      }
    }
    for await (const _ of compress(source()).stored) break
    expect(released).toBe(true)
  })
})

describe('there and back', () => {
  const small = { frameBytes: 1_024 }

  test('any size in any chunks comes back equal, with the same receipt on both ways', async () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 3_000 }), { minLength: 1, maxLength: 5 })
    const sizes = fc.oneof(fc.integer({ min: 0, max: 9_000 }), fc.constantFrom(1_023, 1_024, 1_025, 2_048, 8_192))
    await fc.assert(
      fc.asyncProperty(sizes, lengths, lengths, fc.integer({ min: 1, max: 5 }), async (size, into, from, parallel) => {
        const plain = documents(size)
        const { stored, index, ...receipt } = await packed(plain, { ...small, parallel }, into)
        expect(receipt).toEqual({ plainBytes: size, plainSha256: sha256(plain), storedBytes: stored.length, storedSha256: sha256(stored) })
        const back = decompress(cut(stored, from), index, { parallel })
        expect((await collect(back.plain)).equals(plain)).toBe(true)
        expect(back.done()).toEqual(receipt)
      }),
      { numRuns: 100 },
    )
  })

  test('any range is found without reading other frames', async () => {
    const plain = documents(7_777)
    const { stored, index } = await packed(plain, small)
    const edges = fc.integer({ min: 0, max: plain.length })
    await fc.assert(
      fc.asyncProperty(edges, edges, async (a, b) => {
        const [from, to] = a < b ? [a, b] : [b, a]
        let read = 0
        const open = ({ start, end }: { start: number; end: number }) => {
          read += end - start
          return cut(stored.subarray(start, end), [100])
        }
        expect((await collect(decompressRange(open, index, from, to))).equals(plain.subarray(from, to))).toBe(true)
        const frames = from === to ? 0 : Math.ceil(to / 1_024) - Math.floor(from / 1_024)
        expect(read).toBeLessThanOrEqual(frames * Math.max(...index.stored))
      }),
    )
    await expect(collect(decompressRange(() => cut(stored), index, 0, plain.length + 1))).rejects.toThrow(RangeError)
  })

  test('memory is bounded by the frames under way, not by the size', async () => {
    const chunk = documents(FRAME_BYTES)
    async function* source() {
      for (let i = 0; i < 400; i++) yield chunk
    }
    const before = process.memoryUsage.rss()
    let peak = 0
    const there = compress(source())
    const lengths: number[] = []
    async function* counted() {
      for await (const frame of there.stored) {
        lengths.push(frame.length)
        peak = Math.max(peak, process.memoryUsage.rss())
        yield frame
      }
    }
    const index = { format: 1, frameBytes: FRAME_BYTES, plainBytes: 400 * FRAME_BYTES, stored: Array<number>(400) } as const
    // All frames are alike, so the first tells the index of the rest.
    index.stored.fill((await packed(chunk)).stored.length)
    let plain = 0
    for await (const frame of decompress(counted(), index).plain) plain += frame.length
    expect(plain).toBe(400 * FRAME_BYTES)
    expect(printIndex(there.done().index)).toBe(printIndex(index))
    expect(peak - before).toBeLessThan(150 * 2 ** 20)
  })
})
