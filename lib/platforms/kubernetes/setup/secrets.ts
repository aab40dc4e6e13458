import { timingSafeEqual } from 'node:crypto'
import { Trouble } from '../../../plan/outcome.ts'
import type { Action, Doing } from '../../../plan/plan.ts'
import type { SetupSecret, SetupState, SetupValue, SetupWants } from '../../setup.ts'
import { ApiError } from '../api.ts'
import type { Manifest } from '../objects.ts'
import { fingerprint } from '../references.ts'
import type { Site } from '../site.ts'
import { accountConfig, composed, type Find, made, settingOf, wordsOf } from './values.ts'
import { labelsOf } from './wanted.ts'

type Held = Manifest & { readonly type?: string; readonly data?: Readonly<Record<string, string>> }

/** Of keys that setups have made: the run of each, as JSON. What is not here is somebody else's, and never removed. */
const MADE = 'runbooks.dev/made'
/** Stands there for the Secret itself; no key can have this name. */
const ITSELF = '*'

/** Characters of a fingerprint that people compare. */
const SHOWN = 8

const all = ({ kube }: Site) => `/api/v1/namespaces/${kube.namespace}/secrets`

const held = (site: Site, name: string, doing: Doing) => site.kube.api.find<Held>(`${all(site)}/${name}`, { doing })

const plain = (encoded: string) => Buffer.from(encoded, 'base64').toString('utf8')

/** How the keys of a Secret stand; `stays` says which hold something else than the stack file has. */
export type Keys = {
  readonly states: Readonly<Record<string, SetupState>>
  readonly says: Readonly<Record<string, string>>
  readonly stays: readonly string[]
  /** Keys that belong together, of which only one is there. */
  readonly torn: readonly string[]
}

/** How the keys of a Secret stand next to what the stack file says. Values are read, and never kept or shown. */
export async function keysOf(site: Site, wants: SetupWants, name: string, doing: Doing): Promise<Keys> {
  const secret = wants.secrets[name] as SetupSecret
  const found = await held(site, name, doing)
  const find: Find = async (other, key) => {
    const value = (other === name ? found : await held(site, other, doing))?.data?.[key]
    return value === undefined ? undefined : plain(value)
  }
  const states: Record<string, SetupState> = {}
  const says: Record<string, string> = {}
  const stays = found && found.type !== secret.type ? [`Secret/${name} is of the type ${found.type}, not ${secret.type}`] : []
  for (const [key, value] of Object.entries(secret.keys)) {
    const there = found?.data?.[key]
    if (there !== undefined) {
      states[key] = 'right'
      stays.push(...(await other(site, `Secret/${name} ${key}`, plain(there), value, find)))
    } else if (value.from !== 'setting' || settingOf(value) !== undefined) {
      states[key] = 'missing'
      says[key] = await sentence(site, name, value)
    }
  }
  const halves = Object.entries(secret.keys).flatMap(([key, value]) => (value.from === 'certificate' ? [key] : []))
  const torn = new Set(halves.map(key => states[key])).size > 1 ? halves : []
  return { states, says, stays, torn }
}

async function sentence(site: Site, name: string, value: SetupValue): Promise<string> {
  const words = wordsOf(value)
  return value.from === 'setting' ? `${words}, fingerprint ${await shown(site, name, settingOf(value) ?? '')}` : words
}

const shown = async (site: Site, name: string, value: string) => (await fingerprint(site, name, value)).slice(0, SHOWN)

const same = (a: string, b: string) => Buffer.byteLength(a) === Buffer.byteLength(b) && timingSafeEqual(Buffer.from(a), Buffer.from(b))

/** What is there is other than the stack file has it. What is random is right whatever it is, unless it is nothing. */
async function other(site: Site, what: string, there: string, value: SetupValue, find: Find): Promise<string[]> {
  if (there === '') return [`${what} is empty`]
  const wanted = await wantedNow(site, value, find)
  if (wanted === undefined || same(there, wanted)) return []
  return [`${what} is not as the stack file has it: fingerprint ${await shown(site, what, there)}, not ${await shown(site, what, wanted)}`]
}

/** What a value would be if it were made now; undefined for what is random, and for what is not known here. */
async function wantedNow(site: Site, value: SetupValue, find: Find): Promise<string | undefined> {
  if (value.from === 'composed') return composed(value.text, find)
  if (value.from === 'account') return accountConfig(site)
  return value.from === 'text' ? value.text : value.from === 'setting' ? given(value) : undefined
}

