import { Trouble } from '../../../plan/outcome.ts'
import type { Doing } from '../../../plan/plan.ts'
import { Secret, textOf } from '../../../plan/secrets.ts'
import type { Bundle } from '../../platform.ts'
import type { Given } from '../../rehearsal.ts'
import { forRelease, serviceOf } from '../manifests.ts'
import { type Container, containersOf, type Manifest, type PodTemplate, type Tree, templateOf } from '../objects.ts'
import { type Held, heldOf, type Reference, referencesOf } from '../references.ts'
import type { Site } from '../site.ts'
import { keptOf } from '../stage.ts'
import { mayShare } from './mounts.ts'

/** A setting of one container: a variable, or a key of a Secret or ConfigMap that it reads as a file. */
export type Setting = {
  readonly service: string
  readonly container: string
  readonly name: string
  readonly value: string | Secret
  /** Of a file: where it comes from. */
  readonly file?: Pick<Reference, 'kind' | 'name'>
}

/** What a kept release would run: its objects, the pods' template of each of its services, and everything that they are given. */
export type Kept = {
  readonly objects: readonly Manifest[]
  readonly templates: ReadonlyMap<string, PodTemplate>
  readonly held: ReadonlyMap<string, Held | undefined>
  readonly settings: readonly Setting[]
}

/** Reads all of it. Trouble(3) when nothing is kept, and for pods that reach live data whatever they are given. */
export async function keptWhole(site: Site, bundle: Bundle, doing: Doing): Promise<Kept> {
  const kept = await keptOf(site, bundle.release, doing)
  if (!kept) throw new Trouble(3, `Nothing is kept of the release ${bundle.release}`)
  const objects = forRelease(site, kept.objects, bundle, new Map(), [])
  const templates = new Map(
    objects.flatMap(object => {
      const [service, template] = [serviceOf(site, object)?.name, templateOf(object)]
      return service !== undefined && service in bundle.services && template ? [[service, template] as const] : []
    }),
  )
  const once = new Set(site.setting.services.filter(({ twice }) => twice === 'never').map(({ name }) => name))
  const shared = [...templates].flatMap(([service, { spec }]) => (once.has(service) ? [] : mayShare(spec).map(what => `${service} ${what}`)))
  if (shared.length > 0)
    throw new Trouble(3, `In a rehearsal ${shared.join(', ')}, which may be live data`, {
      next: ['what is no data: mount it with readOnly: true; what is: name it by a setting, or leave the service out with twice: never'],
    })
  const references = [...templates].flatMap(([service, { spec }]) => referencesOf(spec, service))
  const held = await heldOf(site, objects, references, doing)
  const settings = [...templates].flatMap(([service, { spec }]) =>
    containersOf(spec).flatMap(one => [...variablesOf(service, one, held), ...filesOf(service, one, spec.volumes, held)]),
  )
  return { objects, templates, held, settings }
}

type All = ReadonlyMap<string, Held | undefined>

/** What a key of a Secret or ConfigMap holds; undefined where it has none. Bytes that are no text are nobody's address. */
function valueIn(held: Held | undefined, key: string, name = key): string | Secret | undefined {
  const [data, text] = [held?.data?.[key], held?.stringData?.[key]]
  if (held?.kind !== 'Secret' && data !== undefined) return data
  const plain = text ?? (data === undefined ? undefined : Buffer.from(data, 'base64').toString('utf8'))
  return plain === undefined ? undefined : new Secret(name, plain)
}

const keysOf = (held: Held | undefined): string[] => Object.keys({ ...held?.data, ...held?.stringData })

type From = { readonly prefix?: string; readonly secretRef?: Ref; readonly configMapRef?: Ref }
type Ref = { readonly name?: string; readonly secretName?: string; readonly items?: readonly { readonly key: string }[] }
type KeyRef = { readonly name?: string; readonly key: string }

