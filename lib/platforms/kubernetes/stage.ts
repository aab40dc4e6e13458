import { canonical } from '../../plan/nodes.ts'
import { Trouble } from '../../plan/outcome.ts'
import type { Action, Doing } from '../../plan/plan.ts'
import type { Bundle } from '../platform.ts'
import { ApiError } from './api.ts'
import { filesOf, ofRelease, rendered } from './manifests.ts'
import type { Manifest } from './objects.ts'
import { packed, unpacked } from './packed.ts'
import { secretsOf } from './references.ts'
import { MARK, type Site } from './site.ts'

/** What a Secret may hold, in bytes (1 MiB), less some room for what is around it. */
const LARGEST = 1_000_000

const all = ({ kube }: Site) => `/api/v1/namespaces/${kube.namespace}/secrets`
const own = (release: string) => `runbooks-release-${release}`

type Kept = Manifest & { readonly data?: Readonly<Record<string, string>> }

/** A release as it is kept: the objects of its overlay, and the Secret that holds them. */
export type Staged = { readonly objects: readonly Manifest[]; readonly uid: string; readonly name: string }

/** What is kept of a release; undefined when nothing is. */
export async function keptOf(site: Site, release: string, doing: Doing): Promise<Staged | undefined> {
  const secret = await site.kube.api.find<Kept>(`${all(site)}/${own(release)}`, { doing })
  const data = secret?.data?.['manifests.json.gz']
  if (!secret || data === undefined) return undefined
  return { objects: await unpacked<readonly Manifest[]>(data), uid: secret.metadata.uid ?? '', name: secret.metadata.name }
}

/** Hashes of what is kept of a release; null when nothing is. */
export async function stagedOf(site: Site, release: string, doing: Doing): Promise<Readonly<Record<string, string>> | null> {
  const kept = await keptOf(site, release, doing)
  return kept ? filesOf(site, kept.objects) : null
}

/** Releases that are kept, by their ids. */
export async function keptReleases(site: Site, doing: Doing): Promise<readonly string[]> {
  const chosen = encodeURIComponent(`${MARK.stack}=${site.setting.stack},${MARK.record}=release`)
  const { items } = await site.kube.api.get<{ readonly items: readonly Manifest[] }>(`${all(site)}?labelSelector=${chosen}`, { doing })
  return items.map(({ metadata }) => metadata.labels?.[MARK.release] ?? '').filter(Boolean)
}

/** Keeps the objects of a bundle, unless they are kept already: then they are older than what is here, and go back as they were. */
export function stage(site: Site, bundle: Bundle): readonly Action[] {
  return [
    {
      kind: 'transfer',
      prints: `${site.options.overlay} → Secret ${site.kube.namespace}/${own(bundle.release)}`,
      async run(doing) {
        const kept = await stagedOf(site, bundle.release, doing)
        if (kept && canonical(kept) === canonical(bundle.files)) return undefined
        const objects = await rendered(site, doing)
        mustBeDrafted('object', bundle.files, filesOf(site, objects))
        mustBeDrafted('secret', bundle.secrets, await secretsOf(site, objects, doing))
        await keep(site, bundle, objects, doing)
        return undefined
      },
    },
  ]
}

async function keep(site: Site, bundle: Bundle, objects: readonly Manifest[], doing: Doing): Promise<void> {
  const bytes = await packed(ofRelease(site, objects))
  if (bytes.length > LARGEST)
    throw new Trouble(3, `${site.options.overlay} is too large to be kept: ${bytes.length} bytes packed, and a Secret holds 1 MB`, {
      next: ['take large files out of its config maps: into the image, or onto a volume'],
    })
  const labels = { [MARK.stack]: site.setting.stack, [MARK.record]: 'release', [MARK.release]: bundle.release }
  const data = { 'manifests.json.gz': bytes.toString('base64') }
  const secret = { apiVersion: 'v1', kind: 'Secret', type: 'runbooks.dev/release', metadata: { name: own(bundle.release), labels }, data }
  try {
    await site.kube.api.send('POST', all(site), { body: secret, doing })
  } catch (error) {
    // A damaged one, or one of another try that was not finished.
    if (!(error instanceof ApiError && error.status === 409)) throw error
    await site.kube.api.send('PUT', `${all(site)}/${own(bundle.release)}`, { body: secret, doing })
  }
}

function mustBeDrafted(what: string, drafted: Readonly<Record<string, string>>, found: Readonly<Record<string, string>>): void {
  const changed = [...new Set([...Object.keys(drafted), ...Object.keys(found)])].find(name => drafted[name] !== found[name])
  if (changed === undefined) return
  throw new Trouble(3, `The ${what} ${changed} has changed since the plan was made`, {
    next: ['start again: the plan will be made from what is there now'],
  })
}

/** Removes what is kept of a release. */
export function unstage(site: Site, release: string): readonly Action[] {
  return [
    {
      kind: 'command',
      prints: site.kube.typed('delete', 'secret', own(release), '--ignore-not-found'),
      async run(doing) {
        await forget(site, release, doing)
        return undefined
      },
    },
  ]
}

/** Removes what is kept of a release; nothing there is fine. */
export async function forget(site: Site, release: string, doing: Doing): Promise<void> {
  try {
    await site.kube.api.send('DELETE', `${all(site)}/${own(release)}`, { doing, patient: true })
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 404)) throw error
  }
}
