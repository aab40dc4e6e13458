import { PassThrough } from 'node:stream'
import type { Pack } from 'tar-stream'
import type { ServicePlace } from '../../../exec/place.ts'
import { CommandFailed, feed, stdoutOf } from '../../../exec/process.ts'
import { Trouble } from '../../../plan/outcome.ts'
import type { Doing } from '../../../plan/plan.ts'
import { type Spots, spotOf } from '../../places.ts'
import type { Content, Dump, Load, Place } from '../../source.ts'
import { drained } from '../drained.ts'
import { Tally } from '../tally.ts'
import { type Entry, entriesOf } from '../unpack.ts'
import { DATE_LINKS, FINISH, MET, MODES, PACK, UNPACK } from './scripts.ts'
import { insideTrouble, scripted, typed } from './shell.ts'

/** The live folder as the service's own tar makes it; its content is taken from the very bytes. */
export function dumpInside(place: ServicePlace, at: Spots): Dump {
  const tally = new Tally()
  return {
    prints: typed(place, 'tar', '-c', '-f', '-', '-C', at.live, '.'),
    open: doing => packedInside(place, at.live, tally, doing),
    content: () => tally.content(),
  }
}

/** The content of a folder in the service; undefined when there is none. It is read whole, through tar. */
export async function contentInside(place: ServicePlace, path: string, doing: Doing): Promise<Content | undefined> {
  const tally = new Tally()
  try {
    for await (const _ of packedInside(place, path, tally, doing));
  } catch (error) {
    if (error instanceof Trouble && error.cause instanceof CommandFailed && error.cause.code === MET.missing) return undefined
    throw error
  }
  return tally.content()
}

/** What GNU tar says, with exit 1, of files that changed under it; their sizes are kept all the same. */
const CHANGED = /^tar: .*: (file changed as we read it|File removed before we read it|File shrank by \d+ bytes; padding with zeros)$/

async function* packedInside(place: ServicePlace, path: string, tally: Tally, doing: Doing): AsyncGenerator<Buffer> {
  const raw = stdoutOf(scripted(place, PACK, [path], false), doing)
  async function* forgiving(): AsyncGenerator<Buffer> {
    try {
      yield* raw
    } catch (error) {
      const lines = error instanceof CommandFailed && error.code === 1 ? error.stderr.trim().split('\n') : []
      if (lines.length > 0 && lines.every(line => CHANGED.test(line))) tally.warnings.push(...lines.map(line => line.slice('tar: '.length)))
      else if (error instanceof CommandFailed && error.code === MET.missing)
        throw new Trouble(7, `${path} does not exist inside ${place.service}`, { cause: error })
      else throw insideTrouble(error, place)
    }
  }
  try {
    yield* watched(forgiving(), tally, doing)
  } catch (error) {
    // What cannot be restored must not be backed up as if it could.
    if (error instanceof Trouble && /^The archive holds .*, a /.test(error.message))
      throw new Trouble(4, `${path} inside ${place.service} cannot be backed up: ${error.message.replace('The archive', 'it')}`, {
        next: ['where it is a hard link: use an image with GNU tar, which makes a file of it'],
        cause: error,
      })
    throw error
  }
}

/** Unpacks by the service's own tar; folders get their modes and times once everything is in them. */
export function loadInside(service: ServicePlace, at: Spots, place: Place, run: string): Load {
  const root = spotOf(at, place, run)
  return {
    prints: typed(service, 'tar', '-x', '-p', '-f', '-', '-C', root),
    async take(bytes, doing) {
      const [folders, links]: [Entry[], Entry[]] = [[], []]
      const keep = (entry: Entry) => void (entry.kind === 'directory' ? folders.push(entry) : entry.kind === 'link' && links.push(entry))
      const paths = [root, place === 'scratch' ? at.scratch : '', at.live]
      const stream = watched(bytes, new Tally(), doing, keep)
      await fed(service, UNPACK, paths, stream, doing)
      if (links.length > 0) await fed(service, DATE_LINKS, [root], datesOf(links), doing)
      await fed(service, FINISH, [root], foldersOnly(folders), doing)
      const special = folders.filter(({ mode }) => (mode & 0o7000) !== 0)
      if (special.length > 0) await fed(service, MODES, [root], modesOf(special), doing)
    },
  }
}

async function fed(place: ServicePlace, script: string, paths: readonly string[], bytes: AsyncIterable<Buffer>, doing: Doing): Promise<void> {
  await feed(scripted(place, script, paths, true), bytes, doing).catch(error => {
    throw insideTrouble(error, place)
  })
}

/** Passes a tar on while its entries are checked and counted; ends with what is wrong with it. */
async function* watched(bytes: AsyncIterable<Buffer>, tally: Tally, doing: Doing, met?: (entry: Entry) => void): AsyncGenerator<Buffer> {
  const copy = new PassThrough()
  let wrong: { readonly error: unknown } | undefined
  const reading = (async () => {
    for await (const entry of entriesOf(copy, tally, doing)) {
      met?.(entry)
      for await (const _ of entry.bytes);
    }
  })().catch(error => {
    wrong = { error }
    copy.destroy()
  })
  try {
    for await (const chunk of bytes) {
      if (wrong) throw wrong.error
      // The chunk is lent, and the reader may be behind.
      if (!copy.write(Buffer.from(chunk))) await drained(copy)
      yield chunk
    }
    copy.end()
    await reading
    if (wrong) throw wrong.error
  } finally {
    copy.on('error', () => {}).destroy(new Error('nobody reads it any more'))
    await reading
  }
}

async function* datesOf(links: readonly Entry[]): AsyncGenerator<Buffer> {
  for (const { path, mtimeSeconds } of links) yield Buffer.from(`${mtimeSeconds}\0${path}\0`)
}

async function* modesOf(folders: readonly Entry[]): AsyncGenerator<Buffer> {
  for (const { path, mode } of folders.toReversed()) yield Buffer.from(`${mode.toString(8)}\0${path}\0`)
}

/** A tar of folders alone, the innermost first. */
async function* foldersOnly(folders: readonly Entry[]): AsyncGenerator<Buffer> {
  const { pack } = await import('tar-stream')
  const archive: Pack = pack()
  for (const { path, mode, uid, gid, mtimeSeconds } of folders.toReversed())
    archive.entry({ name: path === '' ? './' : `./${path}/`, type: 'directory', mode, uid, gid, size: 0, mtime: new Date(mtimeSeconds * 1000) })
  archive.finalize()
  for await (const chunk of archive) yield chunk as Buffer
}
