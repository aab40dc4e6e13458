import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Trouble } from '../plan/outcome.ts'
import { Secret, Unset } from '../plan/secrets.ts'
import type { FromEnv } from './describe.ts'
import { inAssets, inHome } from './home.ts'

/** A setting with where it came from, for --show-config. */
export type Setting = { readonly name: string; readonly value: unknown; readonly from: string }

/** Values of the process environment, then of the env file; remembers where each came from. */
export class Settings {
  readonly file: string
  readonly used: Setting[] = []
  readonly #env: NodeJS.ProcessEnv
  readonly #fromFile: Readonly<Record<string, string>>

  constructor(env: NodeJS.ProcessEnv, file: string, fromFile: Readonly<Record<string, string>>) {
    this.#env = env
    this.file = file
    this.#fromFile = fromFile
  }

  /** Reads `<stack>.<environment>.env` where it exists; RUNBOOKS_* names in it count as options' values. */
  static async read(env: NodeJS.ProcessEnv, folder: string, stack: string, environment: string): Promise<Settings> {
    const file = join(folder, `${stack}.${environment}.env`)
    if (!existsSync(file)) return new Settings(env, file, {})
    const { parse } = await import('dotenv')
    return new Settings(env, file, parse(readFileSync(file)))
  }

  /** The value of a reference; Trouble(2) names the variable and the file when it is set nowhere. */
  get(wanted: FromEnv): string | Secret {
    const inProcess = this.#env[wanted.env]
    const value = inProcess || this.#fromFile[wanted.env]
    if (!value) throw new Trouble(2, `${wanted.env} is not set`, { next: [`set ${wanted.env} in the environment or in ${this.file}`] })
    const kept = wanted.hidden ? new Secret(wanted.env, value) : value
    this.used.push({ name: wanted.env, value: kept, from: inProcess ? 'environment' : this.file })
    return kept
  }

  /** A text as it stands, or what it refers to. */
  read(value: unknown): unknown {
    return isFromEnv(value) ? this.get(value) : value
  }

  /** Whether a value is set anywhere. */
  has(name: string): boolean {
    return Boolean(this.#env[name] || this.#fromFile[name])
  }

  /** Whether a plain setting says yes: anything but nothing, `false`, `0` and `no`. */
  isTrue(name: string): boolean {
    return !['', 'false', '0', 'no'].includes((this.#env[name] || this.#fromFile[name] || '').toLowerCase())
  }

  /** The env file's own RUNBOOKS_* values, which come after the process environment. */
  get options(): NodeJS.ProcessEnv {
    return Object.fromEntries(Object.entries(this.#fromFile).filter(([name]) => name.startsWith('RUNBOOKS_')))
  }
}

const isFromEnv = (value: unknown): value is FromEnv => typeof value === 'object' && value !== null && 'env' in value && 'hidden' in value

/** A member's options with references read and relative paths put into RUNBOOKS_HOME. */
export function settle(options: Readonly<Record<string, unknown>>, settings: Settings, paths: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(options).map(([key, value]) => {
      const read = settings.read(value)
      return [key, paths.includes(key) && typeof read === 'string' ? inHome(read) : read]
    }),
  )
}

/** As `settle`, also inside records and lists; `assets` are folders beside that of the stack files. */
export function settleDeep(
  options: Readonly<Record<string, unknown>>,
  settings: Settings,
  folders: { readonly paths: readonly string[]; readonly assets: readonly string[] },
): Record<string, unknown> {
  const lazily = (value: FromEnv): unknown => {
    try {
      return settings.get(value)
    } catch (error) {
      return new Unset(value.env, error)
    }
  }
  // What stands in a record (secrets, variables, a registry's login) is needed by a deploy only: a machine that backs up need not have it.
  const deep = (value: unknown, within = false): unknown => {
    if (isFromEnv(value)) return within ? lazily(value) : settings.get(value)
    if (Array.isArray(value)) return value.map(one => deep(one, within))
    return value !== null && typeof value === 'object' ? Object.fromEntries(Object.entries(value).map(([key, one]) => [key, deep(one, true)])) : value
  }
  return Object.fromEntries(
    Object.entries(options).map(([key, value]) => {
      const read = deep(value)
      if (typeof read !== 'string') return [key, read]
      return [key, folders.paths.includes(key) ? inHome(read) : folders.assets.includes(key) ? inAssets(read) : read]
    }),
  )
}
