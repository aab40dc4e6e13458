import { join } from 'node:path'
import type { Secret } from '../../plan/secrets.ts'
import type { Service } from '../platform.ts'

/** What a stack file says of a sandbox, read; `script` is absolute. */
export type Options = {
  readonly directory: string
  readonly port: number
  readonly services: Readonly<Record<string, Script>>
  readonly environment?: Readonly<Record<string, string | Secret>>
  readonly secrets?: Readonly<Record<string, string | Secret>>
}

/** A Node script that stands for an image, and the versions of it that there are. */
export type Script = { readonly script: string; readonly versions: readonly string[]; readonly instances?: number }

/** The two slots. */
export const SLOTS = ['blue', 'green'] as const

/** The slot beside a slot. */
export const beside = (slot: string): string => (slot === 'blue' ? 'green' : 'blue')

/** What every part of a sandbox knows: the stack's services and scripts, and where its files are. */
export type Place = Options & { readonly stack: string; readonly list: readonly Service[]; readonly paths: Paths }

/** The files of a sandbox; all of it lives in one folder. */
export type Paths = ReturnType<typeof pathsOf>

/** Where everything of a sandbox is. */
export const pathsOf = (directory: string) => ({
  directory,
  /** The salt of fingerprints, and the token that the front door wants for a track. */
  keys: join(directory, 'keys.json'),
  /** Which slot gets how much; read by the proxy. */
  split: join(directory, 'split.json'),
  /** What the proxy says of itself. */
  proxy: join(directory, 'proxy.json'),
  proxyLog: join(directory, 'proxy.log'),
  /** Who is the proxy or a slot's keeper: a cell, so that there is never a second one. */
  proxyHolder: join(directory, 'state', 'proxy'),
  holder: (slot: string) => join(directory, 'state', `keeper-${slot}`),
  slots: join(directory, 'slots'),
  /** What is wanted of a slot; read by its keeper. */
  wish: (slot: string) => join(directory, 'slots', `${slot}.json`),
  /** What the keeper has seen. */
  kept: (slot: string) => join(directory, 'slots', `${slot}.state.json`),
  keeperLog: (slot: string) => join(directory, 'slots', `${slot}.log`),
  releases: join(directory, 'releases'),
  release: (id: string) => join(directory, 'releases', id),
  cell: (name: string) => join(directory, 'state', `cell-${name}`),
})

/** Parts of a release's folder, relative to it. */
export const BUNDLE = 'bundle.json'
export const FILES = 'files'
export const SECRETS = 'secrets'
export const LOGS = 'logs'
/** The staged file that says how the services are run. */
export const SETTINGS = 'settings.json'

/** Name of an instance's log inside its release's folder. */
export const logName = (service: string, n: number): string => join(LOGS, `${service}-${n}.log`)
