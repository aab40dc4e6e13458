import { createHash } from 'node:crypto'
import { size } from '../plan/durations.ts'
import { Trouble } from '../plan/outcome.ts'
import type { Action, Doing, Json } from '../plan/plan.ts'
import type { Load, Source } from '../sources/source.ts'
import { putText, type Store, text } from '../stores/store.ts'
import { type FrameIndex, parseIndex, printIndex } from './frame-index.ts'
import { compress, decompress } from './frames.ts'
import type { ManifestPart, Sum } from './manifest.ts'
import type { Copied } from './point.ts'

/** Passes bytes on and tells how many went by. */
async function* counted(bytes: AsyncIterable<Buffer>, doing: Doing, total?: number): AsyncIterable<Buffer> {
  let done = 0
  for await (const chunk of bytes) {
    done += chunk.length
    doing.progress({ done, total, unit: 'bytes' })
    yield chunk
  }
}

const sumOf = (bytes: Buffer): Sum => ({ bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') })

/** Where a part's files stand, inside a store. */
export type Files = { readonly folder: string; readonly object: string; readonly frames: string }

/** A part streams out of its source, through hashing and compression, into a store; the index of its frames follows. `about` is what the last time took. */
export function copyOut(part: Source, store: Store, files: Files, about?: { plainBytes: number; storedBytes: number }): Action {
  const dump = part.dump()
  return {
    kind: 'transfer',
    prints: `${dump.prints} → sha256 → zstd frames → sha256 → ${store.where}/${files.folder}/${files.object}`,
    async run(doing) {
      const begun = new Date().toISOString()
      const packed = compress(counted(dump.open(doing), doing, about?.plainBytes))
      await store.put(`${files.folder}/${files.object}`, packed.stored, doing, about?.storedBytes)
      const receipt = packed.done()
      const index = printIndex(receipt.index)
      const indexBytes = await putText(store, `${files.folder}/${files.frames}`, index, doing)
      const copied: Copied = {
        kind: part.kind,
        where: part.where,
        object: files.object,
        frames: files.frames,
        plain: { bytes: receipt.plainBytes, sha256: receipt.plainSha256 },
        stored: { bytes: receipt.storedBytes, sha256: receipt.storedSha256 },
        index: sumOf(Buffer.from(index)),
        content: dump.content(),
        begun,
        ended: new Date().toISOString(),
        says: `${size(receipt.plainBytes)}, ${size(receipt.storedBytes)} stored`,
      }
      return { ...copied, storedBytes: receipt.storedBytes, indexBytes } as unknown as Json
    },
  }
}

type Stored = Pick<ManifestPart, 'object' | 'frames' | 'plain' | 'stored' | 'index'>

async function frameIndex(store: Store, folder: string, part: Stored, doing: Doing): Promise<FrameIndex> {
  const raw = await text(store, `${folder}/${part.frames}`, doing)
  if (sumOf(Buffer.from(raw)).sha256 !== part.index.sha256) throw new Trouble(7, `${part.frames} is damaged: its SHA-256 is not the recorded one`)
  return parseIndex(raw)
}

/** The plain bytes of a stored part. The stream throws Trouble(7), after its last byte at the latest, unless every byte was as recorded. */
export async function* plainBytes(store: Store, folder: string, part: Stored, doing: Doing): AsyncIterable<Buffer> {
  const index = await frameIndex(store, folder, part, doing)
  const unpacked = decompress(counted(store.get(`${folder}/${part.object}`, doing), doing, part.stored.bytes), index, { name: part.object })
  yield* unpacked.plain
  const found = unpacked.done()
  if (found.storedSha256 !== part.stored.sha256) throw new Trouble(7, `${part.object} is damaged: the stored bytes do not have the recorded SHA-256`)
  if (found.plainSha256 !== part.plain.sha256 || found.plainBytes !== part.plain.bytes)
    throw new Trouble(7, `${part.object} is damaged: the plain bytes do not have the recorded SHA-256`)
}

/** A stored part streams out of its store, checked on the way, into a loader. */
export function copyIn(store: Store, folder: string, part: Stored, load: Load): Action {
  return {
    kind: 'transfer',
    prints: `${store.where}/${folder}/${part.object} → sha256 → zstd -d → sha256 → ${load.prints}`,
    async run(doing) {
      await load.take(plainBytes(store, folder, part, doing), doing)
      return { bytes: part.plain.bytes }
    },
  }
}
