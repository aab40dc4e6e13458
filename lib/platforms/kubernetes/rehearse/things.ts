import { setTimeout as pause } from 'node:timers/promises'
import { CommandFailed } from '../../../exec/command.ts'
import { Trouble } from '../../../plan/outcome.ts'
import type { Doing } from '../../../plan/plan.ts'
import type { Bundle } from '../../platform.ts'
import { ApiError } from '../api.ts'
import { holds } from '../look.ts'
import type { Manifest, Pod } from '../objects.ts'
import { type Origin, ownedBy } from '../once.ts'
import { removeAll } from '../resources.ts'
import { MARK, type Site } from '../site.ts'
import { recorded } from './record.ts'

/** How long pods may take to be gone, in milliseconds; each has a few seconds to end by itself. */
const GONE_MS = 60_000
/** How long what stands in may take to be ready, in milliseconds. */
const READY_MS = 90_000
const AGAIN_MS = 150

/** Starts what stands in, and, once that is ready, the pods of a release that was put aside; one that runs already is of this rehearsal. */
export async function startPods(site: Site, run: string, { release }: Bundle, without: readonly string[], doing: Doing): Promise<void> {
  const { pods, beside, owner } = await recorded(site, run, release, doing)
  for (const pod of beside) await started(site, pod, owner, doing)
  await untilReady(site, run, new Set(beside.map(({ metadata }) => metadata.name)), doing)
  for (const [service, pod] of Object.entries(pods)) if (!without.includes(service)) await started(site, pod, owner, doing)
}

async function started(site: Site, { metadata, ...pod }: Manifest, owner: Origin['owner'], doing: Doing): Promise<void> {
  const labels = { ...metadata.labels, [MARK.once]: 'rehearsal' }
  const body = { ...pod, metadata: { ...metadata, labels, ownerReferences: ownedBy(owner) } }
  try {
    await site.kube.api.send('POST', `/api/v1/namespaces/${site.kube.namespace}/pods`, { body, doing })
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    if (error.status !== 409) throw new Trouble(3, `The pod ${metadata.name} cannot be started beside what serves: ${error.message}`)
  }
}

/** Waits for what stands in; a release that finds nothing in its place would be judged for that. */
async function untilReady(site: Site, run: string, names: ReadonlySet<string>, doing: Doing): Promise<void> {
  if (names.size === 0) return
  const until = performance.now() + READY_MS
  for (;;) {
    const { items } = await podsOf(site, run, doing)
    const ready = items.filter(pod => names.has(pod.metadata.name) && holds(pod, 'ContainersReady'))
    if (ready.length === names.size) return
    if (performance.now() > until) {
      const late = [...names].filter(name => !ready.some(({ metadata }) => metadata.name === name))
      throw new Trouble(8, `${late.join(', ')}, which must stand in for something, is not ready, so nothing was judged`, {
        look: late.map(name => site.kube.typed('describe', 'pod', name)),
      })
    }
    await pause(AGAIN_MS, undefined, { signal: doing.signal })
  }
}

/** Kinds of what a rehearsal makes, in the order in which it goes. */
const KINDS = ['pods', 'services', 'configmaps', 'secrets'] as const

type Listed<T> = { readonly items: readonly T[]; readonly nowMs: number }

/** What there is of one kind, of one run or of all, and the server's time in milliseconds. */
async function listed<T = Pick<Manifest, 'metadata'>>(
  site: Site,
  plural: (typeof KINDS)[number],
  run: string | null,
  doing: Doing,
): Promise<Listed<T>> {
  const chosen = `${MARK.stack}=${site.setting.stack},${MARK.rehearsal}${run === null ? '' : `=${run}`}`
  const path = `/api/v1/namespaces/${site.kube.namespace}/${plural}?labelSelector=${encodeURIComponent(chosen)}`
  const { text, nowMs } = await site.kube.api.text('GET', path, { doing })
  return { items: (JSON.parse(text) as Listed<T>).items, nowMs }
}

/** Pods of a rehearsal: those that run services, and those that run a command. */
export const podsOf = (site: Site, run: string | null, doing: Doing): Promise<Listed<Pod>> => listed<Pod>(site, 'pods', run, doing)

const placeOf = (site: Site, plural: string, { metadata }: Pick<Manifest, 'metadata'>) => ({
  path: `/api/v1/namespaces/${site.kube.namespace}/${plural}/${metadata.name}`,
})

/** Ends the pods of a run, or of every run, and waits until they are gone. */
export async function endPods(site: Site, run: string | null, doing: Doing): Promise<void> {
  const until = performance.now() + GONE_MS
  const ending = new Set<string>()
  for (;;) {
    const { items: left } = await podsOf(site, run, doing)
    const [first] = left
    if (!first) return
    if (performance.now() > until) throw new CommandFailed(`the pod ${first.metadata.name} does not end`, null, null, '')
    const fresh = left.filter(({ metadata }) => !ending.has(metadata.uid ?? ''))
    await removeAll(
      site,
      fresh.map(pod => placeOf(site, 'pods', pod)),
      doing,
    )
    for (const { metadata } of fresh) ending.add(metadata.uid ?? '')
    await pause(AGAIN_MS, undefined, { signal: doing.signal })
  }
}

/** Removes everything of every rehearsal of the stack. */
export async function removeAside(site: Site, doing: Doing): Promise<void> {
  await endPods(site, null, doing)
  for (const plural of KINDS.slice(1)) {
    const { items } = await listed(site, plural, null, doing)
    await removeAll(
      site,
      items.map(one => placeOf(site, plural, one)),
      doing,
    )
  }
}

/** Names of everything of every rehearsal of the stack that is there. */
export async function leftOf(site: Site, doing: Doing): Promise<string[]> {
  const all = await Promise.all(
    KINDS.map(async plural => (await listed(site, plural, null, doing)).items.map(({ metadata }) => `${plural}/${metadata.name}`)),
  )
  return all.flat()
}
