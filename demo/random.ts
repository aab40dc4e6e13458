/** Numbers that look random and are the same each time (mulberry32): from 0 up to, not including, `below`. */
export type Random = (below: number) => number

/** A generator for a seed. */
export function seeded(seed: number): Random {
  let state = seed | 0
  return below => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000) * below)
  }
}

/** One of a list. */
export function pick<T>(random: Random, of: readonly T[]): T {
  return of[random(of.length)]!
}

/** Bytes that compress to roughly two thirds, as photographs with headers do. */
export function mixedBytes(random: Random, length: number): Buffer {
  const words = new Uint32Array(Math.ceil(length / 4))
  const table = Uint32Array.from({ length: 64 }, () => random(0x1_0000_0000))
  for (let at = 0; at < words.length; at += 2) {
    words[at] = random(0x1_0000_0000)
    words[at + 1] = table[words[at]! & 63]!
  }
  return Buffer.from(words.buffer, 0, length)
}
