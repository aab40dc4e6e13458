import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Trouble } from '../plan/outcome.ts'
import { Secret } from '../plan/secrets.ts'
import type { SetupSecret, SetupValue, SetupWants } from '../platforms/setup.ts'
import type { FromEnv, StackInUse } from './describe.ts'
import type { SetupDescription, SetupKey, SetupSecretDescription } from './describe-setup.ts'
import { configFolder } from './home.ts'
import type { Settings } from './settings.ts'

/** What setup.ts makes in an environment: its own, or the stack's where it has none. */
export function setupOf({ description, environment }: StackInUse): SetupDescription {
  return description.environments[environment]?.setup ?? description.setup ?? {}
}

type Secrets = Readonly<Record<string, SetupSecretDescription>>

/** The keys of a Secret as they are described; those of a certificate and of a login are always the same. */
function keysOf(secret: SetupSecretDescription): readonly (readonly [key: string, value: SetupKey | undefined])[] {
  if (secret.kind === 'certificate') return ['tls.crt', 'tls.key'].map(key => [key, undefined])
  if (secret.kind === 'registry') return [['.dockerconfigjson', undefined]]
  return Object.entries(secret as Readonly<Record<string, SetupKey>>)
}

const REFERENCE = /\{([^/{}]+)\/([^{}]+)\}/g

/** The Secrets with each behind those that it is composed of; `wrong` says which value cannot be made. */
export function secretOrder(secrets: Secrets): { readonly order: readonly string[]; readonly wrong?: string } {
  const order: string[] = []
  const open = new Set<string>()
  let wrong: string | undefined
  const visit = (name: string): void => {
    if (order.includes(name)) return
    open.add(name)
    for (const [key, value] of keysOf(secrets[name] as SetupSecretDescription)) {
      if (typeof value !== 'object' || value.kind !== 'composed') continue
      for (const [, other = '', part = ''] of value.text.matchAll(REFERENCE)) {
        const found = keysOf(secrets[other] ?? {}).find(([one]) => one === part)
        const itself = other === name && typeof found?.[1] === 'object' && found[1].kind === 'composed'
        if (!found) wrong ??= `${name}.${key} is composed of {${other}/${part}}, which there is not`
        else if (itself || (other !== name && open.has(other))) wrong ??= `${name}.${key} is composed of {${other}/${part}}, which is composed of it`
        else if (other !== name) visit(other)
      }
    }
    open.delete(name)
    order.push(name)
  }
  for (const name of Object.keys(secrets)) visit(name)
  return wrong === undefined ? { order } : { order, wrong }
}

/** What is wanted of an environment; settings are read when they are needed, those of config maps now. */
export function makeWants(at: StackInUse, settings: Settings): SetupWants {
  const { secrets = {}, configMaps = {} } = setupOf(at)
  const maps = Object.entries(configMaps).map(([name, files]) => {
    const read = Object.entries(files).map(([key, value]) => [key, textOf(value, settings)] as const)
    return [name, Object.fromEntries(read)] as const
  })
  return {
    secrets: Object.fromEntries(secretOrder(secrets).order.map(name => [name, secretOf(secrets[name] as SetupSecretDescription, settings)])),
    configMaps: Object.fromEntries(maps),
  }
}

function textOf(value: string | FromEnv | { readonly file: string }, settings: Settings): string {
  if (typeof value === 'string') return value
  if ('env' in value) return String(settings.get(value))
  const file = join(configFolder(), value.file)
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new Trouble(2, `${file} of a config map cannot be read`, { cause, look: [`ls -l ${file}`] })
  }
}

function secretOf(secret: SetupSecretDescription, settings: Settings): SetupSecret {
  if (secret.kind === 'certificate') {
    const { host } = secret as { host: string }
    const half = (one: 'certificate' | 'key'): SetupValue => ({ from: 'certificate', host, half: one })
    return { type: 'kubernetes.io/tls', keys: { 'tls.crt': half('certificate'), 'tls.key': half('key') } }
  }
  if (secret.kind === 'registry') return loginOf(secret as Extract<SetupSecretDescription, { kind: 'registry' }>, settings)
  const keys = Object.entries(secret as Readonly<Record<string, SetupKey>>).map(([key, value]) => [key, madeFrom(value, settings)] as const)
  return { type: 'Opaque', keys: Object.fromEntries(keys) }
}

function madeFrom(value: SetupKey, settings: Settings): SetupValue {
  if (typeof value === 'string') return { from: 'text', text: value }
  if (value.kind === 'random') return { from: 'random', bytes: value.bytes, as: value.as }
  if (value.kind === 'account') return { from: 'account' }
  if (value.kind === 'composed') return { from: 'composed', text: value.text }
  return { from: 'setting', name: value.setting.env, read: () => readIf(value.setting, value.optional, settings) }
}

const readIf = (setting: FromEnv, optional: boolean, settings: Settings) =>
  optional && !settings.has(setting.env) ? undefined : settings.get(setting)

/** As `kubectl create secret docker-registry` writes it. */
function loginOf({ server, username, password, optional }: Extract<SetupSecretDescription, { kind: 'registry' }>, settings: Settings): SetupSecret {
  const read = () => {
    const [user, pass] = [username, password].map(one => readIf(one, optional, settings))
    if (user === undefined || pass === undefined) return undefined
    const [name, word] = [user, pass].map(one => (one instanceof Secret ? one.reveal() : one)) as [string, string]
    const auth = new Secret(`${password.env} as a login`, Buffer.from(`${name}:${word}`).toString('base64')).reveal()
    const where = String(settings.read(server))
    return new Secret(password.env, JSON.stringify({ auths: { [where]: { username: name, password: word, auth } } }))
  }
  return { type: 'kubernetes.io/dockerconfigjson', keys: { '.dockerconfigjson': { from: 'setting', name: password.env, read } } }
}
