import { constants } from 'node:fs'
import { chmod, chown, type FileHandle, lchown, lstat, lutimes, mkdir, open, symlink, utimes } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { quote } from '../../exec/command.ts'
import { Trouble } from '../../plan/outcome.ts'
import { failedAt, needScratch, type Spots, spotOf, stands, syncFolder } from '../places.ts'
import type { Load, Place } from '../source.ts'
import { shown } from './names.ts'
import { Tally } from './tally.ts'
import { type Entry, entriesOf } from './unpack.ts'

/** Files that wait for the disk at the same time. */
const SYNCS = 16

/** Unpacks into a new folder, closed to others until it is whole; owners are restored by root only. */
export function loadOf(at: Spots, place: Place, run: string): Load {
  const root = spotOf(at, place, run)
  return {
    prints: `stream → tar -x -C ${quote(root)}`,
    take: async (bytes, doing) => {
      if (place === 'scratch') await needScratch(at)
      else await renamable(at.live)
      await mkdir(root, { mode: 0o700 }).catch(failedAt(root))
      const folders: Entry[] = []
      const syncing = new Set<Promise<void>>()
      try {
        for await (const entry of entriesOf(bytes, new Tally(), doing)) {
          const path = join(root, entry.path)
          if (entry.kind === 'file') await makeFile(path, entry, syncing)
          else if (entry.kind === 'link') await makeLink(path, entry)
          else {
            if (entry.path !== '') await mkdir(path, { mode: 0o700 }).catch(madeNot(entry))
            folders.push(entry)
          }
        }
      } finally {
        await Promise.allSettled(syncing)
      }
      await Promise.all(syncing)
      // Last and from the inside out: nothing can be made in a folder that is closed already, and what is made in one changes its time.
      for (const folder of folders.reverse()) await finishFolder(join(root, folder.path), folder)
      await syncFolder(dirname(root))
    },
  }
}

const asRoot = () => process.getuid?.() === 0

async function makeFile(path: string, entry: Entry, syncing: Set<Promise<void>>): Promise<void> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
  const handle = await open(path, flags, 0o600).catch(madeNot(entry))
  try {
    for await (const chunk of entry.bytes) await handle.writeFile(chunk).catch(failedAt(path))
    if (asRoot()) await handle.chown(entry.uid, entry.gid)
    await handle.chmod(entry.mode & 0o7777)
    await handle.utimes(entry.mtimeSeconds, entry.mtimeSeconds)
  } catch (error) {
    await handle.close()
    throw error
  }
  const synced = finish(handle, path).finally(() => syncing.delete(synced))
  synced.catch(() => undefined)
  syncing.add(synced)
  if (syncing.size >= SYNCS) await Promise.race(syncing)
}

async function finish(handle: FileHandle, path: string): Promise<void> {
  try {
    await handle.sync().catch(failedAt(path))
  } finally {
    await handle.close()
  }
}

async function makeLink(path: string, entry: Entry): Promise<void> {
  await symlink(entry.target ?? '', path).catch(madeNot(entry))
  if (asRoot()) await lchown(path, entry.uid, entry.gid)
  await lutimes(path, entry.mtimeSeconds, entry.mtimeSeconds)
}

async function finishFolder(path: string, entry: Entry): Promise<void> {
  if (asRoot()) await chown(path, entry.uid, entry.gid)
  await chmod(path, entry.mode & 0o7777)
  await utimes(path, entry.mtimeSeconds, entry.mtimeSeconds)
}

function madeNot(entry: Entry): (error: unknown) => never {
  return error => {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw new Trouble(7, `The archive holds ${shown(entry.path)} twice`, { cause: error })
    return failedAt(shown(entry.path))(error)
  }
}

/** Found before anything is loaded rather than at the swap. */
async function renamable(live: string): Promise<void> {
  if (!(await stands(live))) return
  const [own, around] = [await lstat(live), await lstat(dirname(live))]
  if (own.dev === around.dev) return
  throw new Trouble(3, `${live} is a mount point, which cannot be renamed: name a folder below it in the stack file instead`, {
    look: [`findmnt ${quote(live)}`],
  })
}
