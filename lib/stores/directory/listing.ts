import type { Stats } from 'node:fs'
import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { byPath, reserved, TEMPORARY } from '../paths.ts'
import { type Leftover, type Listed, StoreError } from '../store.ts'
import { unless } from './faults.ts'
import { mendMissing } from './folders.ts'

type Found = { readonly path: string; readonly name: string; readonly stats: Stats }

/** Every file below a folder of the root, hidden ones too; throws when the root itself is not there, because an unmounted disk must not look empty. */
async function walk(root: string, prefix: string): Promise<Found[]> {
  if (!(await unless(['ENOENT'], lstat(root))))
    throw new StoreError('missing', `${root} is not there; is its disk mounted? Otherwise: ${mendMissing(root)}`)
  const found: Found[] = []
  const folders = [prefix]
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    // Gone, or a file: another run may have removed it meanwhile.
    const entries = (await unless(['ENOENT', ...(folder === '' ? [] : ['ENOTDIR'])], readdir(join(root, folder), { withFileTypes: true }))) ?? []
    for (const entry of entries) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`
      if (entry.isDirectory()) folders.push(path)
      const stats = entry.isFile() ? await unless(['ENOENT'], lstat(join(root, path))) : undefined
      if (stats) found.push({ path, name: entry.name, stats })
    }
  }
  return found
}

/** The objects below a prefix, sorted. */
export async function list(root: string, prefix: string): Promise<readonly Listed[]> {
  const objects = (await walk(root, prefix)).filter(({ path }) => !reserved(path))
  return objects.map(({ path, stats }) => ({ path, bytes: stats.size, modified: stats.mtime.toISOString() })).sort(byPath)
}

/** Temporary files below a prefix that nobody has written to since `before` (milliseconds of the filesystem's time). */
export async function leftovers(root: string, prefix: string, before: number): Promise<readonly Leftover[]> {
  const dead = (await walk(root, prefix)).filter(({ name, stats }) => name.startsWith(TEMPORARY) && stats.mtimeMs <= before)
  return dead.map(({ path, stats }) => ({ id: path, path, begun: stats.birthtime.toISOString(), bytes: stats.size })).sort(byPath)
}
