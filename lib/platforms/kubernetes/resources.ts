import type { Doing } from '../../plan/plan.ts'
import { ApiError } from './api.ts'
import type { Live } from './manifests.ts'
import { type Manifest, nameOf } from './objects.ts'
import { MARK, type Site } from './site.ts'

type Resources = { readonly resources: readonly { readonly name: string; readonly kind: string; readonly namespaced: boolean }[] }

/** Where the objects of a kind are found; undefined where the cluster has no such kind. */
export async function folderOf(site: Site, { apiVersion, kind }: Pick<Manifest, 'apiVersion' | 'kind'>, doing: Doing): Promise<string | undefined> {
  const root = apiVersion === 'v1' ? '/api/v1' : `/apis/${apiVersion}`
  const found = await (site.kinds.get(root) ?? site.kube.api.find<Resources>(root, { doing }))
  if (found) site.kinds.set(root, found)
  const resource = found?.resources.find(one => one.kind === kind && !one.name.includes('/'))
  if (!resource) return undefined
  return resource.namespaced ? `${root}/namespaces/${site.kube.namespace}/${resource.name}` : `${root}/${resource.name}`
}

/** What stands of these objects now. */
export async function liveOf(site: Site, objects: readonly Manifest[], doing: Doing): Promise<Live> {
  const found = await Promise.all(
    objects.map(async object => {
      const folder = await folderOf(site, object, doing)
      const standing = folder === undefined ? undefined : await site.kube.api.find<Manifest>(`${folder}/${object.metadata.name}`, { doing })
      return standing ? [[nameOf(object), standing] as const] : []
    }),
  )
  return new Map(found.flat())
}

/** Kinds that may go with a release: never claims of volumes, namespaces, secrets, accounts or rights. */
const REMOVABLE = [
  ['/apis/apps/v1', 'deployments', 'Deployment'],
  ['/apis/apps/v1', 'statefulsets', 'StatefulSet'],
  ['/apis/apps/v1', 'daemonsets', 'DaemonSet'],
  ['/apis/batch/v1', 'cronjobs', 'CronJob'],
  ['/apis/batch/v1', 'jobs', 'Job'],
  ['/apis/autoscaling/v2', 'horizontalpodautoscalers', 'HorizontalPodAutoscaler'],
  ['/apis/policy/v1', 'poddisruptionbudgets', 'PodDisruptionBudget'],
  ['/apis/networking.k8s.io/v1', 'ingresses', 'Ingress'],
  ['/apis/gateway.networking.k8s.io/v1', 'httproutes', 'HTTPRoute'],
  ['/api/v1', 'services', 'Service'],
  ['/api/v1', 'configmaps', 'ConfigMap'],
] as const

/** An object of a release that stands, with where it is. */
export type Removable = { readonly name: string; readonly release: string; readonly path: string }

/** Every object that this stack's releases have put here, by its own labels. */
export async function removable(site: Site, doing: Doing): Promise<readonly Removable[]> {
  const chosen = encodeURIComponent(ownSelector(site))
  const lists = REMOVABLE.map(async ([root, plural, kind]) => {
    const folder = `${root}/namespaces/${site.kube.namespace}/${plural}`
    const items = await site.kube.api.find<{ readonly items: readonly Manifest[] }>(`${folder}?labelSelector=${chosen}`, { doing }).catch(error => {
      // What we may not list we may not remove either.
      if (error instanceof ApiError && error.status === 403) return undefined
      throw error
    })
    return (items?.items ?? []).map(({ metadata }) => ({
      name: `${kind}/${metadata.name}`,
      release: metadata.labels?.[MARK.release] ?? '',
      path: `${folder}/${metadata.name}`,
    }))
  })
  return (await Promise.all(lists)).flat()
}

/** Chooses what belongs to releases of this stack, and nothing of its data or setup. */
export const ownSelector = ({ setting }: Site): string => `${MARK.stack}=${setting.stack},${MARK.layer}=release,${MARK.release}`

/** Removes objects; those that are gone already are fine. */
export async function removeAll(site: Site, objects: readonly Pick<Removable, 'path'>[], doing: Doing): Promise<void> {
  for (const { path } of objects) {
    try {
      await site.kube.api.send('DELETE', `${path}?propagationPolicy=Background`, { doing, patient: true })
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 404)) throw error
    }
  }
}
