import { type Secret, textOf } from '../../../plan/secrets.ts'
import type { Bundle } from '../../platform.ts'
import type { Given } from '../../rehearsal.ts'
import { versionNotes } from '../manifests.ts'
import { type Container, type Manifest, nameOf, type PodSpec, type PodTemplate, type Tree } from '../objects.ts'
import type { Held, Reference } from '../references.ts'
import { MARK, type Site } from '../site.ts'
import { byName, type Kept, type Setting } from './given.ts'
import { mayShare } from './mounts.ts'

/** Everything of a rehearsal, so that it can be found and removed, and what it belongs to. */
export const marksOf = ({ setting }: Site, run: string): Record<string, string> => ({ [MARK.stack]: setting.stack, [MARK.rehearsal]: run })

/** What a release is in a rehearsal: Secrets and ConfigMaps of its own, and a pod for each service. */
export type Aside = { readonly settings: readonly Manifest[]; readonly pods: Readonly<Record<string, Manifest>> }

/** A pod of what the overlay has for rehearsals alone, such as a cache that nobody else uses. */
export function standIn(site: Site, run: string, { metadata: { name } }: Manifest, { metadata, spec }: PodTemplate): Manifest {
  const labels = { ...metadata?.labels, ...marksOf(site, run) }
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name: asideName(name, run, HOSTNAME), labels }, spec: alone(spec) }
}

/** Longest names, in characters: of what has a host's name, and of anything else. */
export const HOSTNAME = 63
export const LONGEST = 253

/** A name by which a person knows what it is a copy of; `longest` is what the cluster takes. */
export const asideName = (name: string, run: string, longest: number, release?: string): string => {
  const end = `-rehearsal-${run}${release === undefined ? '' : `-${release}`}`
  return `${name.slice(0, longest - end.length)}${end}`
}

/** A reference that leads to another object of the same kind; undefined leaves it as it is. */
type Renamed = (kind: Reference['kind'], name: string | undefined) => string | undefined

/**
 * What is kept of a release with some of its settings replaced, beside everything: its own Secrets and ConfigMaps under other names, because others
 * of the same name may stand, and pods that have its labels, so that network policies know them, but are never ready, so that no service sends
 * users to them.
 */
export function asideOf(site: Site, run: string, bundle: Bundle, kept: Kept, instead: Given): Aside {
  const given = byName(kept.settings)
  const replaced = new Map(
    [...given].flatMap(([name, settings]) => (name in instead ? settings.map(one => [one, instead[name] ?? ''] as const) : [])),
  )
  const marks = { ...marksOf(site, run), [MARK.release]: bundle.release }
  const settings: Manifest[] = []
  const pods = [...kept.templates].flatMap(([service, { metadata, spec }]) => {
    if (mayShare(spec).length > 0) return []
    const wanted = bundle.services[service]
    const own = [...replaced].filter(([one]) => one.service === service)
    const renamed = copies(kept, service, own, run, bundle, marks, settings)
    const values = valuesOf(service, own, run, bundle, marks)
    if (values) settings.push(values)
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: asideName(service, run, HOSTNAME),
        labels: { ...metadata?.labels, ...marks, [MARK.service]: service },
        annotations: { ...metadata?.annotations, ...(wanted ? versionNotes(wanted) : {}) },
      },
      spec: alone(withSettings(spec, own, renamed, values?.metadata.name)),
    }
    return [[service, pod] as const]
  })
  return { settings, pods: Object.fromEntries(pods) }
}

type Replaced = readonly (readonly [Setting, string | Secret])[]

/** Copies what the release brings itself, and whatever has a file that is replaced; adds the copies to `into`. */
function copies(
  { objects, held }: Kept,
  service: string,
  own: Replaced,
  run: string,
  { release }: Bundle,
  labels: Readonly<Record<string, string>>,
  into: Manifest[],
): Renamed {
  const brought = new Set(objects.map(nameOf))
  const names = new Map<string, string>()
  for (const [key, object] of held) {
    const files = own.filter(([{ file }]) => file && `${file.kind}/${file.name}` === key)
    if (!object || (!brought.has(key) && files.length === 0)) continue
    const name = asideName(`${service}-${object.metadata.name}`, run, LONGEST, release)
    names.set(key, name)
    into.push({ ...withKeys(object, key.split('/')[0] ?? '', files), metadata: { name, labels } })
  }
  return (kind, name) => names.get(`${kind}/${name}`)
}

function withKeys(object: Held, kind: string, files: Replaced): Omit<Manifest, 'metadata'> & Pick<Manifest, 'apiVersion' | 'kind'> {
  const { data, stringData, binaryData, type } = object as Held & { binaryData?: Tree; type?: string }
  const texts = Object.fromEntries(files.map(([{ name }, value]) => [name, textOf(value)]))
  const secret = kind === 'Secret'
  return {
    apiVersion: 'v1',
    kind,
    ...(type === undefined ? {} : { type }),
    ...(binaryData ? { binaryData } : {}),
    data: secret ? data : { ...data, ...texts },
    ...(secret ? { stringData: { ...stringData, ...texts } } : {}),
  }
}

