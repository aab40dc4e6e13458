import { createHash } from 'node:crypto'

/** Fields of an index that a server or a tool adds by itself, and that differ between a collection and its restored copy. */
const NOISE = new Set(['v', 'ns', 'background'])

/** A digest of what a collection is besides its documents: its options and indexes, from the metadata text of an archive. Throws SyntaxError on other text. */
export function metadataDigest(text: string): string {
  const { indexes, options } = JSON.parse(text) as { indexes?: Record<string, unknown>[]; options?: unknown }
  const plain = (indexes ?? []).map(index =>
    JSON.stringify(
      Object.entries(index)
        .filter(([field]) => !NOISE.has(field))
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([field, value]) => [field, numbers(value)]),
    ),
  )
  return createHash('sha256')
    .update(JSON.stringify([plain.sort(), numbers(options ?? {})]))
    .digest('hex')
    .slice(0, 16)
}

/** Extended JSON with its number types taken off, since `{a: 1}` and `{a: NumberLong(1)}` are the same index. */
function numbers(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(numbers)
  if (typeof value !== 'object' || value === null) return value
  const fields = Object.entries(value)
  const [only] = fields
  if (fields.length === 1 && only && /^\$number(Int|Long|Double)$/.test(only[0])) return Number(only[1])
  // The order of fields is kept: in a compound index it means something.
  return fields.map(([field, inner]) => [field, numbers(inner)])
}
