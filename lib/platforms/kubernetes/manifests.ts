import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { run } from '../../exec/process.ts'
import { canonical } from '../../plan/nodes.ts'
import { Trouble } from '../../plan/outcome.ts'
import type { Doing } from '../../plan/plan.ts'
import { redact } from '../../plan/secrets.ts'
import type { Bundle, Wanted } from '../platform.ts'
import { type Container, type Manifest, mainOf, nameOf, type PodTemplate, repositoryOf, templateOf, withTemplate } from './objects.ts'
import { MANAGER, MARK, type Site, workloadOf } from './site.ts'

/** SHA-256 of anything that is plain JSON, whatever the order of its fields. */
export const hashOf = (value: unknown): string => createHash('sha256').update(canonical(value)).digest('hex')

/** The objects of an overlay, as kubectl renders them; Trouble(3) with the tool's words for what cannot be rendered or is for another namespace. */
export async function rendered(site: Site, doing: Doing): Promise<readonly Manifest[]> {
  const { overlay, namespace } = site.options
  const look = [`kubectl kustomize ${overlay}`]
  if (!existsSync(overlay)) throw new Trouble(3, `There is no overlay ${overlay}`, { next: ['point overlay: of kubernetes({ … }) at its folder'] })
  // kubectl's own parser: what it reads here is what it applies later. Nothing is asked of a server.
  const label = ['label', '--local', '--overwrite', '-o', 'json', `${MARK.stack}=${site.setting.stack}`]
  const json = await run({ file: 'kubectl', argv: [...label, '-k', overlay] }, doing)
  if (json.code !== 0) throw await notRendered(overlay, redact(json.stderr.trim()), doing)
  const objects = json.stdout.split(/^\}\n(?=\{)/m).map((text, i, all) => JSON.parse(i < all.length - 1 ? `${text}}` : text) as Manifest)
  const stranger = objects.find(({ metadata }) => metadata.namespace !== undefined && metadata.namespace !== namespace)
  if (stranger)
    throw new Trouble(
      3,
      `${overlay} is for the namespace ${stranger.metadata.namespace} (${nameOf(stranger)}), and the stack file says ${namespace}`,
      { look },
    )
  return objects
}

/** Whether it is the kustomization that is wrong, or what comes out of it. */
async function notRendered(overlay: string, words: string, doing: Doing): Promise<Trouble> {
  const alone = await run({ file: 'kubectl', argv: ['kustomize', overlay] }, doing)
  const why = alone.code === 0 ? `renders to what is no manifest: ${words}` : `cannot be rendered: ${redact(alone.stderr.trim())}`
  return new Trouble(3, `${overlay} ${why}`, { look: [`kubectl kustomize ${overlay}`] })
}

/** Kinds that an administrator sets up, where an object does not say its layer. */
const SETUP = /^(Namespace|ServiceAccount|Role|RoleBinding|ClusterRole|ClusterRoleBinding|NetworkPolicy|ResourceQuota|LimitRange|Gateway|.*Class)$/
const DATA = /^(PersistentVolume|PersistentVolumeClaim|StatefulSet)$/

const LAYERS = ['setup', 'data', 'release', 'rehearsal'] as const

/** `setup` is an administrator's, `data` is applied when it has changed, `release` with every release; `rehearsal` stands in for something in one. */
export function layerOf(site: Site, object: Manifest): (typeof LAYERS)[number] {
  const said = LAYERS.find(layer => layer === object.metadata.labels?.[MARK.layer])
  if (said) return said
  if (SETUP.test(object.kind)) return 'setup'
  return DATA.test(object.kind) && serviceOf(site, object) === undefined ? 'data' : 'release'
}

/** The service of the stack that an object runs. */
export function serviceOf(site: Site, { kind, metadata }: Manifest) {
  return site.setting.services.find(({ name }) => {
    const workload = workloadOf(site, name)
    return workload.kind === kind && workload.name === metadata.name
  })
}

/** What of an overlay belongs to a release: everything but the setup, and what stands in. */
export const ofRelease = (site: Site, objects: readonly Manifest[]): Manifest[] =>
  objects.filter(object => ['data', 'release'].includes(layerOf(site, object)))

