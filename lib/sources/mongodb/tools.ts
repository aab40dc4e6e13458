import { join } from 'node:path'
import { cannotBeEntered, inService, looksAt } from '../../exec/place.ts'
import { type Command, CommandFailed } from '../../exec/process.ts'
import { versionsOf } from '../../exec/versions.ts'
import { Trouble } from '../../plan/outcome.ts'
import type { Doing } from '../../plan/plan.ts'
import type { PartFacts } from '../source.ts'
import type { Reach, Site } from './site.ts'
import { toolConfig } from './uri.ts'

/** The first version that reads its connection from `--config`. */
const OLDEST = [100, 3] as const
const MEND = 'install MongoDB Database Tools 100.3 or newer: https://www.mongodb.com/docs/database-tools/installation/'

const TOOLS = ['mongodump', 'mongorestore'] as const
type Tool = (typeof TOOLS)[number]

const program = ({ bin }: Site, name: Tool) => (bin === undefined ? name : join(bin, name))

/** The config that the tool reads on descriptor 3, from a variable: only that gets into a service. */
const WITH_CONFIG = `exec "$@" 3<<END
$TOOL_CONFIG
END`

/** A tool as it runs for a server: here with its address on a descriptor, or inside the service. */
export function toolCommand(site: Site, { uri, within }: Reach, name: Tool, argv: readonly string[], input: boolean): Command {
  const file = program(site, name)
  const secret = toolConfig(uri)
  if (!within) return { file, argv, secret }
  const command = inService(within, { file: 'sh', argv: ['-c', WITH_CONFIG, 'sh', file, ...argv] }, { input, secrets: { TOOL_CONFIG: secret } })
  const { typed } = inService(within, { file, argv }, { input })
  return { ...command, ...(typed && { typed }) }
}

/** Both tools with the version found; null when missing, and `mend` when missing or too old. */
export async function toolsOf(site: Site, doing: Doing): Promise<PartFacts['tools']> {
  const files = TOOLS.map(name => program(site, name))
  const found = await versionsOf(site.live, files, site.live.within, doing)
  return TOOLS.map((name, i) => {
    const said = found?.[i] ?? null
    const version = said === null ? null : (/version: *v?(\S+)/.exec(said)?.[1] ?? 'unknown')
    return { name, version, ...(version === null || isOld(version) ? { mend: MEND } : {}) }
  })
}

/** A version that cannot be read counts as new: builds of one's own have any name. */
function isOld(version: string): boolean {
  const [major = Number.NaN, minor = Number.NaN] = version.split('.').map(Number)
  return major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])
}

/** The failure of a tool as a foreseen one, told by its own last `Failed:` line; other errors stay themselves. */
export function toolTrouble(error: unknown, { live: { within } }: Site): unknown {
  if (!(error instanceof CommandFailed)) return error
  if (within && cannotBeEntered(error.stderr))
    return new Trouble(8, `The service ${within.service} cannot be entered: ${error.stderr.trim().split('\n')[0]}`, {
      look: [looksAt(within)],
      cause: error,
    })
  const lines = error.stderr.split('\n').flatMap(line => /\sFailed: (.+)$/.exec(line)?.[1] ?? [])
  return new Trouble(4, lines.length > 0 ? `${error.message.split(':')[0]}: ${lines.at(-1)}` : error.message, { cause: error })
}
