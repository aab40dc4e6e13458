import { createHash, randomBytes } from 'node:crypto'

export const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

/** `size` bytes that compress about as documents do. */
export function documents(size: number): Buffer {
  const lines: string[] = []
  for (let length = 0; length < size; ) {
    const line = `${JSON.stringify({ _id: randomBytes(12).toString('hex'), name: `user ${lines.length}`, tags: ['alpha', 'beta'], amount: Math.random() })}\n`
    lines.push(line)
    length += line.length
  }
  return Buffer.from(lines.join('')).subarray(0, size)
}

/** The bytes cut at the given lengths, over and over. */
export async function* cut(bytes: Buffer, lengths: readonly number[] = [65_536]): AsyncGenerator<Buffer> {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const length = lengths[i % lengths.length]!
    yield bytes.subarray(at, at + length)
    at += length
  }
}

export async function collect(bytes: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of bytes) chunks.push(chunk)
  return Buffer.concat(chunks)
}
