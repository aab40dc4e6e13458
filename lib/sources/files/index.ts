import { chmod, lstat, rename, rm } from 'node:fs/promises'
import { basename } from 'node:path'
import { quote } from '../../exec/command.ts'
import type { ServicePlace } from '../../exec/place.ts'
import { Trouble } from '../../plan/outcome.ts'
import type { Doing } from '../../plan/plan.ts'
import { pathMoves } from '../path-moves.ts'
import { copyOfPath, failedAt, nothingAt, type Spots, spotOf, spots, stands } from '../places.ts'
import type { Content, Dump, PartFacts, Source } from '../source.ts'
import type { Mover } from '../swap-paths.ts'
import { filesInside } from './inside/index.ts'
import { loadOf } from './load.ts'
import { packed } from './pack.ts'
import { reading, unreadable } from './read.ts'
import { secondsOf, summed, Tally } from './tally.ts'
import { entriesOf } from './unpack.ts'
import { walk } from './walk.ts'

/** `directory` is the folder, not a mount point or a link; drills go into `scratch`, by default `.<name>.scratch` beside it. With `in` both are paths inside that service. */
export type FilesOptions = { readonly directory: string; readonly scratch?: string; readonly in?: ServicePlace }

const folderMover: Mover = { ready: async () => undefined, move: rename, settle: async () => undefined }

/** A folder of files as a tar: modes, times, owners and symbolic links are kept; hard links become files of their own, and extended attributes are not kept. */
export function files(name: string, options: FilesOptions): Source {
  if (options.in) return filesInside(name, { ...options, in: options.in })
  const at = spots(options.directory, options.scratch)
  return {
    name,
    kind: 'files',
    where: at.live,
    ending: 'tar',
    byHand: [`mkdir ${quote(basename(at.live))} && tar -x -p -f - -C ${quote(basename(at.live))}`],
    facts: doing => factsOf(name, at, doing),
    dump: () => dumpOf(at),
    examine: async (bytes, doing) => {
      const tally = new Tally()
      for await (const entry of entriesOf(bytes, tally, doing)) for await (const _ of entry.bytes);
      return tally.content()
    },
    load: (place, run) => loadOf(at, place, run),
    content: async (place, run, doing) =>
      (await stands(spotOf(at, place, run))) ? contentOf(spotOf(at, place, run), doing) : nothingAt(at, place, run),
    ...pathMoves(at, folderMover, { command: 'rm -rf', remove: removeFolder }),
    copyFor: (address, run) => copyOfPath(at, address, run),
  }
}

function dumpOf(at: Spots): Dump {
  const tally = new Tally()
  return {
    prints: `tar -c -C ${quote(at.live)} . → stream`,
    open: async function* (doing) {
      if (!(await stands(at.live))) throw new Trouble(7, `${at.live} does not exist`, { look: [`ls -ld ${quote(at.live)}*`] })
      yield* packed(at.live, tally, doing)
    },
    content: () => tally.content(),
  }
}

async function contentOf(root: string, doing: Doing): Promise<Content> {
  const tally = new Tally()
  for await (const found of walk(root, tally.warnings)) {
    doing.signal.throwIfAborted()
    const { kind, path, target } = found
    const counted = (stats = found.stats) => ({ kind, path, mode: stats.mode, mtimeSeconds: secondsOf(stats.mtimeMs) })
    if (kind !== 'file') {
      tally.add({ ...counted(), ...(target === undefined ? {} : { target }) })
      continue
    }
    await reading(found, tally.warnings, async ({ stats, bytes }) => {
      const sum = { size: 0, crc: 0 }
      for await (const _ of summed(bytes, sum));
      tally.add({ ...counted(stats), ...sum })
    }).catch(unreadable(path))
  }
  return tally.content()
}

async function factsOf(name: string, at: Spots, doing: Doing): Promise<PartFacts> {
  const blank = { name, kind: 'files', where: at.live, tools: [], sizeBytes: 0, counts: {} }
  const counts = { files: 0, directories: 0, links: 0 }
  let sizeBytes = 0
  let newest = 0
  try {
    const found = await lstat(at.live)
    if (!found.isDirectory()) {
      return {
        ...blank,
        state: 'denied',
        because: `${at.live} is ${found.isSymbolicLink() ? 'a link: name the folder it leads to' : 'not a folder'}`,
      }
    }
    for await (const { kind, stats } of walk(at.live, [])) {
      doing.signal.throwIfAborted()
      counts[kind === 'file' ? 'files' : kind === 'link' ? 'links' : 'directories'] += 1
      if (kind !== 'file') continue
      sizeBytes += stats.size
      if (stats.mtimeMs <= Date.now()) newest = Math.max(newest, stats.mtimeMs)
    }
    return { ...blank, state: 'answers', sizeBytes, counts, ...(newest > 0 ? { newest: new Date(newest).toISOString() } : {}) }
  } catch (error) {
    doing.signal.throwIfAborted()
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return { ...blank, state: 'missing', because: `${at.live} does not exist` }
    if (code === 'EACCES' || code === 'EPERM' || error instanceof Trouble) return { ...blank, state: 'denied', because: message }
    return { ...blank, state: 'unreachable', because: message }
  }
}

/** Removes a tree that this toolkit made or put aside, never anything else; links in it are removed, not followed. */
async function removeFolder(folder: string): Promise<void> {
  if (!/__(restore|aside|drill)_/.test(folder)) throw new Error(`${folder} is not a folder that a restore made`)
  if (!(await stands(folder))) return
  // Only root may empty a folder that is closed to its owner.
  if (process.getuid?.() !== 0) for await (const { kind, at } of opened(folder)) if (kind === 'directory') await chmod(at, 0o700)
  await rm(folder, { recursive: true, force: true }).catch(failedAt(folder))
}

async function* opened(folder: string): ReturnType<typeof walk> {
  await chmod(folder, 0o700)
  yield* walk(folder, [])
}
