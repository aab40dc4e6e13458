import { crc32 } from 'node:zlib'
import { Digest } from '../digest.ts'
import type { Content } from '../source.ts'

/** What counts of one thing: a changed owner is not a difference, for only root can give files away. */
type Counted = {
  readonly kind: 'file' | 'directory' | 'link'
  readonly path: string
  readonly mode: number
  readonly mtimeSeconds: number
  readonly size?: number
  readonly crc?: number
  readonly target?: string
}

/** Adds up a folder tree by kind: path, mode, time in whole seconds, link target, size and CRC-32 of the bytes. */
export class Tally {
  readonly warnings: string[] = []
  readonly #by = { file: new Digest(), directory: new Digest(), link: new Digest() }

  add(one: Counted): void {
    const digest = this.#by[one.kind]
    // The mode of a link means nothing, and differs from system to system.
    digest.text(one.path).word(one.kind === 'link' ? 0 : one.mode & 0o7777)
    digest.number(one.mtimeSeconds)
    digest.number(one.size ?? 0).word(one.crc ?? 0)
    digest.text(one.target ?? '').end()
  }

  content(): Content {
    return {
      items: { files: this.#by.file.items(), directories: this.#by.directory.items(), links: this.#by.link.items() },
      warnings: [...this.warnings],
    }
  }
}

/** Whole seconds of a time, as an archive keeps it. */
export function secondsOf(milliseconds: number): number {
  return Math.floor(milliseconds / 1000)
}

/** Passes bytes on and counts them. */
export async function* summed(bytes: AsyncIterable<Buffer>, sum: { size: number; crc: number }): AsyncGenerator<Buffer> {
  for await (const chunk of bytes) {
    sum.crc = crc32(chunk, sum.crc)
    sum.size += chunk.length
    yield chunk
  }
}
