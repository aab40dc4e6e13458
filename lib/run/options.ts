import { parseArgs } from 'node:util'
import { parseDuration } from '../plan/durations.ts'
import { Trouble } from '../plan/outcome.ts'
import { nearest } from './nearest.ts'

/** A choice of an option with a text for people; `disabled` says why it cannot be chosen. The cursor rests on the first `best` one. */
export type Choice = { readonly value: string; readonly name?: string; readonly disabled?: string; readonly best?: boolean }

/** One option, declared once: it gives the flag, the `RUNBOOKS_*` name, the question, the help line and the type. */
export type Option<T> = {
  readonly kind: 'text' | 'many' | 'flag' | 'typed' | 'duration'
  readonly help: string
  /** The question that is asked on a terminal when the option is missing; absent = never asked. */
  readonly ask?: string
  readonly choices?: (at: never) => Promise<readonly Choice[]> | readonly Choice[]
  /** What is worth knowing when the question is asked: `(now 1.4.1)`. */
  readonly hint?: (at: never) => Promise<string>
  readonly word?: string
  /** Off a terminal its absence is a usage error. */
  readonly needed?: true
  /** Asked for only when this holds. */
  readonly when?: (at: never) => boolean
  /** Not asked for when one of these was given. */
  readonly unless?: readonly string[]
  /** Shown in help instead of the kind. */
  readonly shows?: string
  /** Consents are never taken from the environment. */
  readonly consent?: true
  /** Carried for the types only. */
  readonly type?: T
}

export type Options = Readonly<Record<string, Option<unknown>>>
export type Values<O extends Options> = { readonly [K in keyof O]: O[K] extends Option<infer T> ? T : never }

type Asked = {
  help: string
  ask?: string
  shows?: string
  needed?: true
  unless?: readonly string[]
  when?: (at: never) => boolean
  choices?: (at: never) => Promise<readonly Choice[]> | readonly Choice[]
  hint?: (at: never) => Promise<string>
}

/** One text value. */
export const text = (o: Asked): Option<string | undefined> => ({ kind: 'text', ...o })
/** Any number of text values: the flag may be repeated. */
export const many = (o: Asked): Option<readonly string[]> => ({ kind: 'many', ...o })
/** Yes or no. */
export const flag = (o: { help: string; consent?: true }): Option<boolean> => ({ kind: 'flag', ...o })
/** A consent that must be typed as a whole word, and is never taken from the environment. */
export const typed = (word: string, o: { help: string }): Option<boolean> => ({ kind: 'typed', word, consent: true, ...o })
/** A duration such as 10min, given in milliseconds. */
export const duration = (o: { help: string }): Option<number | undefined> => ({ kind: 'duration', shows: 'duration', ...o })

/** The options that every runbook has. */
export const COMMON = {
  stack: text({ ask: 'Stack', help: 'name of the file in config/, without .ts', shows: 'name' }),
  environment: text({ ask: 'Environment', help: 'one of the environments of the stack', shows: 'name' }),
  dryRun: flag({ help: 'show the plan with its commands and transfers, and stop' }),
  yes: { ...flag({ help: 'go on without asking' }), consent: true },
  confirm: { ...text({ help: 'go on with what cannot be undone, on exactly this target', shows: 'stack/environment' }), consent: true },
  wait: duration({ help: 'wait that long for another run to end' }),
  json: flag({ help: 'one JSON object on stdout' }),
  quiet: flag({ help: 'print only failures' }),
  verbose: flag({ help: 'print commands too' }),
  showConfig: flag({ help: 'print each value and where it came from, and stop' }),
  resume: flag({ help: 'finish the unfinished run', consent: true }),
  revert: flag({ help: 'take the unfinished run back', consent: true }),
  close: { ...text({ help: 'settle an unfinished run that was mended by hand', shows: 'run' }), consent: true },
  help: flag({ help: 'this page' }),
} as const satisfies Options

export type Common = Values<typeof COMMON>

/** `skipTests` → `skip-tests`. */
export const flagName = (key: string) => key.replace(/[A-Z]/g, c => `-${c.toLowerCase()}`)
/** `skipTests` → `RUNBOOKS_SKIP_TESTS`. */
export const envName = (key: string) => `RUNBOOKS_${key.replace(/[A-Z]/g, c => `_${c}`).toUpperCase()}`

