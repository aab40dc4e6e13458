import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { covering, type FrameIndex, frameCount, parseIndex, plainLength, printIndex, storedBytes } from '../../lib/backups/frame-index.ts'
import { Trouble } from '../../lib/plan/outcome.ts'

const index: FrameIndex = { format: 1, frameBytes: 1_024, plainBytes: 2_500, stored: [400, 500, 300] }

describe('a frame index', () => {
  test('comes back from its text', () => {
    expect(parseIndex(printIndex(index))).toEqual(index)
    expect(printIndex(index)).toBe('{"format":1,"frameBytes":1024,"plainBytes":2500,"stored":[400,500,300]}\n')
  })

  test('knows the lengths of its frames', () => {
    expect([0, 1, 2].map(frame => plainLength(index, frame))).toEqual([1_024, 1_024, 452])
    expect(storedBytes(index)).toBe(1_200)
    expect([0, 1, 1_024, 1_025].map(bytes => frameCount(bytes, 1_024))).toEqual([1, 1, 1, 2])
  })

  test('finds the frames of any range: they hold it, and none is spare', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2_499 }), fc.integer({ min: 1, max: 2_500 }), (from, length) => {
        const to = Math.min(from + length, 2_500)
        const cover = covering(index, from, to)
        expect(cover.first * 1_024 + cover.skip).toBe(from)
        expect(cover.skip).toBeLessThan(1_024)
        expect((cover.first + cover.frames) * 1_024).toBeGreaterThanOrEqual(to)
        expect((cover.first + cover.frames - 1) * 1_024).toBeLessThan(to)
        expect(cover.end - cover.start).toBe(index.stored.slice(cover.first, cover.first + cover.frames).reduce((a, b) => a + b))
      }),
    )
    expect(() => covering(index, 0, 2_501)).toThrow(RangeError)
    expect(() => covering(index, -1, 2)).toThrow(RangeError)
  })

  test('of a newer format is refused by its number', () => {
    expect(() => parseIndex(JSON.stringify({ ...index, format: 2 }))).toThrow('the frame index has format 2, and this toolkit reads up to 1')
  })

  const nonsense: [string, string][] = [
    ['', 'it is not JSON'],
    [printIndex(index).slice(0, -3), 'it is not JSON'],
    ['[]', 'it is not a JSON object'],
    ['null', 'it is not a JSON object'],
    ['{}', 'its format'],
    [JSON.stringify({ ...index, format: '1' }), 'its format'],
    [JSON.stringify({ ...index, format: 0 }), 'its format'],
    [JSON.stringify({ ...index, frameBytes: 0 }), 'frameBytes is not between 1,024 and 67,108,864'],
    [JSON.stringify({ ...index, frameBytes: 2 ** 40 }), 'frameBytes'],
    [JSON.stringify({ ...index, plainBytes: -1 }), 'plainBytes'],
    [JSON.stringify({ ...index, plainBytes: 1.5 }), 'plainBytes'],
    [JSON.stringify({ ...index, plainBytes: 9_000 }), 'it lists 3 frames where its sizes need 9'],
    [JSON.stringify({ ...index, stored: {} }), 'stored is not a list'],
    [JSON.stringify({ ...index, stored: [] }), 'it lists 0 frames where its sizes need 3'],
    [JSON.stringify({ ...index, stored: [400, 0, 300] }), 'frame 1 cannot have that stored length'],
    [JSON.stringify({ ...index, stored: [400, 500, '300'] }), 'frame 2'],
    [JSON.stringify({ ...index, stored: [400, 500, 1e9] }), 'frame 2'],
  ]
  test.each(nonsense)('that is nonsense is refused: %s', (text, why) => {
    const parse = () => parseIndex(text)
    expect(parse).toThrow(Trouble)
    expect(parse).toThrow(`the frame index is broken: ${why}`)
  })
})