const keyOf = ({ container, name }: Setting) => `${container}.${name}`

/** The Secret with the variables that are replaced; undefined when there are none. */
function valuesOf(service: string, own: Replaced, run: string, { release }: Bundle, labels: Readonly<Record<string, string>>): Manifest | undefined {
  const variables = own.filter(([{ file }]) => file === undefined)
  if (variables.length === 0) return undefined
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: asideName(`${service}-instead`, run, LONGEST, release), labels },
    stringData: Object.fromEntries(variables.map(([one, value]) => [keyOf(one), textOf(value)])),
  }
}

type Entry = { readonly name: string; readonly value?: string; readonly valueFrom?: Tree }

/** A pod's specification with other settings. */
function withSettings(spec: PodSpec, own: Replaced, renamed: Renamed, values: string | undefined): PodSpec {
  const container = (one: Container): Container => {
    const mine = own.filter(([setting]) => setting.container === one.name && setting.file === undefined).map(([setting]) => setting)
    const instead = (setting: Setting): Entry => ({ name: setting.name, valueFrom: { secretKeyRef: { name: values, key: keyOf(setting) } } })
    const env = (one.env ?? []).map(entry => {
      const replaced = mine.find(({ name }) => name === entry.name)
      return replaced ? instead(replaced) : withRefs(entry, renamed)
    })
    const named = new Set(env.map(({ name }) => name))
    // What came with a whole Secret or ConfigMap is overruled; in front, because later ones may be made of it.
    const before = mine.filter(({ name }) => !named.has(name)).map(instead)
    const envFrom = (one.envFrom ?? []).map(from => ({
      ...from,
      ...other(from, 'secretRef', 'Secret', renamed),
      ...other(from, 'configMapRef', 'ConfigMap', renamed),
    }))
    return { ...one, env: [...before, ...env], ...(one.envFrom ? { envFrom } : {}) }
  }
  const { containers, initContainers, volumes, ...rest } = spec
  return {
    ...rest,
    containers: containers.map(container),
    ...(initContainers ? { initContainers: initContainers.map(container) } : {}),
    ...(volumes ? { volumes: volumes.map(volume => withVolume(volume, renamed)) } : {}),
  }
}

/** A field of a tree that names a Secret or ConfigMap, with the other name. */
function other(tree: Tree, field: string, kind: Reference['kind'], renamed: Renamed, key = 'name'): Tree {
  const ref = tree[field] as Tree | undefined
  const name = renamed(kind, ref?.[key] as string | undefined)
  return name === undefined ? {} : { [field]: { ...ref, [key]: name } }
}

function withRefs(entry: Entry, renamed: Renamed): Entry {
  const { valueFrom } = entry
  if (!valueFrom) return entry
  return {
    ...entry,
    valueFrom: { ...valueFrom, ...other(valueFrom, 'secretKeyRef', 'Secret', renamed), ...other(valueFrom, 'configMapKeyRef', 'ConfigMap', renamed) },
  }
}

function withVolume(volume: Tree, renamed: Renamed): Tree {
  const projected = volume.projected as { sources?: readonly Tree[] } | undefined
  const sources = projected?.sources?.map(one => ({
    ...one,
    ...other(one, 'secret', 'Secret', renamed),
    ...other(one, 'configMap', 'ConfigMap', renamed),
  }))
  return {
    ...volume,
    ...other(volume, 'secret', 'Secret', renamed, 'secretName'),
    ...other(volume, 'configMap', 'ConfigMap', renamed),
    ...(sources ? { projected: { ...projected, sources } } : {}),
  }
}

/** Longest time that a pod of a rehearsal, which nobody uses, may take to end, in seconds. */
const GRACE_S = 5

/** One more beside everything: it asks for no place that others need, has no say in the cluster, and meets no user. */
function alone(spec: PodSpec): PodSpec {
  const { priorityClassName: _, priority: __, preemptionPolicy: ___, topologySpreadConstraints: ____, affinity, ...rest } = spec
  const { podAntiAffinity: _____, ...stays } = (affinity ?? {}) as Tree
  return {
    ...rest,
    ...(Object.keys(stays).length > 0 ? { affinity: stays } : {}),
    containers: spec.containers.map(withoutHooks),
    restartPolicy: 'Always',
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: Math.min(Number(spec.terminationGracePeriodSeconds ?? 30), GRACE_S),
    readinessGates: [{ conditionType: MARK.once }],
  }
}

/** What is done before an end is done for those who are served. */
function withoutHooks({ lifecycle, ...container }: Container): Container {
  const { preStop: _, ...stays } = (lifecycle ?? {}) as Tree
  return { ...container, ...(Object.keys(stays).length > 0 ? { lifecycle: stays } : {}) }
}
