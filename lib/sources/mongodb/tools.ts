import { join } from 'node:path'
import { CommandFailed, run } from '../../exec/process.ts'
import { Trouble } from '../../plan/outcome.ts'
import type { Doing } from '../../plan/plan.ts'
import type { PartFacts } from '../source.ts'
import type { Site } from './site.ts'

/** The first version that reads its connection from `--config`. */
const OLDEST = [100, 3] as const
const MEND = 'install MongoDB Database Tools 100.3 or newer: https://www.mongodb.com/docs/database-tools/installation/'

/** The program to start for a tool. */
export function tool(site: Site, name: 'mongodump' | 'mongorestore'): string {
  return site.bin === undefined ? name : join(site.bin, name)
}

/** Both tools with the version found; null when missing, and `mend` when missing or too old. */
export async function toolsOf(site: Site, doing: Doing): Promise<PartFacts['tools']> {
  return Promise.all(
    (['mongodump', 'mongorestore'] as const).map(async name => {
      const version = await versionOf(tool(site, name), doing)
      return { name, version, ...(version === null || isOld(version) ? { mend: MEND } : {}) }
    }),
  )
}

async function versionOf(file: string, doing: Doing): Promise<string | null> {
  try {
    const { stdout } = await run({ file, argv: ['--version'] }, doing, { budgetMs: 10_000 })
    return /version: *v?(\S+)/.exec(stdout)?.[1] ?? 'unknown'
  } catch (error) {
    if (error instanceof Trouble && error.exit === 3) return null
    throw error
  }
}

/** A version that cannot be read counts as new: builds of one's own have any name. */
function isOld(version: string): boolean {
  const [major = Number.NaN, minor = Number.NaN] = version.split('.').map(Number)
  return major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])
}

/** The failure of a tool as a foreseen one, told by its own last `Failed:` line; other errors stay themselves. */
export function toolTrouble(error: unknown): unknown {
  if (!(error instanceof CommandFailed)) return error
  const lines = error.stderr.split('\n').flatMap(line => /\sFailed: (.+)$/.exec(line)?.[1] ?? [])
  return new Trouble(4, lines.length > 0 ? `${error.message.split(':')[0]}: ${lines.at(-1)}` : error.message, { cause: error })
}
