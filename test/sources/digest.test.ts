import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Digest } from '../../lib/sources/digest.ts'

const digestOf = (rows: readonly string[]) => {
  const digest = new Digest()
  for (const row of rows) digest.text(row).end()
  return digest.items()
}

describe('Digest', () => {
  it('does not depend on the order of the items', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary', maxLength: 700 })), rows => {
        expect(digestOf([...rows].reverse())).toEqual(digestOf(rows))
      }),
    )
  })

  it('differs when any item differs, by one character, one bit, or a neighbour', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 600 }), { minLength: 1 }), fc.nat(), fc.string(), (rows, at, other) => {
        const changed = rows.with(at % rows.length, other)
        fc.pre(rows[at % rows.length] !== other)
        expect(digestOf(changed).digest).not.toBe(digestOf(rows).digest)
      }),
    )
  })

  it('tells where one text ends and the next begins', () => {
    const two = (a: string, b: string) => {
      const digest = new Digest()
      digest.text(a).text(b).end()
      return digest.items().digest
    }
    expect(two('ab', 'c')).not.toBe(two('a', 'bc'))
    expect(two('', 'abc')).not.toBe(two('abc', ''))
  })

  it('sees two signs that turn at once, which cancel out in simpler hashes', () => {
    const pair = (a: number, b: number) => {
      const digest = new Digest()
      digest.number(a).number(b).end()
      return digest.items().digest
    }
    expect(new Set([pair(1.5, 2.5), pair(-1.5, -2.5), pair(-1.5, 2.5), pair(1.5, -2.5), pair(2.5, 1.5)]).size).toBe(5)
  })

  it('has no collision among 200,000 similar rows', () => {
    const seen = new Set<string>()
    for (let n = 0; n < 200_000; n += 1) {
      const digest = new Digest()
      digest
        .number(n)
        .text(`row ${n % 10}`)
        .end()
      seen.add(digest.items().digest)
    }
    expect(seen.size).toBe(200_000)
  })
})