/** SHA-256 of every object of a release but secrets, of which a hash would tell too much. */
export function filesOf(site: Site, objects: readonly Manifest[]): Record<string, string> {
  const plainly = ofRelease(site, objects).filter(({ kind }) => kind !== 'Secret')
  return Object.fromEntries(plainly.map(object => [nameOf(object), hashOf(object)] as const).sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** The image of a service as a release pins it: by digest where a registry gave one. */
export function pinned({ image, version, digest }: Bundle['services'][string]): string {
  return digest?.startsWith('sha256:') ? `${image}:${version}@${digest}` : `${image}:${version}`
}

/** What stands of the objects of a release before it is applied: by `Kind/name`. */
export type Live = ReadonlyMap<string, Manifest>

/**
 * The objects of a release as they are applied: images, labels and marks set. A template that would be the same but for the release's name keeps
 * the name that it has, so that services that do not change are not restarted. Data is left out while it is as it was last applied.
 */
export function forRelease(site: Site, objects: readonly Manifest[], bundle: Bundle, live: Live, without: readonly string[]): Manifest[] {
  return ofRelease(site, objects).flatMap(object => {
    const standing = live.get(nameOf(object))
    const manifest = hashOf(object)
    if (layerOf(site, object) === 'data') {
      const same = standing?.metadata.annotations?.[MARK.manifest] === manifest
      return same || (object.kind === 'Job' && standing) ? [] : [marked(object, {}, { [MARK.manifest]: manifest })]
    }
    const service = serviceOf(site, object)
    const wanted = service && bundle.services[service.name]
    const notes = wanted ? versionNotes(wanted) : {}
    const made = marked(withImages(site, object, bundle), { [MARK.release]: bundle.release, [MARK.layer]: 'release' }, notes)
    const named = withOwnReplicas(withReleaseInTemplate(made, bundle, standing), standing)
    return [service && without.includes(service.name) ? withReplicas(named, 0) : named]
  })
}

/** Annotations that say which version of a service something runs. */
export const versionNotes = ({ version, digest }: Pick<Wanted, 'version' | 'digest'>): Record<string, string> => ({
  [MARK.version]: version,
  ...(digest === null ? {} : { [MARK.digest]: digest }),
})

/** An object with labels and annotations added. */
function marked(object: Manifest, labels: Readonly<Record<string, string>>, annotations: Readonly<Record<string, string>>): Manifest {
  const { metadata } = object
  return {
    ...object,
    metadata: { ...metadata, labels: { ...metadata.labels, ...labels }, annotations: { ...metadata.annotations, ...annotations } },
  }
}

const withReplicas = (object: Manifest, replicas: number): Manifest => ({ ...object, spec: { ...(object.spec as object), replicas } })

/**
 * Where the manifest has left the number of pods to an autoscaler, and it is still the one that we applied: said once more, it stays until somebody
 * else sets it. What is no longer applied would go back to the default, which is one pod.
 */
function withOwnReplicas(object: Manifest, standing: Manifest | undefined): Manifest {
  const [said, now] = [object, standing].map(one => (one?.spec as { replicas?: number } | undefined)?.replicas)
  const ours = (standing?.metadata.managedFields ?? []).some(
    ({ manager, operation, fieldsV1 }) => manager === MANAGER && operation === 'Apply' && fieldsV1?.['f:spec']?.['f:replicas'] !== undefined,
  )
  return said === undefined && now !== undefined && ours ? withReplicas(object, now) : object
}

/** Puts the images of a release in place of those that the overlay names; `own` is the version of the service that the object runs. */
function withImages(site: Site, object: Manifest, bundle: Bundle): Manifest {
  const template = templateOf(object)
  if (!template) return object
  const own = serviceOf(site, object)?.name
  const byImage = Object.values(bundle.services)
  const main = own === undefined ? undefined : mainOf(template.spec, bundle.services[own]?.image ?? '')?.name
  const imageOf = ({ name, image }: Container) => {
    const mine = own === undefined ? undefined : bundle.services[own]
    if (mine && (name === main || repositoryOf(image) === mine.image)) return pinned(mine)
    const other = byImage.find(one => one.image === repositoryOf(image))
    return other ? pinned(other) : image
  }
  const set = (all: readonly Container[]) => all.map(one => ({ ...one, image: imageOf(one) }))
  const { containers, initContainers, ...rest } = template.spec
  const spec = { ...rest, containers: set(containers), ...(initContainers ? { initContainers: set(initContainers) } : {}) }
  return withTemplate(object, { ...template, spec })
}

/** A template is known by what it is made of and by the secrets of its release, which may have changed without it. */
function withReleaseInTemplate(object: Manifest, bundle: Bundle, standing: Manifest | undefined): Manifest {
  const template = templateOf(object)
  if (!template) return object
  const hash = hashOf([template, bundle.secrets])
  const before = standing && templateOf(standing)?.metadata
  const same = before?.annotations?.[MARK.template] === hash
  const release = (same && before?.labels?.[MARK.release]) || bundle.release
  const metadata = {
    ...template.metadata,
    labels: { ...template.metadata?.labels, [MARK.release]: release },
    annotations: { ...template.metadata?.annotations, [MARK.template]: hash },
  }
  return withTemplate(object, { ...template, metadata } as PodTemplate)
}
