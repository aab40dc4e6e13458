import type { Doing } from '../../../plan/plan.ts'
import { pooled } from '../../../plan/pool.ts'
import type { Survey } from '../../setup.ts'
import type { Manifest } from '../objects.ts'
import { folderOf } from '../resources.ts'
import type { Site } from '../site.ts'

/** Something that one may be allowed to do; without a namespace it is the cluster's. */
type Right = { readonly verb: string; readonly group: string; readonly resource: string; readonly everywhere?: true }

/** Questions asked at once. */
const ASKERS = 8

type Review = { readonly status?: { readonly allowed?: boolean } }

/** Whether we may do what is to be done, as `kubectl auth can-i` would say; a namespace that is not there yet is no hindrance. */
export async function rightsOf(site: Site, objects: readonly Manifest[], newNamespace: boolean, doing: Doing): Promise<Survey['needs']> {
  const { api, namespace } = site.kube
  const kinds = [...new Map(objects.map(object => [`${object.apiVersion}/${object.kind}`, object])).values()]
  const folders = await Promise.all(kinds.map(object => folderOf(site, object, doing)))
  const applied = folders.flatMap(folder => {
    if (folder === undefined) return []
    const [resource = '', ...rest] = folder.split('/').reverse()
    const group = folder.startsWith('/apis/') ? (rest.reverse()[2] ?? '') : ''
    return ['create', 'patch'].map((verb): Right => ({ verb, group, resource }))
  })
  const wanted: Right[] = [
    ...(newNamespace ? [{ verb: 'create', group: '', resource: 'namespaces', everywhere: true as const }] : []),
    ...['get', 'create', 'patch', 'delete'].map(verb => ({ verb, group: '', resource: 'secrets' })),
    ...['get', 'create', 'update'].map(verb => ({ verb, group: '', resource: 'configmaps' })),
    ...applied,
  ]
  const refused = await pooled(wanted, ASKERS, async ({ verb, group, resource, everywhere }) => {
    const resourceAttributes = { verb, group, resource, ...(everywhere ? {} : { namespace }) }
    const body = { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview', spec: { resourceAttributes } }
    const { status } = await api.send<Review>('POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', { body, doing, patient: true })
    return status?.allowed === true ? [] : [`${verb} ${resource}`]
  })
  const names = [...new Set(refused.flat())]
  return [
    {
      title: 'we may set it up',
      holds: names.length === 0,
      because: `We may not ${names.join(', ')} in ${namespace}`,
      mend: `setting up is an administrator's work; to look: ${site.kube.typed('auth', 'can-i', '--list')}`,
    },
  ]
}
