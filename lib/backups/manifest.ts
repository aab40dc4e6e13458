import { createHash } from 'node:crypto'
import { Trouble } from '../plan/outcome.ts'
import type { Content } from '../sources/source.ts'
import type { Encryption } from './encryption.ts'

/** The format written here; a reader refuses a newer one rather than guess. */
export const FORMAT = 1

/** Bytes and SHA-256 (hex) of a stream. */
export type Sum = { readonly bytes: number; readonly sha256: string }

/** One part in a recovery point. `object` and `frames` are file names in the point's folder. */
export type ManifestPart = {
  readonly kind: string
  readonly where: string
  readonly object: string
  readonly frames: string
  readonly plain: Sum
  /** After compression; the same as `stored` where nothing is encrypted. */
  readonly packed: Sum
  readonly stored: Sum
  readonly index: Sum
  readonly content: Content
  readonly begun: string
  readonly ended: string
  /** When the stored bytes were read back and found equal, ISO 8601. */
  readonly readBack: string
}

/** The release that served while a point was made: images by digest, and the hashes of its files, which are its configuration's revision. */
export type PointRelease = {
  readonly release: string
  readonly services: Readonly<Record<string, { readonly version: string; readonly digest: string | null }>>
  readonly files: Readonly<Record<string, string>>
}

/** A recovery point's description, written last and once: no manifest, no backup. Times are ISO 8601 in UTC. */
export type Manifest = {
  readonly format: number
  readonly id: string
  readonly stack: string
  readonly environment: string
  readonly timezone: string
  readonly run: string
  readonly label: string | null
  readonly pinned: boolean
  readonly begun: string
  readonly ended: string
  readonly by: { readonly user: string; readonly host: string }
  readonly tools: Readonly<Record<string, string>>
  /** Recipients to whom every part is encrypted; null = not encrypted. */
  readonly encryption: Encryption | null
  /** What served meanwhile; absent where no platform could tell. */
  readonly release?: PointRelease
  readonly parts: Readonly<Record<string, ManifestPart>>
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

/** The text of a document that carries its own digest (over its text without that last field). */
export function seal(document: object): string {
  const digest = sha256(JSON.stringify(document, null, 2))
  return `${JSON.stringify({ ...document, digest }, null, 2)}\n`
}

/** The document in sealed text, or Trouble(7) when a single byte of it is not as it was written. */
export function unseal(text: string, what: string): Record<string, unknown> {
  let document: Record<string, unknown>
  try {
    document = JSON.parse(text) as Record<string, unknown>
  } catch {
    throw new Trouble(7, `${what} is damaged: not JSON`)
  }
  const { digest, ...rest } = document
  // Written again it must be the same text: so white space and order are covered by the digest, too.
  if (`${JSON.stringify({ ...rest, digest }, null, 2)}\n` !== text || digest !== sha256(JSON.stringify(rest, null, 2))) {
    throw new Trouble(7, `${what} is damaged: it does not match its own digest`)
  }
  return rest
}

/** A manifest from its text; Trouble(7) when damaged, Trouble(3) when written by a newer version. */
export function readManifest(text: string, id: string): Manifest {
  const document = unseal(text, `The manifest of ${id}`)
  const format = document.format
  if (typeof format === 'number' && format > FORMAT)
    throw new Trouble(3, `${id} was written in format ${format}; this version reads up to ${FORMAT}`, { next: ['git pull && npm ci'] })
  const manifest = document as unknown as Manifest
  if (format !== FORMAT || manifest.id !== id || typeof manifest.parts !== 'object')
    throw new Trouble(7, `The manifest of ${id} describes something else (${String(manifest.id)}, format ${String(format)})`)
  return manifest
}

/** Time between the moments at which the first and the last part were begun, in milliseconds: how far apart the parts of a point may tell the world. */
export function skewMs(manifest: Manifest): number {
  const begun = Object.values(manifest.parts).map(part => Date.parse(part.begun))
  return begun.length === 0 ? 0 : Math.max(...begun) - Math.min(...begun)
}

/** Bytes that all parts take in the store, without the small files beside them. */
export const storedBytes = (manifest: Manifest) => Object.values(manifest.parts).reduce((sum, part) => sum + part.stored.bytes, 0)
