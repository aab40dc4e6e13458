/** Requests after which the shares are exact, whatever they are. */
const BLOCK = 100

/** A generator of numbers below one that is the same for the same seed (mulberry32). */
function random(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/**
 * Draws slots by their weights in percent: exact over every hundred draws, and in an order without a pattern, so that a client that
 * takes turns with another one meets both slots. Null when no slot has any weight.
 */
export function drawer(weights: Readonly<Record<string, number>>, seed: number): () => string | null {
  const next = random(seed)
  const block = Object.entries(weights).flatMap(([slot, percent]) => Array.from<string>({ length: Math.round((percent * BLOCK) / 100) }).fill(slot))
  let at = block.length
  return () => {
    if (block.length === 0) return null
    if (at >= block.length) {
      for (let i = block.length - 1; i > 0; i -= 1) {
        const j = Math.floor(next() * (i + 1))
        const [one, other] = [block[i] ?? '', block[j] ?? '']
        block[i] = other
        block[j] = one
      }
      at = 0
    }
    at += 1
    return block[at - 1] ?? null
  }
}
