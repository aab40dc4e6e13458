import { statfs } from 'node:fs/promises'
import { mustRun } from '../exec/process.ts'
import { size } from '../plan/durations.ts'
import type { Doing } from '../plan/plan.ts'
import { type Check, LIMIT_MS, type Look } from './check.ts'
import { isElsewhere, onMachine, saidOf, type Where, within } from './place.ts'

/** What a team writes of room on a disk. */
export type DiskOptions = Where & {
  readonly name?: string
  /** Any path on the file system. */
  readonly path: string
  /** Part of its bytes, and of its inodes, that must be free, in percent; 10 unless said. */
  readonly freePercent?: number
  /** Bytes that must be free besides. */
  readonly freeBytes?: number
}

/** Room as `df` counts it: what is reserved for root is not free. Inodes are null where a file system has no fixed number of them. */
export type Room = {
  readonly totalBytes: number
  readonly freeBytes: number
  readonly inodes: { readonly total: number; readonly free: number } | null
}

const TENTH = 10

/** Whether a file system has room, in bytes and in inodes. */
export function disk(options: DiskOptions): Check {
  const { path, freePercent = TENTH, freeBytes = 0 } = options
  return {
    name: options.name ?? `disk ${saidOf(options)}${path}`,
    kind: 'disk',
    limitMs: isElsewhere(options) ? 2 * LIMIT_MS : LIMIT_MS,
    async look(doing) {
      const found = diskVerdict(await roomOf(options, doing), { freePercent, freeBytes })
      return found.is === 'healthy' ? found : { ...found, look: [`df -h ${path}`, `du -xhd1 ${path} | sort -h | tail`] }
    },
  }
}

/** The verdict on the room that there is. */
export function diskVerdict({ totalBytes, freeBytes, inodes }: Room, least: { readonly freePercent: number; readonly freeBytes: number }): Look {
  const percent = share(freeBytes, totalBytes)
  const files = inodes === null ? null : share(inodes.free, inodes.total)
  const measured = { freePercent: percent, freeBytes, totalBytes, ...(files === null ? {} : { freeInodesPercent: files }) }
  const says = `${size(freeBytes)} free of ${size(totalBytes)} (${percent} %)`
  if (percent < least.freePercent) return { is: 'unhealthy', says: `${says}: less than ${least.freePercent} %`, measured }
  if (freeBytes < least.freeBytes) return { is: 'unhealthy', says: `${says}: less than ${size(least.freeBytes)}`, measured }
  if (files !== null && files < least.freePercent)
    return { is: 'unhealthy', says: `${says}, but only ${files} % of its inodes: there are too many files`, measured }
  return { is: 'healthy', says, measured }
}

/** Percent to one decimal, rounded down: 9.99 % is not 10 %. */
const share = (part: number, whole: number) => (whole > 0 ? Math.floor((part * 1000) / whole) / 10 : 100)

function roomOf(options: DiskOptions, doing: Doing): Promise<Room> {
  if (!isElsewhere(options)) return here(options.path)
  return onMachine(options, async on => {
    const df = (flags: string) => mustRun(on(within(options, { file: 'df', argv: [flags, options.path] })), doing)
    // Not every df counts inodes.
    const [room, files] = await Promise.all([df('-Pk'), df('-Pi').catch(() => undefined)])
    const { total, free } = dfOf(room.stdout)
    const counted = files && dfOf(files.stdout)
    return { totalBytes: total * 1024, freeBytes: free * 1024, inodes: counted && counted.total > 0 ? counted : null }
  })
}

async function here(path: string): Promise<Room> {
  const { bsize, blocks, bfree, bavail, files, ffree } = await statfs(path)
  return { totalBytes: (blocks - bfree + bavail) * bsize, freeBytes: bavail * bsize, inodes: files > 0 ? { total: files, free: ffree } : null }
}

/** What `df -P` prints in its second line: what can be used in all, and what is left of it. Throws when it printed something else. */
export function dfOf(stdout: string): { readonly total: number; readonly free: number } {
  // The name of a device may have spaces; what follows it is figures.
  const [, used, free] = /\s\d+\s+(\d+)\s+(-?\d+)\s+(?:\d+%|-)\s/.exec(stdout.trim().split('\n').at(-1) ?? '') ?? []
  if (used === undefined || free === undefined) throw new Error(`df printed something else: ${stdout.slice(0, 200)}`)
  return { total: Number(used) + Number(free), free: Number(free) }
}
