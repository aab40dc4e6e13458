import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SEALED } from '../../lib/exec/place.ts'
import { type Command, run, stdoutOf } from '../../lib/exec/process.ts'
import { unsealing } from '../../lib/exec/seal.ts'
import { Secret } from '../../lib/plan/secrets.ts'
import { collect, doing } from './doing.ts'

const WORD = 'f00d'.repeat(8)
const chunksOf = (bytes: Buffer, cuts: readonly number[]) => {
  const at = [...new Set([0, ...cuts.map(cut => cut % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b)
  return at.slice(1).map((end, i) => Buffer.from(bytes.subarray(at[i], end)))
}

/** What comes through, chunk by chunk. */
function through(chunks: readonly Buffer<ArrayBuffer>[]) {
  let seals = 0
  const seal = unsealing(WORD, () => {
    seals += 1
  })
  const out = Buffer.concat(chunks.flatMap(chunk => seal.take(chunk)))
  return { out, seals, sealed: seal.sealed }
}

describe('a seal', () => {
  const bytes = fc.uint8Array({ maxLength: 300 }).map(all => Buffer.from(all))
  const cuts = fc.array(fc.nat(400), { maxLength: 12 })

  test('comes off whole, however the bytes are cut, and tells the exit code', () => {
    fc.assert(
      fc.property(bytes, cuts, fc.integer({ min: 0, max: 255 }), (own, where, code) => {
        const sent = Buffer.concat([own, Buffer.from(`${WORD} ${String(code).padStart(3, '0')}`)])
        expect(through(chunksOf(sent, where))).toEqual({ out: own, seals: 1, sealed: code })
      }),
    )
  })

  test('that lacks as little as one byte is none', () => {
    fc.assert(
      fc.property(bytes, cuts, fc.integer({ min: 1, max: WORD.length + 4 }), (own, where, lost) => {
        const sent = Buffer.concat([own, Buffer.from(`${WORD} 000`)]).subarray(0, -lost)
        expect(through(chunksOf(sent, where)).sealed).toBeUndefined()
      }),
    )
  })

  test('holds little back, however small the chunks are', () => {
    const seal = unsealing(WORD, () => {})
    let out = 0
    for (let n = 0; n < 10_000; n += 1) for (const chunk of seal.take(Buffer.from('ab'))) out += chunk.length
    expect(20_000 - out).toBeLessThanOrEqual(WORD.length + 4)
  })
})

describe('a command whose far end seals its output', () => {
  /** `way` is a shell's words for what carries the output. */
  const sealed = (script: string, way = 'exec "$@"'): Command => ({
    file: 'sh',
    argv: ['-c', way, 'sh', 'sh', '-c', SEALED, 'sh', '0', WORD, 'sh', '-c', script],
    preface: new Secret('nothing', ''),
    seal: WORD,
  })

  test.each([0, 1, 65_536, 3_000_001])('gives all of %i bytes', async size => {
    const got = await collect(stdoutOf(sealed(`head -c ${size} /dev/zero | tr "\\0" x`), doing()))
    expect(got.equals(Buffer.alloc(size, 'x'))).toBe(true)
    if (size < 100_000) expect((await run(sealed(`head -c ${size} /dev/zero | tr "\\0" x`), doing())).stdout).toBe('x'.repeat(size))
  })

  test('fails with the command, whatever the way says', async () => {
    const fails = sealed('printf half; echo "cursor lost" >&2; exit 9', '"$@"; exit 0')
    await expect(collect(stdoutOf(fails, doing()))).rejects.toMatchObject({ code: 9 })
    expect(await run(fails, doing())).toMatchObject({ code: 9, stdout: 'half' })
  })

  // As kubectl does it: kubernetes/kubernetes#124571.
  test('fails when the way loses the end of the output and exits 0', async () => {
    const lossy = sealed('seq 1 200000', '"$@" | head -c 90000; exit 0')
    await expect(collect(stdoutOf(lossy, doing()))).rejects.toThrow('sh exited 0, but the end of its output did not arrive')
    await expect(run(lossy, doing())).rejects.toThrow('the end of its output did not arrive')
  })

  test('succeeds when everything came, whatever happens to the way afterwards', async () => {
    expect(await run(sealed('printf all', '"$@"; exit 1'), doing())).toMatchObject({ code: 0, stdout: 'all' })
  })

  test('ends when nobody reads it any more', async () => {
    for await (const chunk of stdoutOf(sealed('while :; do echo more; done'), doing())) {
      expect(chunk.length).toBeGreaterThan(0)
      break
    }
  })
})
