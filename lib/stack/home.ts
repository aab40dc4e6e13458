import { dirname, isAbsolute, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder of the clone. */
export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

/** Where runs, and all of the demo, live: RUNBOOKS_HOME, or `.runbooks` in the clone. */
export function home(env: NodeJS.ProcessEnv = process.env): string {
  return resolve(env.RUNBOOKS_HOME || join(ROOT, '.runbooks'))
}

/** Where the stack files are: RUNBOOKS_CONFIG, or `config` in the clone. */
export function configFolder(env: NodeJS.ProcessEnv = process.env): string {
  return resolve(env.RUNBOOKS_CONFIG || join(ROOT, 'config'))
}

/** A path of a stack file: absolute, or inside the home folder. */
export const inHome = (path: string) => (isAbsolute(path) ? path : join(home(), path))

/** A folder of assets of a stack file: absolute, or beside the folder of the stack files. */
export const inAssets = (path: string) => (isAbsolute(path) ? path : join(dirname(configFolder()), path))
