import { mkdir, open, rmdir, stat, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { StoreError } from '../store.ts'
import { unless } from './faults.ts'

/** Recovery points hold everything that a stack holds, so only their owner may read them. */
const OWNER_ONLY = 0o700

/** A file name as a shell reads it back. */
export const quoted = (file: string) => (/^[\w./-]+$/.test(file) ? file : `'${file.replaceAll("'", "'\\''")}'`)

/** What to type when the root folder and its parent are missing. */
export const mendMissing = (root: string) => `mkdir -p ${quoted(root)}`

/** Makes the root folder when only its last name is missing; throws StoreError('missing') when the parent is not there either, which is how an unmounted disk looks. */
export async function ensureRoot(root: string): Promise<void> {
  if (await unless(['ENOENT'], stat(root))) return
  try {
    await mkdir(root, { mode: OWNER_ONLY })
    await syncFolder(dirname(root))
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'EEXIST') return
    if (code !== 'ENOENT') throw error
    throw new StoreError('missing', `neither ${root} nor ${dirname(root)} exists; is its disk mounted? Otherwise: ${mendMissing(root)}`, error)
  }
}

/** Makes a folder below the root, and makes sure that it outlives a power cut. */
export async function ensureFolder(root: string, folder: string): Promise<void> {
  await ensureRoot(root)
  const first = await mkdir(folder, { recursive: true, mode: OWNER_ONLY })
  if (first === undefined) return
  for (let at = folder; at.length >= first.length; at = dirname(at)) await syncFolder(dirname(at))
}

/** Writes a folder's entries to disk: a linked file is not safe before. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    // Some network filesystems know no sync of folders.
    await unless(['EINVAL', 'ENOTSUP'], handle.sync())
  } finally {
    await handle.close()
  }
}

/** Removes a folder and those above it, up to the root, as far as they are empty. */
export async function removeEmpty(root: string, folder: string): Promise<void> {
  for (let at = folder; at.length > root.length; at = dirname(at)) {
    const gone = await unless(
      ['ENOTEMPTY', 'EEXIST', 'ENOENT', 'EBUSY'],
      rmdir(at).then(() => true),
    )
    if (!gone) return
  }
}

/** Bytes that this user may still write on the folder's filesystem. */
export async function freeBytes(folder: string): Promise<number> {
  const found = await statfs(folder)
  return found.bavail * found.bsize
}
