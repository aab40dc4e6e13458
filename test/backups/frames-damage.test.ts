import { describe, expect, test } from 'vitest'
import type { FrameIndex } from '../../lib/backups/frame-index.ts'
import { compress, decompress, FRAME_BYTES } from '../../lib/backups/frames.ts'
import { Trouble } from '../../lib/plan/outcome.ts'
import { collect, cut, documents } from './frames-helpers.ts'

const plain = documents(5_000)

async function packed(frameBytes = 1_024, bytes = plain) {
  const work = compress(cut(bytes), { frameBytes })
  return { stored: await collect(work.stored), ...work.done() }
}

/** What a verification finds: trouble on the way, or a receipt that differs; undefined when all seems well. */
async function found(stored: Buffer, index: FrameIndex, expected: { storedSha256: string; plainSha256: string }): Promise<string | undefined> {
  try {
    const work = decompress(cut(stored, [700]), index, { name: 'media' })
    await collect(work.plain)
    const got = work.done()
    return got.storedSha256 === expected.storedSha256 && got.plainSha256 === expected.plainSha256 ? undefined : 'the SHA-256 differs'
  } catch (cause) {
    if (cause instanceof Trouble && cause.exit === 7) return cause.message
    throw cause
  }
}

describe('a small object', () => {
  test('is found whole when it is', async () => {
    const { stored, index, ...receipt } = await packed()
    expect(await found(stored, index, receipt)).toBeUndefined()
  })

  test('each byte of it flipped is found', async () => {
    const { stored, index, ...receipt } = await packed()
    for (let at = 0; at < stored.length; at++) {
      const flipped = Buffer.from(stored)
      flipped[at]! ^= 0xff
      expect(await found(flipped, index, receipt), `byte ${at}`).toBeDefined()
    }
  })

  test('each truncation of it is found and named as one, also at the boundary of a frame', async () => {
    const { stored, index, ...receipt } = await packed()
    for (let length = 0; length < stored.length; length++) {
      expect(await found(stored.subarray(0, length), index, receipt), `cut at ${length}`).toMatch(/^media, byte [\d,]+: (the object ends here|frame)/)
    }
    const boundary = index.stored[0]! + index.stored[1]!
    const whole = stored.length.toLocaleString('en-US')
    expect(await found(stored.subarray(0, boundary), index, receipt)).toBe(
      `media, byte ${boundary.toLocaleString('en-US')}: the object ends here, of ${whole} bytes`,
    )
  })

  test('bytes after its end are found', async () => {
    const { stored, index, ...receipt } = await packed()
    for (const more of [Buffer.from([0]), stored.subarray(0, index.stored[0])]) {
      expect(await found(Buffer.concat([stored, more]), index, receipt)).toBe(
        `media, byte ${stored.length.toLocaleString('en-US')}: the object goes on where it should end`,
      )
    }
  })

  test('frames that changed places are found', async () => {
    const bytes = Buffer.concat([Buffer.alloc(1_024, 'a'), Buffer.alloc(1_024, 'b')])
    const { stored, index, ...receipt } = await packed(1_024, bytes)
    const [first, second] = [stored.subarray(0, index.stored[0]), stored.subarray(index.stored[0])]
    expect(first.length).toBe(second.length)
    expect(await found(Buffer.concat([second, first]), index, receipt)).toBe('the SHA-256 differs')
  })

  test('a frame that holds more or less than the index says is found', async () => {
    const { stored, index, ...receipt } = await packed(2_048, plain.subarray(0, 1_500))
    expect(await found(stored, { ...index, plainBytes: 1_499 }, receipt)).toMatch(
      'media, byte 0: frame 0 is damaged (it holds more than 1,499 bytes of 1,499)',
    )
    expect(await found(stored, { ...index, plainBytes: 1_501 }, receipt)).toMatch(
      'media, byte 0: frame 0 is damaged (it holds only 1,500 bytes of 1,501)',
    )
  })

  test('two frames where the index says one are found', async () => {
    const one = await packed(1_024, plain.subarray(0, 1_000))
    const empty = await packed(1_024, Buffer.alloc(0))
    const both = Buffer.concat([one.stored, empty.stored])
    expect(await found(both, { ...one.index, stored: [both.length] }, one)).toMatch('media, byte 0: frame 0 is damaged (something follows it)')
  })
})

test('a flipped bit deep in a large object is named by the byte at which its frame begins', async () => {
  const { stored, index, ...receipt } = await packed(FRAME_BYTES, documents(6 * FRAME_BYTES))
  const offset = index.stored.slice(0, 4).reduce((sum, length) => sum + length, 0)
  stored[offset + 100_000]! ^= 1
  expect(await found(stored, index, receipt)).toMatch(new RegExp(`^media, byte ${offset.toLocaleString('en-US')}: frame 4 is damaged \\(`))
})

test('an error of the source comes through as it is', async () => {
  const { stored, index } = await packed()
  async function* source() {
    yield stored.subarray(0, 100)
    throw new Error('connection reset')
  }
  await expect(collect(decompress(source(), index).plain)).rejects.toThrow('connection reset')
})
