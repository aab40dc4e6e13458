import { createHash, type Hash } from 'node:crypto'
import { lstat, mkdir, readdir, readFile, readlink, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { addUploads, makeMedia, ruinMedia } from './media.ts'
import { addSales, makeShop, ruinShop } from './shop.ts'

/** Where the demo's data stands inside its folder. */
export function demoPaths(folder: string): { readonly database: string; readonly media: string } {
  return { database: join(folder, 'shop.sqlite'), media: join(folder, 'media') }
}

/** Makes the data of the demo anew: a shop's database and its media folder, the same for the same `now`; the folder's old data is removed. */
export async function makeDemo(folder: string, now = new Date()): Promise<void> {
  const { database, media } = demoPaths(folder)
  await mkdir(folder, { recursive: true })
  for (const old of [database, `${database}-wal`, `${database}-shm`, media]) await rm(old, { recursive: true, force: true })
  makeShop(database, now)
  await makeMedia(media, now)
}

/** Business goes on: orders and uploads that are newer than the last backup. */
export async function writeSome(
  folder: string,
  orders = 137,
  uploads = 3,
): Promise<{ readonly orders: number; readonly uploads: readonly string[] }> {
  const { database, media } = demoPaths(folder)
  addSales(database, orders)
  return { orders, uploads: await addUploads(media, uploads) }
}

/** A disaster as they happen: rows deleted by a migration, files removed and cut by a script. */
export async function destroyDemo(folder: string): Promise<{ readonly rows: number; readonly files: number }> {
  const { database, media } = demoPaths(folder)
  return { rows: ruinShop(database), files: await ruinMedia(media) }
}

/** SHA-256 of all that the demo's data holds, computed without the sources that are to be tested with it. */
export async function digestDemo(folder: string): Promise<{ readonly database: string; readonly media: string }> {
  const { database, media } = demoPaths(folder)
  const files = createHash('sha256')
  await addTree(files, media, '')
  return { database: digestDatabase(database), media: files.digest('hex') }
}

function digestDatabase(file: string): string {
  const digest = createHash('sha256')
  const database = new DatabaseSync(file)
  try {
    for (const { type, name, sql } of database.prepare('SELECT type, name, sql FROM sqlite_schema ORDER BY type, name').all()) {
      digest.update(JSON.stringify([type, name, sql]))
      if (type !== 'table') continue
      for (const row of database.prepare(`SELECT * FROM "${name}" ORDER BY 1, 2`).iterate()) digest.update(JSON.stringify(Object.values(row)))
    }
    return digest.digest('hex')
  } finally {
    database.close()
  }
}

async function addTree(digest: Hash, root: string, path: string): Promise<void> {
  const at = join(root, path)
  const stats = await lstat(at)
  digest.update(JSON.stringify([path, stats.mode, Math.floor(stats.mtimeMs / 1000)]))
  if (stats.isSymbolicLink()) digest.update(await readlink(at))
  else if (stats.isFile()) digest.update(await readFile(at))
  else for (const name of (await readdir(at)).sort()) await addTree(digest, root, join(path, name))
}
