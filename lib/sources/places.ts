import { lstat, mkdir, open, readdir, rmdir } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { quote } from '../exec/command.ts'
import { Trouble } from '../plan/outcome.ts'
import type { Content, Place } from './source.ts'

/** Where the one file or folder of a source stands, and where its copies of a run do. */
export type Spots = {
  readonly live: string
  readonly beside: (run: string) => string
  readonly aside: (run: string) => string
  /** Stands instead of an aside copy when there was no live data to put aside. */
  readonly nothing: (run: string) => string
  /** A folder for drills and snapshots, made when needed and removed when empty. */
  readonly scratch: string
  readonly drill: (run: string) => string
}

/** The places of a path. Without a scratch folder of its own, `.<name>.scratch` beside it is used: the same disk, so room is known there. */
export function spots(path: string, scratch?: string): Spots {
  const live = resolve(path)
  const folder = scratch === undefined ? join(dirname(live), `.${basename(live)}.scratch`) : resolve(scratch)
  return {
    live,
    beside: run => `${live}__restore_${run}`,
    aside: run => `${live}__aside_${run}`,
    nothing: run => `${live}__aside_${run}.nothing`,
    scratch: folder,
    drill: run => join(folder, `${basename(live)}__drill_${run}`),
  }
}

/** The path of loaded or live data. */
export function spotOf(at: Spots, place: Place | 'live', run: string): string {
  if (place === 'live') return at.live
  return place === 'beside' ? at.beside(run) : at.drill(run)
}

/** A path, or an address with one (`file:`, `sqlite://`), that leads to the live data, as one that leads to the copy of a drill; undefined for any other. */
export function copyOfPath(at: Spots, address: string, run: string): string | undefined {
  const [, scheme = '', path = '', rest = ''] = /^((?:file|sqlite3?):(?:\/\/)?)?([^?]*)(\?.*)?$/s.exec(address.trim()) ?? []
  return path.startsWith('/') && resolve(path) === at.live ? `${scheme}${at.drill(run)}${rest}` : undefined
}

/** The content of a place where nothing stands: none for lost live data; throws Trouble(4) where something should have been loaded. */
export function nothingAt(at: Spots, place: Place | 'live', run: string): Content {
  if (place === 'live') return { items: {}, warnings: [] }
  throw new Trouble(4, `Nothing is loaded at ${spotOf(at, place, run)}`)
}

/** Whether something has this name, links not followed; throws Trouble(8) when it cannot look. */
export async function stands(path: string): Promise<boolean> {
  try {
    await lstat(path)
    return true
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return false
    throw new Trouble(8, `Could not look at ${path}: ${message}`, { cause: error })
  }
}

/** Makes renames in a folder last over a power cut. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Makes the scratch folder, closed to others. */
export async function needScratch(at: Spots): Promise<void> {
  await mkdir(at.scratch, { recursive: true, mode: 0o700 }).catch(failedAt(at.scratch))
}

/** Removes the scratch folder if nothing is left in it. */
export async function leaveScratch(at: Spots): Promise<void> {
  await rmdir(at.scratch).catch(() => undefined)
}

/** Turns an error of the file system into one that names the place and says what to do; for `.catch()`. */
export function failedAt(path: string): (error: unknown) => never {
  return error => {
    if (error instanceof Trouble) throw error
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOSPC' || code === 'EDQUOT')
      throw new Trouble(4, `No room left at ${path}`, { look: [`df -h ${quote(dirname(path))}`], cause: error })
    if (code === 'EACCES' || code === 'EPERM')
      throw new Trouble(4, `Not allowed to write ${path}`, { look: [`ls -ld ${quote(dirname(path))}`], cause: error })
    if (code === 'EROFS') throw new Trouble(4, `${path} is on a read-only file system`, { cause: error })
    if (code === 'EEXIST')
      throw new Trouble(4, `${path} exists already, and nothing is ever overwritten`, { look: [`ls -ld ${quote(path)}`], cause: error })
    if (code === undefined) throw error
    throw new Trouble(4, `${path}: ${message}`, { cause: error })
  }
}

type Left = { readonly run: string; readonly place: 'beside' | 'aside' | 'scratch' }

/** The runs that left something beside, aside or in scratch. */
export async function runsLeft(at: Spots): Promise<readonly Left[]> {
  return runsAmong(at, await namesIn(dirname(at.live)), await scratchNames(at))
}

/** The same, from the names around the live data and those in the scratch folder. */
export function runsAmong(at: Spots, around: readonly string[], scratch: readonly string[]): readonly Left[] {
  const base = basename(at.live)
  const left = new Map<string, Left>()
  const note = (run: string, place: Left['place']) => left.set(`${place} ${run}`, { run, place })
  for (const name of around) {
    if (!name.startsWith(`${base}__`)) continue
    const found = /^__(restore|aside)_(.+?)(?:\.nothing|-wal|-shm|-journal)?$/.exec(name.slice(base.length))
    if (found) note(found[2]!, found[1] === 'restore' ? 'beside' : 'aside')
  }
  for (const name of scratch) {
    const run = runOfScratch(at, name)
    if (run) note(run, 'scratch')
  }
  return [...left.values()]
}

/** The names in the scratch folder that belong to this source. */
export async function scratchNames(at: Spots): Promise<readonly string[]> {
  return (await namesIn(at.scratch)).filter(name => runOfScratch(at, name) !== null)
}

/** The run that made a thing in the scratch folder, by its name: a drill, or a snapshot with its own random ending. */
export function runOfScratch(at: Spots, name: string): string | null {
  const base = basename(at.live)
  if (!name.startsWith(`${base}__`)) return null
  const rest = name.slice(base.length).replace(/-(wal|shm|journal)$/, '')
  return /^__drill_(.+)$/.exec(rest)?.[1] ?? /^__(?:snapshot|examine)_(.+)_[0-9a-f]{8}$/.exec(rest)?.[1] ?? null
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return []
    throw new Trouble(8, `Could not look into ${folder}: ${(error as Error).message}`, { cause: error })
  }
}
