import { join } from 'node:path'
import { versionsOf } from '../../exec/versions.ts'
import type { Doing } from '../../plan/plan.ts'
import type { Tool } from './commands.ts'
import type { Site } from './site.ts'

/** The client programs that a part needs. */
export const TOOLS = ['psql', 'pg_dump', 'pg_dumpall', 'pg_restore'] as const satisfies readonly Tool[]

/** The version of each program of the live server, null for one that is missing; they are asked for once a run. */
export async function toolVersions({ live }: Site, doing: Doing): Promise<ReadonlyMap<Tool, string | null>> {
  const { bin, within } = live
  const files = TOOLS.map(tool => (bin === undefined ? tool : join(bin, tool)))
  const found = await versionsOf(live, files, within, doing)
  return new Map(
    TOOLS.map((tool, i) => {
      const said = found?.[i] ?? null
      return [tool, said === null ? null : (/\(PostgreSQL\) (\S+)/.exec(said)?.[1] ?? 'unknown')]
    }),
  )
}
