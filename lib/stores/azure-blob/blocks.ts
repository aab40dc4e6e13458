const MIB = 1024 * 1024
/** Limits of Azure for a block blob. */
const MOST_BLOCKS = 50_000
const LARGEST_BLOCK = 4_000 * MIB
/** Bytes held for blocks that are under way, unless a single block is larger; the next block fills meanwhile. */
const IN_FLIGHT = 32 * MIB
/** A body that is expected to be this small is not worth a large buffer, nor the question whether its name is free. */
export const SMALL = MIB

/** Block size and number of blocks under way for an expected size in bytes: twice of it must fit into 50,000 blocks. */
export function blocksFor(
  about: number | undefined,
  wanted?: number,
): { readonly blockSize: number; readonly parallel: number; readonly limitBytes: number } {
  const usual = about !== undefined && about <= SMALL ? SMALL : 16 * MIB
  const needed = Math.ceil(((about ?? 0) * 2) / MOST_BLOCKS / MIB) * MIB
  const blockSize = Math.min(LARGEST_BLOCK, wanted ?? Math.max(usual, needed))
  return { blockSize, parallel: Math.min(4, Math.max(1, Math.floor(IN_FLIGHT / blockSize))), limitBytes: blockSize * MOST_BLOCKS }
}

/** Buffers of one size that are used again and again, so that a long upload makes no garbage. */
export function buffers(size: number): { take(): Buffer; give(buffer: Buffer): void } {
  const free: Buffer[] = []
  return { take: () => free.pop() ?? Buffer.allocUnsafeSlow(size), give: buffer => void (buffer.length === size && free.push(buffer)) }
}

/** The same bytes in blocks that fill a buffer each, and a last one that may be smaller; none for an empty body. */
export async function* inBlocks(body: AsyncIterable<Buffer>, take: () => Buffer): AsyncGenerator<Buffer> {
  let block: Buffer | undefined
  let filled = 0
  for await (const chunk of body) {
    for (let from = 0; from < chunk.length; ) {
      block ??= take()
      const copied = chunk.copy(block, filled, from)
      from += copied
      filled += copied
      if (filled < block.length) continue
      yield block
      block = undefined
      filled = 0
    }
  }
  if (block) yield block.subarray(0, filled)
}