/** Where a value came from, for --show-config. */
export type From = { readonly value: unknown; readonly from: string }

function parsed(key: string, option: Option<unknown>, raw: string | boolean | readonly (string | boolean)[], where: string): unknown {
  const bad = (wants: string): never => {
    throw new Trouble(2, `${where} is ${JSON.stringify(raw)}, but ${wants}`)
  }
  if (option.kind === 'flag')
    return typeof raw === 'boolean'
      ? raw
      : raw === 'true' || raw === '1'
        ? true
        : raw === 'false' || raw === '0' || raw === ''
          ? false
          : bad('a flag is true or false')
  if (option.kind === 'many') {
    const values = (Array.isArray(raw) ? raw : String(raw).split(',')).map(String)
    // Nothing given means all of them, which an empty variable in a script does not mean.
    return values.includes('') ? bad('it must not be empty') : values
  }
  const value = String(raw)
  if (option.kind === 'typed') return value === option.word ? true : bad(`only --${flagName(key)}=${option.word} counts`)
  if (option.kind === 'duration') return parseDuration(value) ?? bad('a duration is written 30s, 5min, 6h or 30d')
  return value === '' ? bad('it must not be empty') : value
}

function fromEnvironment(key: string, option: Option<unknown>, env: NodeJS.ProcessEnv): From | undefined {
  const name = envName(key)
  const raw = env[name]
  if (raw === undefined || raw === '' || option.consent || key === 'help') return undefined
  return { value: parsed(key, option, raw, name), from: name }
}

/** Parses flags strictly and fills the rest from the environment; Trouble(2) names the nearest right flag. */
export function parse(options: Options, argv: readonly string[], env: NodeJS.ProcessEnv): Record<string, From> {
  const byFlag = new Map(Object.keys(options).map(key => [flagName(key), key]))
  const config = Object.fromEntries(
    Object.entries(options).map(([key, o]) => [
      flagName(key),
      { type: o.kind === 'flag' ? ('boolean' as const) : ('string' as const), multiple: o.kind === 'many' },
    ]),
  )
  const given = readFlags([...argv], config, [...byFlag.keys()])
  return Object.fromEntries(
    Object.entries(options).map(([key, option]) => {
      const raw = given[flagName(key)]
      if (raw !== undefined) return [key, { value: parsed(key, option, raw, `--${flagName(key)}`), from: `--${flagName(key)}` }]
      return [
        key,
        fromEnvironment(key, option, env) ?? {
          value: option.kind === 'flag' || option.kind === 'typed' ? false : option.kind === 'many' ? [] : undefined,
          from: 'default',
        },
      ]
    }),
  )
}

function readFlags(
  args: string[],
  config: Record<string, { type: 'boolean' | 'string'; multiple: boolean }>,
  names: string[],
): Record<string, string | boolean | (string | boolean)[] | undefined> {
  const stray = args.find(arg => !arg.startsWith('-'))
  const unknown = args.map(arg => /^--(?:no-)?([^=]+)/.exec(arg)?.[1]).find(name => name !== undefined && !names.includes(name))
  if (unknown !== undefined) throw new Trouble(2, `There is no option --${unknown}.${nearest(unknown, names, '--')}`)
  try {
    return parseArgs({ args, options: config, strict: true, allowNegative: true }).values
  } catch (error) {
    if (stray !== undefined) throw new Trouble(2, `"${stray}" is not an option; values are written --name=value`)
    throw new Trouble(2, error instanceof Error ? error.message : String(error))
  }
}

/** The help page: what the runbook does, its own options, the common ones, and the exit codes. */
export function optionLines(options: Options): string[] {
  const left = (key: string, o: Option<unknown>) => {
    const value = o.kind === 'flag' ? '' : o.kind === 'typed' ? `=${o.word}` : `=<${o.shows ?? 'text'}>`
    return `  --${flagName(key)}${value}`
  }
  const rows = Object.entries(options).map(([key, o]) => [left(key, o), o.kind === 'many' ? `${o.help} (may be repeated)` : o.help] as const)
  const width = Math.max(...rows.map(([l]) => l.length)) + 2
  return rows.map(([l, r]) => l.padEnd(width) + r)
}
