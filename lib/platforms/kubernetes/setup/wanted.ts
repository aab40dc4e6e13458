import { Trouble } from '../../../plan/outcome.ts'
import type { Doing } from '../../../plan/plan.ts'
import type { SetupWants } from '../../setup.ts'
import { hashOf, layerOf, rendered } from '../manifests.ts'
import { type Manifest, nameOf } from '../objects.ts'
import { MARK, type Site } from '../site.ts'

/** The objects of a new environment. */
export type Wanted = {
  readonly namespace: Manifest
  /** Rights, accounts, policies, quotas, and the config maps of the stack file. */
  readonly setup: readonly Manifest[]
  readonly data: readonly Manifest[]
}

/** Labels of what the stack file asks for, as the objects of an overlay have them. */
export const labelsOf = ({ setting }: Site): Record<string, string> => ({
  'app.kubernetes.io/part-of': setting.stack,
  [MARK.stack]: setting.stack,
  [MARK.layer]: 'setup',
})

/** The objects of an overlay and of the stack file. Trouble(3) for an overlay that cannot be rendered. */
export async function wantedOf(site: Site, wants: SetupWants, doing: Doing): Promise<Wanted> {
  const { namespace } = site.options
  const objects = await rendered(site, doing)
  const isNamespace = ({ kind }: Manifest) => kind === 'Namespace'
  const stranger = objects.find(object => isNamespace(object) && object.metadata.name !== namespace)
  if (stranger)
    throw new Trouble(3, `${site.options.overlay} makes the namespace ${stranger.metadata.name}, and the stack file says ${namespace}`, {
      look: [`kubectl kustomize ${site.options.overlay}`],
    })
  const maps = Object.entries(wants.configMaps).map(
    ([name, data]): Manifest => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace, labels: labelsOf(site) }, data }),
  )
  return {
    namespace: objects.find(isNamespace) ?? { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
    setup: [...objects.filter(object => layerOf(site, object) === 'setup' && !isNamespace(object)), ...maps],
    data: objects.filter(object => layerOf(site, object) === 'data').map(withManifest),
  }
}

/** With the mark by which a deploy knows that nothing has changed. */
function withManifest(object: Manifest): Manifest {
  const annotations = { ...object.metadata.annotations, [MARK.manifest]: hashOf(object) }
  return { ...object, metadata: { ...object.metadata, annotations } }
}

/** Objects by name, with a digest of each. */
export const digests = (objects: readonly Manifest[]): Record<string, string> =>
  Object.fromEntries(objects.map(object => [nameOf(object), hashOf(object).slice(0, 16)]))
