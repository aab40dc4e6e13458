import { accessSync, constants, existsSync, readdirSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'

/** The folder that keeps built tools and the records of running servers: TESTBED_CACHE, else ~/.cache/runbooks-testbed. */
export function cache(): string {
  return process.env.TESTBED_CACHE || join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'runbooks-testbed')
}

/** The folder of built tools. */
export const bin = (): string => join(cache(), 'bin')

function executable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return statSync(file).isFile()
  } catch {
    return false
  }
}

/** Where Debian keeps servers, which is on the PATH of root only. */
const SERVERS = '/usr/sbin'

/** The full path of a tool: on PATH first, then in the cache, then where Debian keeps servers and PostgreSQL; undefined when it is nowhere. */
export function find(tool: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), bin(), SERVERS, ...postgresFolders()]
  return folders
    .filter(folder => folder !== '')
    .map(folder => join(folder, tool))
    .find(executable)
}

/** Debian keeps PostgreSQL's server programs off PATH, in a folder a version; the newest first. */
function postgresFolders(): string[] {
  const debian = '/usr/lib/postgresql'
  if (!existsSync(debian)) return []
  const versions = readdirSync(debian).sort((a, b) => Number(b) - Number(a))
  return versions.map(version => join(debian, version, 'bin'))
}

/** Puts a folder of tools, the built ones unless another is named, on this process's PATH, after what the machine has, so that programs started by name find them. */
export function putOnPath(folder = bin()): void {
  const folders = (process.env.PATH ?? '').split(delimiter)
  if (!folders.includes(folder)) process.env.PATH = [...folders, folder].join(delimiter)
}
