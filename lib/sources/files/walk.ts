import type { Stats } from 'node:fs'
import { lstat, readdir, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { quote } from '../../exec/command.ts'
import { Trouble } from '../../plan/outcome.ts'
import { nameOf, shown } from './names.ts'

/** One thing in a folder tree; `path` is relative with slashes, '' for the root. */
export type Found = {
  readonly kind: 'file' | 'directory' | 'link'
  readonly path: string
  readonly at: string
  readonly stats: Stats
  readonly target?: string
}

/** Every file, folder and symbolic link below a folder, itself first, in the order of the bytes of their names; links are never followed. What cannot be kept is named in `warnings`. */
export async function* walk(root: string, warnings: string[]): AsyncGenerator<Found> {
  const stats = await lstat(root)
  if (!stats.isDirectory()) throw new Trouble(7, `${root} is not a folder`, { look: [`ls -ld ${quote(root)}`] })
  yield { kind: 'directory', path: '', at: root, stats }
  yield* below(root, '', warnings)
}

async function* below(root: string, folder: string, warnings: string[]): AsyncGenerator<Found> {
  const names = await readdir(join(root, folder), { encoding: 'buffer' }).catch(unlessGone(folder, warnings))
  for (const bytes of (names ?? []).sort(Buffer.compare)) {
    const prefix = folder === '' ? '' : `${folder}/`
    const name = nameOf(bytes)
    if (name === null) {
      warnings.push(`${shown(prefix)}${shown(bytes)} is NOT in the backup: its name is not UTF-8`)
      continue
    }
    const found = await look(root, prefix + name, warnings)
    if (!found) continue
    yield found
    if (found.kind === 'directory') yield* below(root, found.path, warnings)
  }
}

async function look(root: string, path: string, warnings: string[]): Promise<Found | undefined> {
  const at = join(root, path)
  const stats = await lstat(at).catch(unlessGone(path, warnings))
  if (!stats) return undefined
  if (stats.isFile()) return { kind: 'file', path, at, stats }
  if (stats.isDirectory()) return { kind: 'directory', path, at, stats }
  if (!stats.isSymbolicLink()) {
    const what = stats.isSocket() ? 'socket' : stats.isFIFO() ? 'FIFO' : 'device'
    warnings.push(`${shown(path)} is NOT in the backup: it is a ${what}`)
    return undefined
  }
  const bytes = await readlink(at, { encoding: 'buffer' }).catch(unlessGone(path, warnings))
  if (!bytes) return undefined
  const target = nameOf(bytes)
  if (target === null) warnings.push(`${shown(path)} is NOT in the backup: what it links to is not UTF-8`)
  return target === null ? undefined : { kind: 'link', path, at, stats, target }
}

/** For `.catch()`: names what vanished while the folder was read, and lets any other error through. */
export function unlessGone(path: string, warnings: string[]): (error: unknown) => undefined {
  return error => {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' && path !== '') {
      warnings.push(`${shown(path)} is NOT in the backup: it vanished while it was read`)
      return undefined
    }
    if (code === 'EACCES' || code === 'EPERM')
      throw new Trouble(4, `Not allowed to read ${shown(path) || 'the folder'}: ${message}`, { cause: error })
    throw error
  }
}
