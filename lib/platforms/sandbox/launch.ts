import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from '../../exec/command.ts'
import type { Bundle } from '../platform.ts'
import type { Settings } from './draft.ts'
import { BUNDLE, FILES, SECRETS, SETTINGS } from './place.ts'

/** The variable that every instance carries, and hands on to its children: `<folder of the sandbox>#<slot>`. */
const MARK = 'RUNBOOKS_SLOT'

/** The same for one instance: `<folder of the sandbox>#<slot>#<service>-<n>`. */
const MARK_OF_ONE = 'RUNBOOKS_INSTANCE'

/** The mark of a slot, as it stands in the environment of whatever runs in it. */
export const markOf = (directory: string, slot: string): string => `${MARK}=${directory}#${slot}`

/** The mark of one instance, as it stands in the environment of it and of its children. */
export const markOfOne = (directory: string, slot: string, service: string, n: number): string =>
  `${MARK_OF_ONE}=${directory}#${slot}#${service}-${n}`

const read = <T>(folder: string, ...names: string[]): T => JSON.parse(readFileSync(join(folder, ...names), 'utf8')) as T

/** What a command of a release has in its environment: the configured variables, who it is, and where its secrets are. Throws when nothing is staged. */
export function environmentIn(folder: string, service: string): Record<string, string> {
  const { release, services } = read<Bundle>(folder, BUNDLE)
  const { environment } = read<Settings>(folder, FILES, SETTINGS)
  const secrets = readdirSync(join(folder, SECRETS)).map(name => [`${name}_FILE`, join(folder, SECRETS, name)] as const)
  return { ...environment, ...Object.fromEntries(secrets), SERVICE: service, RELEASE: release, VERSION: services[service]?.version ?? '' }
}

/** Which instance, by the folder of its sandbox and of its release. */
export type Named = { readonly directory: string; readonly slot: string; readonly folder: string; readonly service: string; readonly n: number }

/** The command of one instance; `port` is null for a worker that answers nobody. Throws when nothing is staged. */
export function instanceCommand({ directory, slot, folder, service, n }: Named, port: number | null): Command {
  const { services } = read<Settings>(folder, FILES, SETTINGS)
  const launch = services[service]
  if (!launch) throw new Error(`${service} is no service of the release in ${folder}`)
  const env = environmentIn(folder, service)
  return {
    file: process.execPath,
    argv: [join(folder, FILES, service, launch.script), `--version=${env.VERSION}`, ...(port === null ? [] : [`--port=${port}`])],
    env: {
      ...env,
      ...(port === null ? {} : { PORT: String(port) }),
      [MARK]: `${directory}#${slot}`,
      [MARK_OF_ONE]: `${directory}#${slot}#${service}-${n}`,
    },
    cwd: join(folder, FILES, service),
  }
}

/** A command of a release that is no instance: `node` is the Node that we run on, and the working folder is that of the service's script. */
export function onceCommand(folder: string, service: string, argv: readonly string[]): Command {
  const [file = '', ...rest] = argv
  // Whoever prints a plan may do so before the release is staged; a run of it would say what is missing.
  let env: Record<string, string> = {}
  try {
    env = environmentIn(folder, service)
  } catch {}
  return { file: file === 'node' ? process.execPath : file, argv: rest, env, cwd: join(folder, FILES, service) }
}
