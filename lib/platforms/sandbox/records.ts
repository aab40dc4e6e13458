import { createHash, randomUUID } from 'node:crypto'
import { link, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Detached } from '../../exec/detached.ts'
import { Trouble } from '../../plan/outcome.ts'

/** A service as a slot is wanted to run it. */
export type WishedService = { readonly version: string; readonly digest: string | null; readonly instances: number; readonly health: boolean }

/** What is wanted of a slot; `begun` (ISO 8601) names the start, `off` the services that are not to run. `paused` is stopped until writers may write again. */
export type Wish = {
  readonly release: string
  readonly run: 'running' | 'stopped' | 'paused'
  readonly begun: string
  readonly off: readonly string[]
  readonly services: Readonly<Record<string, WishedService>>
}

/** An end of an instance; both null when nobody saw how. */
export type Ended = { readonly code: number | null; readonly signal: string | null; readonly at: string; readonly ranMs: number }

/** One instance as its keeper has seen it; times in ISO 8601. */
export type Instance = {
  readonly service: string
  readonly n: number
  readonly port: number | null
  /** Null while there is none: before its start, between two, and after a good end of a worker. */
  readonly process: Detached | null
  readonly at: string | null
  readonly restarts: number
  /** The last few ends, oldest first. */
  readonly exits: readonly Ended[]
  /** What its health check answers, and since when. */
  readonly health: { readonly ok: boolean; readonly says: string; readonly since: string } | null
  /** Why it cannot even be started. */
  readonly failed?: string
  /** A worker that answers nobody and exited 0: it is done. */
  readonly done?: true
}

/** What a keeper has seen of its slot. */
export type Kept = { readonly release: string; readonly begun: string; readonly keeper: Detached; readonly instances: readonly Instance[] }

/** Which slot gets how much of the traffic, in percent; `routes` are the services behind the front door, the first one at `/`. */
export type SplitFile = {
  readonly generation: string
  readonly weights: Readonly<Record<string, number>>
  readonly routes: readonly string[]
  readonly track: string
}

/** The file as it is, or undefined where there is none; Trouble(8) names a file that is no JSON object. */
export async function readJson<T>(file: string): Promise<T | undefined> {
  const text = await textOf(file)
  if (text === undefined) return undefined
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value as T
  } catch {
    // Said below: half a file and a file of something else are the same to an operator.
  }
  throw new Trouble(8, `${file} is damaged, so nobody can say what stands`, { look: [`less ${file}`] })
}

/** As `readJson`, but a damaged file counts as none: for what is written anew anyway. */
export async function readAnyJson<T>(file: string): Promise<T | undefined> {
  return readJson<T>(file).catch(error => {
    if (error instanceof Trouble) return undefined
    throw error
  })
}

/** Writes a file so that readers see the old one or the new one, also after a power cut; its folder must be there. */
export async function writeJson(file: string, value: unknown): Promise<void> {
  const temporary = await temporaryWith(file, `${JSON.stringify(value, null, 2)}\n`)
  await rename(temporary, file)
}

/** Writes a file that is not there yet; false when somebody else was faster. */
export async function createJson(file: string, value: unknown): Promise<boolean> {
  const temporary = await temporaryWith(file, `${JSON.stringify(value, null, 2)}\n`)
  try {
    await link(temporary, file)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    await rm(temporary, { force: true })
  }
}

async function temporaryWith(file: string, text: string): Promise<string> {
  const temporary = join(dirname(file), `.tmp-${randomUUID()}`)
  const handle = await open(temporary, 'wx', 0o600)
  try {
    await handle.writeFile(text)
    await handle.datasync()
  } finally {
    await handle.close()
  }
  return temporary
}

/** A file's text; undefined when there is none. */
export async function textOf(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}

/** SHA-256 in hexadecimal digits. */
export const sha256 = (...parts: readonly (string | Buffer)[]): string => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest('hex')
}