/** What is there already needs no setting. */
function given(value: Extract<SetupValue, { from: 'setting' }>): string | undefined {
  try {
    return settingOf(value)
  } catch {
    return undefined
  }
}

/** Makes the keys of a Secret that are missing, and touches no other. */
export function makeKeys(site: Site, wants: () => SetupWants, name: string, keys: readonly string[]): Action {
  return {
    kind: 'command',
    prints: `${site.kube.typed('apply', '-f', '-')}   # Secret/${name}: ${keys.join(', ')}; values by standard input only`,
    async run(doing) {
      const secret = wants().secrets[name]
      if (!secret) throw new Trouble(3, `The stack file no longer says what the Secret ${name} is`)
      const found = await held(site, name, doing)
      const missing = keys.filter(key => found?.data?.[key] === undefined)
      const wanted = Object.fromEntries(missing.flatMap(key => (secret.keys[key] ? [[key, secret.keys[key]]] : [])))
      const find: Find = async (of, key) => {
        const value = (of === name ? found : await held(site, of, doing))?.data?.[key]
        return value === undefined ? undefined : plain(value)
      }
      const values = await made(site, name, wanted, find, doing)
      if (missing.length > 0) await written(site, name, secret.type, found, values, doing)
      return { made: missing }
    },
  }
}

async function written(
  site: Site,
  name: string,
  type: string,
  found: Held | undefined,
  values: Readonly<Record<string, string>>,
  doing: Doing,
): Promise<void> {
  const data = Object.fromEntries(Object.entries(values).map(([key, value]) => [key, Buffer.from(value).toString('base64')]))
  const ours = [...(found ? [] : [ITSELF]), ...Object.keys(values)]
  const runs = { ...runsOf(found), ...Object.fromEntries(ours.map(key => [key, doing.run])) }
  const annotations = { [MADE]: JSON.stringify(runs) }
  try {
    if (!found) {
      const metadata = { name, labels: labelsOf(site), annotations }
      await site.kube.api.send('POST', all(site), { body: { apiVersion: 'v1', kind: 'Secret', type, metadata, data }, doing })
      return
    }
    // Whoever adds a key meanwhile makes this fail: a value that is there is never replaced.
    const body = { metadata: { resourceVersion: found.metadata.resourceVersion, annotations }, data }
    await site.kube.api.send('PATCH', `${all(site)}/${name}`, { body, type: 'application/merge-patch+json', doing })
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    throw new Trouble(
      3,
      error.status === 409 ? `The Secret ${name} was changed by somebody else meanwhile` : `The Secret ${name} cannot be written: ${error.message}`,
    )
  }
}

function runsOf(found: Held | undefined): Readonly<Record<string, string>> {
  try {
    return JSON.parse(found?.metadata.annotations?.[MADE] ?? '{}') as Readonly<Record<string, string>>
  } catch {
    return {}
  }
}

/** Removes the keys of a Secret that this run has made, and the Secret when nothing else is in it. */
export function unmakeKeys(site: Site, name: string, keys: readonly string[]): Action {
  return {
    kind: 'command',
    prints: `${site.kube.typed('patch', 'secret', name)}   # without ${keys.join(', ')}`,
    async run(doing) {
      const found = await held(site, name, doing)
      if (!found) return undefined
      const runs = runsOf(found)
      const ours = keys.filter(key => runs[key] === doing.run)
      const left = Object.keys(found.data ?? {}).filter(key => !ours.includes(key))
      const path = `${all(site)}/${name}`
      const precondition = { resourceVersion: found.metadata.resourceVersion }
      if (left.length === 0 && runs[ITSELF] === doing.run) {
        await site.kube.api.send('DELETE', path, { body: { preconditions: precondition }, doing })
        return undefined
      }
      const without = Object.fromEntries(ours.map(key => [key, null]))
      const rest = Object.fromEntries(Object.entries(runs).filter(([key]) => !ours.includes(key)))
      const annotations = { [MADE]: Object.keys(rest).length === 0 ? null : JSON.stringify(rest) }
      const body = { metadata: { ...precondition, annotations }, data: without }
      await site.kube.api.send('PATCH', path, { body, type: 'application/merge-patch+json', doing })
      return undefined
    },
  }
}

/** Which of these keys are there. */
export async function keyStates(site: Site, name: string, keys: readonly string[], doing: Doing): Promise<Readonly<Record<string, SetupState>>> {
  const found = await held(site, name, doing)
  return Object.fromEntries(keys.map(key => [key, found?.data?.[key] === undefined ? 'missing' : 'right']))
}