const inAll = (all: All, { secret, configMap }: { secret?: { name?: string } | undefined; configMap?: { name?: string } | undefined }) =>
  all.get(secret ? `Secret/${secret.name}` : `ConfigMap/${configMap?.name}`)

/** The variables of a container, as the cluster would set them: later ones win, and `$(NAME)` is one of those before. */
export function variablesOf(service: string, { name: container, env = [], envFrom = [] }: Container, all: All): Setting[] {
  const found = new Map<string, string | Secret>()
  for (const { prefix = '', secretRef, configMapRef } of envFrom as readonly From[]) {
    const held = inAll(all, { secret: secretRef, configMap: configMapRef })
    for (const key of keysOf(held)) found.set(prefix + key, valueIn(held, key, prefix + key) ?? '')
  }
  for (const { name, valueFrom, ...one } of env as readonly { name: string; value?: string; valueFrom?: Tree }[]) {
    const [secret, configMap] = [valueFrom?.secretKeyRef as KeyRef | undefined, valueFrom?.configMapKeyRef as KeyRef | undefined]
    const key = (secret ?? configMap)?.key
    const value =
      key === undefined ? (valueFrom ? undefined : expanded(name, one.value ?? '', found)) : valueIn(inAll(all, { secret, configMap }), key, name)
    if (value === undefined) found.delete(name)
    else found.set(name, value)
  }
  return [...found].map(([name, value]) => ({ service, container, name, value }))
}

/** `$(NAME)` and `$$` as Kubernetes reads them; what holds a secret is one. */
function expanded(name: string, text: string, before: ReadonlyMap<string, string | Secret>): string | Secret {
  let secret = false
  const whole = text.replace(/\$(\$|\(([^)]+)\))/g, (as, dollar: string, other: string) => {
    if (dollar === '$') return '$'
    const value = before.get(other)
    secret ||= value instanceof Secret
    return value === undefined ? as : textOf(value)
  })
  return secret ? new Secret(name, whole) : whole
}

/** Keys of Secrets and ConfigMaps that a container has as files. */
function filesOf(service: string, { name: container, ...one }: Container, volumes: readonly Tree[] = [], all: All): Setting[] {
  const mounted = new Set(((one.volumeMounts ?? []) as readonly { name: string }[]).map(({ name }) => name))
  const sources = volumes
    .filter(({ name }) => mounted.has(String(name)))
    .flatMap(volume => [volume, ...(((volume.projected as Tree | undefined)?.sources ?? []) as readonly Tree[])])
  return sources.flatMap(source => {
    const [secret, configMap] = [source.secret as Ref | undefined, source.configMap as Ref | undefined]
    const name = secret ? (secret.secretName ?? secret.name) : configMap?.name
    if (name === undefined) return []
    const file = { kind: secret ? ('Secret' as const) : ('ConfigMap' as const), name }
    const held = all.get(`${file.kind}/${name}`)
    const keys = (secret ?? configMap)?.items?.map(({ key }) => key) ?? keysOf(held)
    return keys.flatMap(key => {
      const value = valueIn(held, key)
      return value === undefined ? [] : [{ service, container, name: key, value, file }]
    })
  })
}

/** Settings by the names that people use: the plain name where it means one value, else with its service or its container in front. */
export function byName(settings: readonly Setting[]): ReadonlyMap<string, readonly Setting[]> {
  const one = (some: readonly Setting[]) => new Set(some.map(({ value }) => textOf(value))).size === 1
  const found = new Map<string, Setting[]>()
  for (const setting of settings) {
    const { service, container, name } = setting
    const alike = settings.filter(other => other.name === name)
    const own = alike.filter(other => other.service === service)
    const by = one(alike) ? name : one(own) ? `${service}.${name}` : `${service}.${container}.${name}`
    found.set(by, [...(found.get(by) ?? []), setting])
  }
  return found
}

/** What a release would come back with, by those names. */
export const givenIn = ({ settings }: Kept): Given =>
  Object.fromEntries([...byName(settings)].map(([name, [setting]]) => [name, setting?.value ?? '']))
