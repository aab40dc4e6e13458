import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'
import { Trouble } from '../../../plan/outcome.ts'
import type { Doing } from '../../../plan/plan.ts'
import type { Manifest, PodTemplate } from '../objects.ts'
import type { Origin } from '../once.ts'
import { MARK, type Site } from '../site.ts'
import { type Aside, marksOf } from './pods.ts'

type Recorded = Manifest & { readonly data?: Readonly<Record<string, string>> }

const nameOf = (run: string, release: string) => `runbooks-rehearsal-${run}-${release}`
const folder = ({ kube }: Site) => `/api/v1/namespaces/${kube.namespace}/secrets`

/** Pods of a release by service, and pods of what stands in beside it. */
export type Put = { readonly pods: Aside['pods']; readonly beside: readonly Manifest[] }

/** Writes down what of a release was put aside: last of all, so that what is recorded is there whole. */
export async function record(site: Site, run: string, release: string, pods: Put, doing: Doing): Promise<void> {
  const labels = { ...marksOf(site, run), [MARK.record]: 'rehearsal', [MARK.release]: release }
  const packed = (await promisify(gzip)(JSON.stringify(pods))).toString('base64')
  const body = { apiVersion: 'v1', kind: 'Secret', metadata: { name: nameOf(run, release), labels }, data: { 'pods.json.gz': packed } }
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
  const found = await site.kube.api.find<Recorded>(`${folder(site)}/${nameOf(run, release)}`, { doing })
  const packed = found?.data?.['pods.json.gz']
  if (!found || packed === undefined) throw new Trouble(3, `Nothing of ${release} was put aside: there is no Secret ${nameOf(run, release)}`)
  const text = (await promisify(gunzip)(Buffer.from(packed, 'base64'))).toString('utf8')
  return { ...(JSON.parse(text) as Put), owner: { name: found.metadata.name, uid: found.metadata.uid ?? '' } }
}

/** What a throw-away pod of a service is made from there. */
export async function recordedOf(site: Site, run: string, release: string, service: string, doing: Doing): Promise<Origin> {
  const { pods, owner } = await recorded(site, run, release, doing)
  const template = pods[service]
  if (!template) throw new Trouble(3, `Nothing that runs ${service} was put aside of the release ${release}`)
  return { template: template as never as PodTemplate, owner }
}
