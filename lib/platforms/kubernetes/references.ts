import { scrypt } from 'node:crypto'
import { promisify } from 'node:util'
import { Trouble } from '../../plan/outcome.ts'
import type { Doing } from '../../plan/plan.ts'
import { layerOf, ofRelease } from './manifests.ts'
import { containersOf, type Manifest, nameOf, type PodSpec, type Tree, templateOf } from './objects.ts'
import { MARK, type Site } from './site.ts'

/** What pods are given out of a Secret or ConfigMap: the whole of it, or single keys. Without what is optional they start, too. */
export type Reference = {
  readonly kind: 'Secret' | 'ConfigMap'
  readonly name: string
  readonly key?: string
  readonly by: string
  readonly optional: boolean
}

type Ref = { readonly name?: string; readonly secretName?: string; readonly key?: string; readonly optional?: boolean }

function reference(kind: Reference['kind'], ref: unknown, by: string): Reference[] {
  const { name, secretName, key, optional } = (ref ?? {}) as Ref
  const named = name ?? secretName
  return named === undefined ? [] : [{ kind, name: named, by, optional: optional === true, ...(key === undefined ? {} : { key }) }]
}

/** Everything that the pods of a specification are given out of Secrets and ConfigMaps. */
export function referencesOf(spec: PodSpec, by: string): Reference[] {
  const containers = containersOf(spec)
  const env = containers
    .flatMap(one => one.env ?? [])
    .flatMap(({ valueFrom }) => [...reference('Secret', valueFrom?.secretKeyRef, by), ...reference('ConfigMap', valueFrom?.configMapKeyRef, by)])
  const whole = containers
    .flatMap(one => one.envFrom ?? [])
    .flatMap(from => [...reference('Secret', from.secretRef, by), ...reference('ConfigMap', from.configMapRef, by)])
  const volumes = (spec.volumes ?? []).flatMap(volume => {
    const projected = ((volume.projected as Tree | undefined)?.sources ?? []) as readonly Tree[]
    return [volume, ...projected].flatMap(one => [...reference('Secret', one.secret, by), ...reference('ConfigMap', one.configMap, by)])
  })
  return [...env, ...whole, ...volumes]
}

/** A Secret or a ConfigMap as it is written or as it stands. */
export type Held = Manifest & { readonly data?: Readonly<Record<string, string>>; readonly stringData?: Readonly<Record<string, string>> }

/** The Secrets and ConfigMaps that are referred to, by `Kind/name`: as objects of a release have them, else as they stand. */
export async function heldOf(
  site: Site,
  objects: readonly Manifest[],
  references: readonly Pick<Reference, 'kind' | 'name'>[],
  doing: Doing,
): Promise<ReadonlyMap<string, Held | undefined>> {
  const made = new Map(objects.map(object => [nameOf(object), object as Held]))
  const names = [...new Map(references.map(one => [`${one.kind}/${one.name}`, one]))]
  return new Map(
    await Promise.all(
      names.map(async ([key, one]) => [key, made.get(key) ?? (await site.kube.api.find<Held>(pathOf(site, one), { doing }))] as const),
    ),
  )
}

const pathOf = (site: Site, { kind, name }: Pick<Reference, 'kind' | 'name'>) =>
  `/api/v1/namespaces/${site.kube.namespace}/${kind === 'Secret' ? 'secrets' : 'configmaps'}/${name}`

/**
 * Fingerprints of the secrets of a release by name; values are read, and never kept or shown. Trouble(3) for a Secret, a ConfigMap or a key that
 * pods need and that is neither in the cluster nor in the overlay.
 */
export async function secretsOf(site: Site, objects: readonly Manifest[], doing: Doing): Promise<Record<string, string>> {
  const release = ofRelease(site, objects)
  const all = release.flatMap(object => referencesOf(templateOf(object)?.spec ?? { containers: [] }, nameOf(object)))
  const needed = all.filter(({ optional }) => !optional)
  // Of a database, what it needs must be there, but its values are no part of a release.
  const ours = new Set(release.filter(object => layerOf(site, object) === 'release').map(nameOf))
  const held = await heldOf(site, release, needed, doing)
  for (const one of needed) mustBeThere(site, one, held.get(`${one.kind}/${one.name}`))
  const values = Object.entries(
    chosen(
      site,
      needed.filter(({ kind, by }) => kind === 'Secret' && ours.has(by)),
      held,
    ),
  )
  const more = await Promise.all(
    Object.entries(site.options.secrets ?? {}).map(async ([name, said]) => [name, await extra(site, name, said, doing)] as const),
  )
  return Object.fromEntries(
    await Promise.all([...values, ...more].map(async ([name, value]) => [name, await fingerprint(site, name, value)] as const)),
  )
}

function mustBeThere(site: Site, { kind, name, key, by }: Omit<Reference, 'optional'>, held: Held | undefined): void {
  const what = `${kind} ${name}`
  const next =
    kind === 'Secret'
      ? [`make it: the names and keys are in secrets.example.yaml, beside ${site.options.overlay}`]
      : [`add ${name} to ${site.options.overlay}`]
  const look = [site.kube.typed('get', kind.toLowerCase(), name)]
  if (!held) throw new Trouble(3, `${by} needs the ${what}, which is not in ${site.kube.namespace}`, { next, look })
  if (key !== undefined && held.data?.[key] === undefined && held.stringData?.[key] === undefined)
    throw new Trouble(3, `${by} needs the key ${key} of the ${what}, which has no such key`, { next, look })
}

/** Values by the name of their Secret: of single keys, or all there are. */
function chosen(_site: Site, needed: readonly Reference[], held: ReadonlyMap<string, Held | undefined>): Record<string, unknown> {
  const names = [...new Set(needed.map(({ name }) => name))].sort()
  return Object.fromEntries(
    names.map(name => {
      const refs = needed.filter(one => one.name === name)
      const { data, stringData } = held.get(`Secret/${name}`) ?? ({} as Partial<Held>)
      const all = Object.entries({ ...data, ...stringData }).sort(([a], [b]) => (a < b ? -1 : 1))
      const whole = refs.some(({ key }) => key === undefined)
      return [name, all.filter(([key]) => whole || refs.some(one => one.key === key))]
    }),
  )
}

async function extra(
  site: Site,
  name: string,
  { secret, keys }: { secret: string; keys?: readonly string[] | undefined },
  doing: Doing,
): Promise<unknown> {
  const one = { kind: 'Secret', name: secret, by: `the secret ${name} of the stack file` } as const
  const held = await site.kube.api.find<Held>(pathOf(site, one), { doing })
  for (const key of keys ?? []) mustBeThere(site, { ...one, key }, held)
  mustBeThere(site, one, held)
  return Object.entries(held?.data ?? {}).filter(([key]) => keys?.includes(key) ?? true)
}

/** Computing one takes long on purpose, so that guessing takes longer; equal values of another stack have another one. */
export async function fingerprint({ setting }: Site, name: string, value: unknown): Promise<string> {
  const bytes = await promisify(scrypt)(JSON.stringify(value), `${MARK.stack}:${setting.stack}/${setting.environment}/${name}`, 8)
  return (bytes as Buffer).toString('hex')
}
