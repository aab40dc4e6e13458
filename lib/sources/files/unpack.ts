import type { Extract, Header } from 'tar-stream'
import { Trouble } from '../../plan/outcome.ts'
import type { Doing } from '../../plan/plan.ts'
import { drained } from './drained.ts'
import { Frames } from './frames.ts'
import { partsOf, shown } from './names.ts'
import { summed, type Tally } from './tally.ts'

/** One entry of an archive, checked; for a file, `bytes` is to be read to its end. */
export type Entry = {
  readonly kind: 'file' | 'directory' | 'link'
  /** Relative with slashes, '' for the root; never leaves the root, and its folder came before it. */
  readonly path: string
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly mtimeSeconds: number
  readonly size: number
  readonly target?: string
  readonly bytes: AsyncIterable<Buffer>
}

const KINDS: Readonly<Record<string, Entry['kind']>> = { file: 'file', 'contiguous-file': 'file', directory: 'directory', symlink: 'link' }

/** The entries of a tar, each added to the tally once it was read; throws Trouble(7) for a broken one, and for one that would write outside its root or over itself. */
export async function* entriesOf(bytes: AsyncIterable<Buffer>, tally: Tally, doing: Doing): AsyncGenerator<Entry> {
  const { extract } = await import('tar-stream')
  const archive = extract()
  let upstream: { readonly error: unknown } | null = null
  const pumping = pump(bytes, archive, doing).catch((error: unknown) => {
    upstream = { error }
    archive.destroy(error as Error)
  })
  const folders = new Set<string>()
  try {
    for await (const raw of archive) {
      const sum = { size: 0, crc: 0 }
      const entry = checked(raw.header, summed(raw as AsyncIterable<unknown> as AsyncIterable<Buffer>, sum), folders)
      yield entry
      if (entry.kind !== 'file') raw.resume()
      else if (sum.size !== entry.size) throw new Error(`${entry.path} was not read to its end`)
      const { kind, path, mode, mtimeSeconds, target } = entry
      tally.add({ kind, path, mode, mtimeSeconds, ...sum, ...(target === undefined ? {} : { target }) })
    }
    await pumping
    if (upstream) throw broken(upstream)
    if (!folders.has('')) throw new Trouble(7, 'The archive holds no folder')
  } catch (error) {
    throw broken(upstream ?? { error })
  } finally {
    archive.destroy()
    await pumping
  }
}

function broken({ error }: { readonly error: unknown }): unknown {
  const { message } = error as Error
  // The only errors that tar-stream itself makes; all others are somebody else's and pass as they are.
  if (!/^(Invalid|Unexpected end|Header exceeds)/.test(message ?? '')) return error
  return new Trouble(7, `The archive is damaged: ${message}`, { cause: error })
}

async function pump(bytes: AsyncIterable<Buffer>, archive: Extract, doing: Doing): Promise<void> {
  const frames = new Frames()
  for await (const chunk of bytes) {
    doing.signal.throwIfAborted()
    frames.see(chunk)
    if (archive.destroyed) return
    if (!archive.write(chunk)) await drained(archive)
  }
  frames.end()
  archive.end(null)
}

function checked(header: Header, bytes: AsyncIterable<Buffer>, folders: Set<string>): Entry {
  const kind = KINDS[header.type ?? '']
  if (!kind) throw new Trouble(7, `The archive holds ${shown(header.name)}, a ${header.type}: only files, folders and symbolic links are restored`)
  const parts = partsOf(header.name)
  if (!parts) throw new Trouble(7, `The archive would write outside its folder: ${shown(header.name)}`)
  const path = parts.join('/')
  if (path !== '' && !folders.has(parts.slice(0, -1).join('/'))) throw new Trouble(7, `The archive holds ${shown(path)} before its folder`)
  if (path === '' && kind !== 'directory') throw new Trouble(7, 'The root of the archive is not a folder')
  if (kind === 'directory') {
    if (folders.has(path)) throw new Trouble(7, `The archive holds ${shown(path) || 'its root'} twice`)
    folders.add(path)
  }
  const pax = header.pax as Record<string, string> | null | undefined
  return {
    kind,
    path,
    mode: header.mode ?? 0,
    uid: Number(pax?.uid ?? header.uid ?? 0),
    gid: Number(pax?.gid ?? header.gid ?? 0),
    mtimeSeconds: Math.floor(pax?.mtime === undefined ? (header.mtime?.getTime() ?? 0) / 1000 : Number(pax.mtime)),
    size: kind === 'file' ? (header.size ?? 0) : 0,
    ...(kind === 'link' ? { target: header.linkname ?? '' } : {}),
    bytes,
  }
}
