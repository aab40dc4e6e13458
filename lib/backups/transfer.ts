import { createHash } from 'node:crypto'
import { size } from '../plan/durations.ts'
import { Trouble } from '../plan/outcome.ts'
import type { Action, Doing, Json } from '../plan/plan.ts'
import type { Secret } from '../plan/secrets.ts'
import type { Load, Source } from '../sources/source.ts'
import { putText, type Store, text } from '../stores/store.ts'
import { decrypted, type Encryption, encrypted } from './encryption.ts'
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

/** Counts and hashes what goes by. */
function metered(bytes: AsyncIterable<Buffer>): { bytes: AsyncIterable<Buffer>; sum(): Sum } {
  const hash = createHash('sha256')
  let total = 0
  async function* pass(): AsyncIterable<Buffer> {
    for await (const chunk of bytes) {
      hash.update(chunk)
      total += chunk.length
      yield chunk
    }
  }
  return { bytes: pass(), sum: () => ({ bytes: total, sha256: hash.copy().digest('hex') }) }
}

/** Where a part's files stand, inside a store. */
export type Files = { readonly folder: string; readonly object: string; readonly frames: string }

/** How a part leaves: what the last time took, and to whom it is encrypted. */
export type Leaving = { readonly about: { plainBytes: number; storedBytes: number } | null; readonly encryption: Encryption | undefined }

/** A part streams out of its source, through hashing, compression and encryption, into a store; the index of its frames follows. */
export function copyOut(part: Source, store: Store, files: Files, { about, encryption }: Leaving): Action {
  const dump = part.dump()
  const locked = encryption ? ` → age to ${encryption.recipients.length} recipients` : ''
  return {
    kind: 'transfer',
    prints: `${dump.prints} → sha256 → zstd frames${locked} → sha256 → ${store.where}/${files.folder}/${files.object}`,
    async run(doing) {
      const begun = new Date().toISOString()
      const packed = compress(counted(dump.open(doing), doing, about?.plainBytes))
      // Compression hashes what leaves it, so only a ciphertext needs a second hash.
      const cipher = encryption ? metered(encrypted(packed.stored, encryption)) : undefined
      await store.put(`${files.folder}/${files.object}`, cipher?.bytes ?? packed.stored, doing, about?.storedBytes)
      const receipt = packed.done()
      const packedSum: Sum = { bytes: receipt.storedBytes, sha256: receipt.storedSha256 }
      const stored = cipher?.sum() ?? packedSum
      const index = printIndex(receipt.index)
      const indexBytes = await putText(store, `${files.folder}/${files.frames}`, index, doing)
      const copied: Copied = {
        kind: part.kind,
        where: part.where,
        object: files.object,
        frames: files.frames,
        plain: { bytes: receipt.plainBytes, sha256: receipt.plainSha256 },
        packed: packedSum,
        stored,
        index: sumOf(Buffer.from(index)),
        content: dump.content(),
        begun,
        ended: new Date().toISOString(),
        says: `${size(receipt.plainBytes)}, ${size(stored.bytes)} stored`,
      }
      return { ...copied, storedBytes: stored.bytes, indexBytes } as unknown as Json
    },
  }
}

/** A stored part as its manifest describes it. */
export type Stored = Pick<ManifestPart, 'object' | 'frames' | 'plain' | 'packed' | 'stored' | 'index'>

/** Whether the stored bytes are a ciphertext. */
export const isEncrypted = (part: Pick<Stored, 'packed' | 'stored'>) => part.packed.sha256 !== part.stored.sha256

/** The index of a stored part's frames; Trouble(7) unless it is as recorded. */
export async function frameIndex(store: Store, folder: string, part: Stored, doing: Doing): Promise<FrameIndex> {
  const raw = await text(store, `${folder}/${part.frames}`, doing)
  if (sumOf(Buffer.from(raw)).sha256 !== part.index.sha256) throw new Trouble(7, `${part.frames} is damaged: its SHA-256 is not the recorded one`)
  return parseIndex(raw)
}

function damaged(object: string, which: string): Trouble {
  return new Trouble(7, `${object} is damaged: the ${which} bytes do not have the recorded SHA-256`)
}

/** Reads a stored part whole; without an identity an encrypted one is compared as it lies there. Trouble(7) unless every byte is as recorded. */
export async function provenBytes(store: Store, folder: string, part: Stored, identities: readonly Secret[], doing: Doing): Promise<void> {
  if (!isEncrypted(part) || identities.length > 0) {
    for await (const _ of plainBytes(store, folder, part, identities, doing));
    return
  }
  await frameIndex(store, folder, part, doing)
  const raw = metered(counted(store.get(`${folder}/${part.object}`, doing), doing, part.stored.bytes))
  for await (const _ of raw.bytes);
  if (raw.sum().sha256 !== part.stored.sha256) throw damaged(part.object, 'stored')
}

/** The plain bytes of a stored part. The stream throws Trouble(7), after its last byte at the latest, unless every byte was as recorded. */
export async function* plainBytes(store: Store, folder: string, part: Stored, identities: readonly Secret[], doing: Doing): AsyncIterable<Buffer> {
  const index = await frameIndex(store, folder, part, doing)
  const raw = counted(store.get(`${folder}/${part.object}`, doing), doing, part.stored.bytes)
  if (isEncrypted(part) && identities.length === 0)
    throw new Trouble(3, `${part.object} is encrypted, and no identity was given`, { next: ['add --identity=<file>'] })
  const cipher = isEncrypted(part) ? metered(raw) : undefined
  const unpacked = decompress(cipher ? decrypted(cipher.bytes, identities, part.object) : raw, index, { name: part.object })
  yield* unpacked.plain
  const found = unpacked.done()
  if (cipher && cipher.sum().sha256 !== part.stored.sha256) throw damaged(part.object, 'stored')
  if (found.storedSha256 !== part.packed.sha256) throw damaged(part.object, cipher ? 'decrypted' : 'stored')
  if (found.plainSha256 !== part.plain.sha256 || found.plainBytes !== part.plain.bytes) throw damaged(part.object, 'plain')
}

/** A stored part streams out of its store, checked on the way, into a loader. */
export function copyIn(store: Store, folder: string, part: Stored, identities: readonly Secret[], load: Load): Action {
  const unlocked = isEncrypted(part) ? ' → age -d' : ''
  return {
    kind: 'transfer',
    prints: `${store.where}/${folder}/${part.object} → sha256${unlocked} → zstd -d → sha256 → ${load.prints}`,
    async run(doing) {
      await load.take(plainBytes(store, folder, part, identities, doing), doing)
      return { bytes: part.plain.bytes }
    },
  }
}
