import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { Trouble } from '../../plan/outcome.ts'
import { Secret } from '../../plan/secrets.ts'
import type { Bundle, ImageFacts, Wanted } from '../platform.ts'
import type { Place, Script } from './place.ts'
import { SETTINGS } from './place.ts'
import { createJson, readJson, sha256 } from './records.ts'

/** Made once for a sandbox; the salt keeps fingerprints from being looked up, the track token keeps users from choosing a slot. */
export type Keys = { readonly salt: string; readonly track: string }

/** How a service of a release is run; staged with it, so that it needs no stack file. */
export type Launch = {
  /** Name of the script inside `files/<service>/`. */
  readonly script: string
  readonly instances: number
  readonly port: boolean
  readonly health: string | null
}

/** The staged settings of a release. */
export type Settings = { readonly environment: Readonly<Record<string, string>>; readonly services: Readonly<Record<string, Launch>> }

/** The keys of a sandbox, made when there are none yet. */
export async function keysOf({ paths }: Place): Promise<Keys> {
  for (;;) {
    const keys = await readJson<Keys>(paths.keys)
    if (keys) return keys
    await createJson(paths.keys, { salt: randomBytes(16).toString('hex'), track: randomBytes(16).toString('hex') })
  }
}

/** The script of a service; Trouble(2) where the stack file has none. */
export function scriptOf(place: Place, service: string): Script {
  const script = place.services[service]
  if (script) return script
  throw new Trouble(2, `the sandbox has no script for ${service}`, { next: [`add ${service}: { script: '…', versions: ['…'] } to its services`] })
}

/** Everything that would be staged now, by file name; Trouble(3) names a script that is not there. */
export async function filesNow(place: Place): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>()
  const services: Record<string, Launch> = {}
  for (const { name, port, health } of place.list) {
    const { script, instances = 1 } = scriptOf(place, name)
    files.set(`${name}/${basename(script)}`, await scriptBytes(script, name))
    services[name] = { script: basename(script), instances, port: port !== undefined, health: health ?? null }
  }
  const settings: Settings = { environment: environmentOf(place), services }
  return files.set(SETTINGS, Buffer.from(`${JSON.stringify(settings, null, 2)}\n`))
}

async function scriptBytes(script: string, service: string): Promise<Buffer> {
  try {
    return await readFile(script)
  } catch (cause) {
    throw new Trouble(3, `the script of ${service} cannot be read: ${script}`, { look: [`ls -l ${script}`], cause })
  }
}

function environmentOf({ environment = {} }: Place): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).map(([name, value]) => {
      if (!(value instanceof Secret)) return [name, value]
      throw new Trouble(2, `${name} is a secret, and an environment can be read by others`, {
        next: [`move ${name} to secrets of the sandbox; services read the file that ${name}_FILE names`],
      })
    }),
  )
}

/** The secrets' values, by name. */
export const secretsNow = ({ secrets = {} }: Place): readonly (readonly [string, string])[] =>
  Object.entries(secrets).map(([name, value]) => [name, value instanceof Secret ? value.reveal() : value] as const)

/** Hashes and fingerprints of what would be staged now. */
export async function draft(place: Place): Promise<Pick<Bundle, 'files' | 'secrets'>> {
  const { salt } = await keysOf(place)
  const hashes = [...(await filesNow(place))].map(([name, bytes]) => [name, sha256(bytes)] as const)
  const prints = secretsNow(place).map(([name, value]) => [name, sha256(salt, name, '\0', value).slice(0, FINGERPRINT)] as const)
  return { files: Object.fromEntries(hashes), secrets: Object.fromEntries(prints) }
}

/** Hexadecimal digits of a fingerprint: enough to tell values apart, too few to search for one. */
const FINGERPRINT = 16

/** Digest of a version: that of the script and of the version's name, since one script stands for all of them. */
export const digestOf = (script: Buffer, version: string): string => `sha256:${sha256(script, '\0', version)}`

/** A version is there when its script is, and the stack file knows it. */
export async function images(place: Place, wanted: Readonly<Record<string, Pick<Wanted, 'image' | 'version'>>>): Promise<readonly ImageFacts[]> {
  return Promise.all(
    Object.entries(wanted).map(async ([service, { image, version }]) => {
      const { script, versions } = scriptOf(place, service)
      const about = { service, image, version, digest: null, sizeBytes: null }
      if (!versions.includes(version)) {
        const because = `there is no ${version} of ${service}; there are ${versions.join(', ')}`
        return { ...about, state: 'missing' as const, because, mend: `choose one of them, or add ${version} to the versions of ${service}` }
      }
      const bytes = await readFile(script).catch(() => null)
      if (bytes) return { ...about, state: 'present' as const, digest: digestOf(bytes, version), sizeBytes: bytes.length }
      return {
        ...about,
        state: 'missing' as const,
        because: `${version} of ${service} is the script ${script}, which cannot be read`,
        mend: `ls -l ${script}`,
      }
    }),
  )
}
