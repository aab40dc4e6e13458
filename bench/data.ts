import { once } from 'node:events'
import { createWriteStream } from 'node:fs'

const WORDS =
  'order invoice paid shipped customer address street harbour window garden yellow silver small large quiet early late north south market bridge river letter paper basket engine wheel copper cotton winter summer morning evening ticket doctor teacher'.split(
    ' ',
  )

/** Writes `mib` MiB of JSON documents, every one of them different, the same ones for the same seed: what a dump of a shop's database is like. */
export async function writeDocuments(path: string, mib: number, seed = 1): Promise<void> {
  const random = generator(seed)
  const file = createWriteStream(path, { highWaterMark: 2 ** 22 })
  let left = mib * 2 ** 20
  for (let number = 0; left > 0; ) {
    const lines: string[] = []
    for (let i = 0; i < 4_000; i++) lines.push(document(number++, random))
    const bytes = Buffer.from(lines.join('')).subarray(0, left)
    left -= bytes.length
    if (!file.write(bytes)) await once(file, 'drain')
  }
  file.end()
  await once(file, 'close')
}

function document(number: number, random: () => number): string {
  const word = () => WORDS[random() % WORDS.length]
  const note = Array.from({ length: 6 + (random() % 20) }, word).join(' ')
  return `${JSON.stringify({
    _id: hex(random()) + hex(random()) + hex(random()),
    number,
    customer: {
      name: `${word()} ${word()}`,
      email: `${word()}.${random() % 100_000}@example.org`,
      since: new Date(1.5e12 + (random() % 1e9) * 150).toISOString(),
    },
    lines: Array.from({ length: 1 + (random() % 4) }, () => ({ sku: hex(random()), count: 1 + (random() % 9), cents: random() % 100_000 })),
    at: new Date(1.6e12 + (random() % 1e9) * 150).toISOString(),
    note,
  })}\n`
}

const hex = (number: number) => number.toString(16).padStart(8, '0')

/** Xorshift32 (Marsaglia, 2003): fast, and the same on every machine. */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    state >>>= 0
    return state
  }
}
