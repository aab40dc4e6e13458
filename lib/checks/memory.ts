import { readFile } from 'node:fs/promises'
import { freemem, totalmem } from 'node:os'
import { mustRun } from '../exec/process.ts'
import { size } from '../plan/durations.ts'
import type { Doing } from '../plan/plan.ts'
import { type Check, LIMIT_MS, type Look } from './check.ts'
import { isElsewhere, onMachine, saidOf, type Where, within } from './place.ts'

/** What a team writes of a machine's memory. */
export type MemoryOptions = Where & {
  readonly name?: string
  /** Part that must be available, in percent; 10 unless said. */
  readonly availablePercent?: number
}

/** Available is what can be had without swapping: caches count as free. */
export type Memory = { readonly totalBytes: number; readonly availableBytes: number }

const MEMINFO = '/proc/meminfo'
const TENTH = 10

/** Whether a machine has memory left. Inside a service it is that of its machine, not the limit of the container. */
export function memory(options: MemoryOptions = {}): Check {
  return {
    name: options.name ?? `memory${isElsewhere(options) ? ` ${saidOf(options).slice(0, -1)}` : ''}`,
    kind: 'memory',
    limitMs: isElsewhere(options) ? 2 * LIMIT_MS : LIMIT_MS,
    async look(doing) {
      const found = memoryVerdict(await memoryOf(options, doing), options.availablePercent ?? TENTH)
      return found.is === 'healthy' ? found : { ...found, look: ['free -h', 'ps aux --sort=-rss | head'] }
    },
  }
}

/** The verdict on the memory that is left. */
export function memoryVerdict({ totalBytes, availableBytes }: Memory, leastPercent: number): Look {
  const percent = Math.floor((availableBytes * 1000) / totalBytes) / 10
  const measured = { availablePercent: percent, availableBytes, totalBytes }
  const says = `${size(availableBytes)} available of ${size(totalBytes)} (${percent} %)`
  if (percent < leastPercent) return { is: 'unhealthy', says: `${says}: less than ${leastPercent} %`, measured }
  return { is: 'healthy', says, measured }
}

async function memoryOf(where: Where, doing: Doing): Promise<Memory> {
  if (isElsewhere(where)) {
    const read = within(where, { file: 'cat', argv: [MEMINFO] })
    return meminfo((await onMachine(where, on => mustRun(on(read), doing))).stdout)
  }
  const text = await readFile(MEMINFO, 'utf8').catch(() => undefined)
  return text === undefined ? { totalBytes: totalmem(), availableBytes: freemem() } : meminfo(text)
}

/** What Linux says of its memory, in kB. Throws for any other text. */
export function meminfo(text: string): Memory {
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1] ?? Number.NaN) * 1024
  const found = { totalBytes: field('MemTotal'), availableBytes: field('MemAvailable') }
  if (!(found.totalBytes > 0) || Number.isNaN(found.availableBytes)) throw new Error(`${MEMINFO} says something else: ${text.slice(0, 100)}`)
  return found
}
