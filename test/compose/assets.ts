import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parse } from 'yaml'
import { ROOT } from '../runbooks/kit.ts'

/** The stacks that have Compose files. */
export const STACKS = ['benevoclic', 'ecosyste', 'immo-express'] as const

/** The folder of a stack's Compose files. */
export const folderOf = (stack: string): string => join(ROOT, 'compose', stack)

/** The text of a file of a stack. */
export const textOf = (stack: string, path: string): string => readFileSync(join(folderOf(stack), path), 'utf8')

/** Every file of a stack that git would take, relative to its folder. */
export const filesOf = (stack: string): string[] =>
  readdirSync(folderOf(stack), { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name).slice(folderOf(stack).length + 1))
    .filter(path => !/^(secrets|tls|uploads)\/|^\.env$/.test(path))
    .sort()

/** A service as its Compose file has it. */
export type ServiceFile = {
  readonly image?: string
  readonly command?: readonly string[]
  readonly user?: string
  readonly read_only?: boolean
  readonly cap_drop?: readonly string[]
  readonly cap_add?: readonly string[]
  readonly privileged?: boolean
  readonly network_mode?: string
  readonly security_opt?: readonly string[]
  readonly restart?: string
  readonly logging?: { readonly driver?: string; readonly options?: Readonly<Record<string, string>> }
  readonly labels?: Readonly<Record<string, string>>
  readonly environment?: Readonly<Record<string, string>>
  readonly env_file?: unknown
  readonly build?: unknown
  readonly secrets?: readonly string[]
  readonly ports?: readonly string[]
  readonly volumes?: readonly (string | { readonly type: string; readonly source: string; readonly target: string; readonly read_only?: boolean })[]
  readonly networks?: readonly string[] | Readonly<Record<string, { readonly aliases?: readonly string[] }>>
  readonly healthcheck?: {
    readonly test?: readonly string[]
    readonly start_period?: string
    readonly start_interval?: string
    readonly disable?: boolean
  }
  readonly mem_limit?: string
  readonly cpus?: number | string
  readonly pids_limit?: number
  readonly stop_signal?: string
  readonly stop_grace_period?: string
}

/** A Compose file, its anchors resolved and its variables as they are written. */
export type ComposeFile = {
  readonly name?: string
  readonly version?: unknown
  readonly services?: Readonly<Record<string, ServiceFile>>
  readonly networks?: Readonly<Record<string, { readonly name?: string; readonly external?: boolean; readonly internal?: boolean } | null>>
  readonly volumes?: Readonly<Record<string, unknown>>
  readonly secrets?: Readonly<Record<string, { readonly file?: string }>>
  readonly include?: unknown
}

/** Reads a YAML file of a stack. */
export const yamlOf = (stack: string, path: string): unknown => parse(textOf(stack, path), { merge: true })

/** Reads a Compose file of a stack. */
export const composeOf = (stack: string, path: string): ComposeFile => yamlOf(stack, path) as ComposeFile

/** The Compose files of a stack that have services whole, not only what is changed of them. */
export const wholeFiles = (stack: string): string[] =>
  filesOf(stack).filter(path => ['app.yaml', 'edge.yaml', 'monitoring.yaml', 'rehearsal.yaml'].includes(path))

/** A text of a Compose file as it is when no variable is set: defaults put in, `$$` as `$`. */
export const filled = (text: string): string => text.replace(/\$\{\w+:-((?:[^{}]|\{[^{}]*\})*)\}/g, '$1').replaceAll('$$', '$')

/** Every service of a stack: name, file, and what the file says of it. */
export const servicesOf = (stack: string): readonly { readonly name: string; readonly file: string; readonly service: ServiceFile }[] =>
  wholeFiles(stack).flatMap(file =>
    Object.entries(composeOf(stack, file).services ?? {}).map(([name, service]) => ({ name, file: basename(file), service })),
  )
