import { constants } from 'node:fs'
import { access, stat, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { redact } from '../../plan/secrets.ts'
import type { PlatformFacts } from '../platform.ts'
import { portTaken } from './front.ts'
import type { Place } from './place.ts'

/** Looks at the folder and at the port of the front door, and changes neither. */
export async function facts(place: Place): Promise<PlatformFacts> {
  const { directory } = place.paths
  const about = { where: directory, tools: [{ name: 'node', version: process.versions.node }], freeBytes: null }
  try {
    const folder = await nearest(directory)
    const refused = await access(folder, constants.W_OK | constants.X_OK).catch((error: Error) => error)
    if (refused) return { ...about, state: 'denied', because: `${folder} cannot be written to: ${redact(refused.message)}`, mend: `ls -ld ${folder}` }
    const { bavail, bsize } = await statfs(folder)
    const taken = await portTaken(place)
    if (!taken) return { ...about, state: 'answers', freeBytes: bavail * bsize }
    return {
      ...about,
      state: 'denied',
      because: taken,
      mend: `end that program (ss -ltnp 'sport = :${place.port}'), or give the sandbox another port`,
    }
  } catch (error) {
    return { ...about, state: 'unreachable', because: redact(error instanceof Error ? error.message : String(error)), mend: `ls -ld ${directory}` }
  }
}

/** The folder itself, or the nearest one above that is there; throws when that is no folder. */
async function nearest(folder: string): Promise<string> {
  const found = await stat(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
  if (!found) return nearest(dirname(folder))
  if (!found.isDirectory()) throw new Error(`${folder} is not a folder`)
  return folder
}
