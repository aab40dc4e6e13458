import { Trouble } from '../../../plan/outcome.ts'
import type { Doing } from '../../../plan/plan.ts'
import type { Manifest, PodTemplate } from '../objects.ts'
import type { Origin } from '../once.ts'
import { packed, unpacked } from '../packed.ts'
import { MARK, type Site } from '../site.ts'
import { type Aside, marksOf } from './pods.ts'

type Recorded = Manifest & { readonly data?: Readonly<Record<string, string>> }

/** The name of the Secret that holds it. */
export const recordName = (run: string, release: string) => `runbooks-rehearsal-${run}-${release}`
const folder = ({ kube }: Site) => `/api/v1/namespaces/${kube.namespace}/secrets`

/** Pods of a release by service, and pods of what stands in beside it. */
export type Put = { readonly pods: Aside['pods']; readonly beside: readonly Manifest[] }

/** Writes down what of a release was put aside: last of all, so that what is recorded is there whole. */
export async function record(site: Site, run: string, release: string, pods: Put, doing: Doing): Promise<void> {
  const labels = { ...marksOf(site, run), [MARK.record]: 'rehearsal', [MARK.release]: release }
  const body = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: recordName(run, release), labels },
    data: { 'pods.json.gz': (await packed(pods)).toString('base64') },
  }
  await site.kube.api.send('POST', folder(site), { body, doing })
}

/** Releases that were put aside whole. */
export async function recordsOf(site: Site, run: string, doing: Doing): Promise<string[]> {
  const chosen = encodeURIComponent(`${MARK.rehearsal}=${run},${MARK.record}=rehearsal`)
  const { items } = await site.kube.api.get<{ readonly items: readonly Manifest[] }>(`${folder(site)}?labelSelector=${chosen}`, { doing })
  return items.flatMap(({ metadata }) => metadata.labels?.[MARK.release] ?? [])
}

/** The pods of a release that was put aside, and what they go with; Trouble(3) when nothing was. */
export async function recorded(site: Site, run: string, release: string, doing: Doing): Promise<Put & { owner: Origin['owner'] }> {
  const found = await site.kube.api.find<Recorded>(`${folder(site)}/${recordName(run, release)}`, { doing })
  const data = found?.data?.['pods.json.gz']
  if (!found || data === undefined) throw new Trouble(3, `Nothing of ${release} was put aside: there is no Secret ${recordName(run, release)}`)
  return { ...(await unpacked<Put>(data)), owner: { name: found.metadata.name, uid: found.metadata.uid ?? '' } }
}

/** What a throw-away pod of a service is made from there. */
export async function recordedOf(site: Site, run: string, release: string, service: string, doing: Doing): Promise<Origin> {
  const { pods, owner } = await recorded(site, run, release, doing)
  const template = pods[service]
  if (!template) throw new Trouble(3, `Nothing that runs ${service} was put aside of the release ${release}`)
  return { template: template as never as PodTemplate, owner }
}
