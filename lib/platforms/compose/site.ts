import type { Host } from '../../exec/host.ts'
import type { Secret } from '../../plan/secrets.ts'
import type { Setting } from '../registry.ts'
import { REHEARSAL } from '../rehearsal.ts'

/** What a team writes of a stack on Docker Compose, with its references read. */
export type ComposeOptions = {
  readonly host?: string
  readonly user?: string
  readonly key?: Secret
  readonly knownHosts?: string
  readonly project: string
  readonly directory: string
  readonly files: string
  readonly door: string
  readonly doorHost?: string
  readonly registry?: { readonly server?: string; readonly username: string | Secret; readonly password: Secret }
  readonly environment?: Readonly<Record<string, string | Secret>>
  readonly secrets?: Readonly<Record<string, string | Secret>>
}

/** What every room of this folder works on. */
export type Site = {
  readonly setting: Setting
  readonly options: ComposeOptions
  readonly host: Host
  readonly where: string
}

/** The two slots of every stack. */
export const SLOTS = ['blue', 'green'] as const

/** The slot beside a slot. */
export const otherOf = (slot: string): string => (slot === 'blue' ? 'green' : 'blue')

/** The Compose project of a slot. */
export const projectOf = ({ options }: Site, slot: string): string => `${options.project}-${slot}`

/** Folders and files on the host; everything is inside `<directory>/.runbooks`, which nobody else may enter. */
export function pathsOf({ options }: Site) {
  const root = `${options.directory.replace(/\/+$/, '')}/.runbooks`
  const releases = `${root}/releases`
  return {
    root,
    releases,
    /** The folder that nginx reads split.conf from. */
    traffic: `${root}/traffic`,
    split: `${root}/traffic/split.conf`,
    edge: `${root}/edge`,
    cells: `${root}/cells`,
    release: (id: string) => `${releases}/${id}`,
  }
}

/** The name of a service in variables: `benevoclic-api` is BENEVOCLIC_API. */
export const variableOf = (service: string): string => service.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')

/** Lines of an env file as Compose reads it, whatever is in the values. */
export function envFile(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}=${quoted(value)}\n`)
    .join('')
}

/** Single quotes take everything but themselves; between double ones, Compose replaces variables and escapes. */
function quoted(value: string): string {
  if (!/['\n\r]/.test(value)) return `'${value}'`
  const escaped = value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('$', '\\$').replaceAll('\n', '\\n').replaceAll('\r', '\\r')
  return `"${escaped}"`
}

/** The values of an env file that `envFile` wrote. */
export function envValues(file: Buffer): Record<string, string> {
  const lines = file.toString('utf8').split('\n').filter(Boolean)
  return Object.fromEntries(
    lines.map(line => {
      const [name, value] = [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]
      const inner = value.slice(1, -1)
      return [name, value.startsWith("'") ? inner : inner.replace(/\\(.)/gs, (_, c: string) => ({ n: '\n', r: '\r' })[c] ?? c)]
    }),
  )
}

/** `docker compose` for the project of the edge: its own words, without those of a release. */
export function edgeArgv(site: Site): string[] {
  const { edge } = pathsOf(site)
  return [
    'compose',
    '-p',
    site.options.project,
    '--project-directory',
    `${edge}/files`,
    '--env-file',
    `${edge}/edge.env`,
    '-f',
    `${edge}/files/edge.yaml`,
  ]
}

/** What stands in, in a rehearsal, for servers that no release is led to a copy of. */
export const STAND_INS = 'rehearsal.yaml'

/** `docker compose` for a release in its slot, with the files as they were staged. */
export function slotArgv(site: Site, release: string, slot: string): string[] {
  const folder = pathsOf(site).release(release)
  const envs = ['environment', 'release.env', 'images.env'].flatMap(name => ['--env-file', `${folder}/${name}`])
  const more = slot === REHEARSAL ? ['-f', `${folder}/${STAND_INS}`] : []
  const files = ['-f', `${folder}/files/app.yaml`, '-f', `${folder}/release.yaml`, ...more]
  return ['compose', '-p', projectOf(site, slot), '--project-directory', `${folder}/files`, ...envs, ...files]
}
