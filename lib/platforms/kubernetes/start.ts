import { setTimeout as pause } from 'node:timers/promises'
import { CommandFailed, quote } from '../../exec/command.ts'
import { Trouble } from '../../plan/outcome.ts'
import type { Action, Doing } from '../../plan/plan.ts'
import type { Bundle } from '../platform.ts'
import { APPLY, applied, Conflict } from './apply.ts'
import { lookAt, type Workload, wantedOf } from './look.ts'
import { forRelease, type Live, ofRelease } from './manifests.ts'
import { type Manifest, nameOf } from './objects.ts'
import { liveOf, ownSelector, removable, removeAll } from './resources.ts'
import { MANAGER, MARK, type Site, workloadOf } from './site.ts'
import { keptOf } from './stage.ts'

/** How long pods are waited for that must be gone, in milliseconds, besides their own grace period. */
const GONE_MS = 60_000
const AGAIN_MS = 150

const command = (prints: string, work: (doing: Doing) => Promise<void>): Action => ({
  kind: 'command',
  prints,
  async run(doing) {
    await work(doing)
    return undefined
  },
})

/** Puts a release in the place of what runs. The server is asked about all of it before the first object is changed. */
export function start(site: Site, bundle: Bundle, without: readonly string[]): readonly Action[] {
  const from = `runbooks-release-${bundle.release}`
  return [
    command(`${site.kube.typed(...APPLY)} < objects of ${quote(from)}`, async doing => {
      const kept = await keptOf(site, bundle.release, doing)
      if (!kept) throw new Trouble(3, `Nothing is kept of the release ${bundle.release}: there is no Secret ${from} in ${site.kube.namespace}`)
      const live = await liveOf(site, ofRelease(site, kept.objects), doing)
      const objects = forRelease(site, kept.objects, bundle, live, without)
      await woken(site, objects, live, doing)
      try {
        await applied(site, objects, doing, 'dry run')
      } catch (error) {
        if (error instanceof Conflict && standsWhole(objects, bundle, live)) return
        throw error
      }
      await applied(site, objects, doing, 'for good')
    }),
  ]
}

/** Whether all that a release is made of was last put there by it: what others have changed since is theirs, and there is nothing to put back. */
function standsWhole(objects: readonly Manifest[], { release }: Bundle, live: Live): boolean {
  const own = objects.filter(({ metadata }) => metadata.labels?.[MARK.release] === release)
  return own.every(object => live.get(nameOf(object))?.metadata.labels?.[MARK.release] === release)
}

/** Gives what was stopped the number of pods that it had, or that its manifest says. */
async function woken(site: Site, objects: readonly Manifest[], live: Live, doing: Doing): Promise<void> {
  for (const object of objects) {
    const standing = live.get(nameOf(object))
    const before = standing?.metadata.annotations?.[MARK.replicas]
    if (!standing || before === undefined) continue
    const said = (object.spec as { replicas?: number }).replicas
    await scaled(site, { kind: object.kind, name: object.metadata.name }, said ?? Number(before), null, doing)
  }
}

/** Sets the number of pods, and remembers the one before or forgets it. An autoscaler leaves what has none alone, and goes on when it has some again. */
async function scaled(
  site: Site,
  { kind, name }: { kind: string; name: string },
  replicas: number,
  remember: number | null,
  doing: Doing,
): Promise<void> {
  const path = `/apis/apps/v1/namespaces/${site.kube.namespace}/${kind.toLowerCase()}s/${name}?fieldManager=${MANAGER}`
  const annotations = { [MARK.replicas]: remember === null ? null : String(remember) }
  await site.kube.api.send('PATCH', path, {
    body: { metadata: { annotations }, spec: { replicas } },
    type: 'application/merge-patch+json',
    doing,
    patient: true,
  })
}

/** Workloads whose number of pods can be set: a DaemonSet has one on each node, and no number. */
const scalable = ({ object }: Workload): boolean => object.kind !== 'DaemonSet'

async function stopAll(site: Site, chosen: (name: string) => boolean, doing: Doing): Promise<void> {
  const { workloads } = await lookAt(site, doing)
  const ours = workloads.filter(one => scalable(one) && chosen(one.service.name))
  for (const one of ours.filter(each => wantedOf(each) > 0)) {
    await scaled(site, { kind: one.object.kind, name: one.object.metadata.name }, 0, wantedOf(one), doing)
  }
  await untilGone(site, ours, doing)
}

async function startAll(site: Site, chosen: (name: string) => boolean, doing: Doing): Promise<void> {
  const { workloads } = await lookAt(site, doing)
  for (const one of workloads.filter(each => scalable(each) && wantedOf(each) === 0 && chosen(each.service.name))) {
    const before = Number(one.object.metadata.annotations?.[MARK.replicas] ?? 1)
    await scaled(site, { kind: one.object.kind, name: one.object.metadata.name }, before, null, doing)
  }
}

/** Waits until the pods are really gone, those included that are ending. */
async function untilGone(site: Site, workloads: readonly Workload[], doing: Doing): Promise<void> {
  const names = workloads.flatMap(({ pods, old }) => [...pods, ...old].map(({ metadata }) => metadata.name))
  const grace = Math.max(0, ...workloads.map(({ object }) => Number(object.spec.template.spec.terminationGracePeriodSeconds ?? 30)))
  const until = performance.now() + GONE_MS + grace * 1_000
  const path = `/api/v1/namespaces/${site.kube.namespace}/pods`
  for (;;) {
    const { items } = await site.kube.api.get<{ readonly items: readonly Manifest[] }>(path, { doing })
    const left = items.find(({ metadata }) => names.includes(metadata.name))
    if (!left) return
    if (performance.now() > until) throw new CommandFailed(`the pod ${left.metadata.name} does not end`, null, null, '')
    await pause(AGAIN_MS, undefined, { signal: doing.signal })
  }
}

const scaleWords = (site: Site, services: readonly string[], to: string) => {
  const names = services.map(name => workloadOf(site, name)).map(({ kind, name }) => `${kind.toLowerCase()}/${name}`)
  return site.kube.typed('scale', `--replicas=${to}`, ...names)
}

const allOf = ({ setting }: Site) => setting.services.map(({ name }) => name)

/** Stops or starts single services. */
export function toggle(site: Site, services: readonly string[], to: 'stopped' | 'running'): readonly Action[] {
  const chosen = (name: string) => services.includes(name)
  const work = (doing: Doing) => (to === 'stopped' ? stopAll(site, chosen, doing) : startAll(site, chosen, doing))
  return [command(scaleWords(site, services, to === 'stopped' ? '0' : 'as-before'), work)]
}

/** Stops everything of the application; the numbers of pods are remembered. */
export const stop = (site: Site): readonly Action[] => toggle(site, allOf(site), 'stopped')

/** Starts everything of the application again, as many as there were. */
export const startAgain = (site: Site): readonly Action[] => toggle(site, allOf(site), 'running')

/** Removes what releases have put here, and nothing of the data or the setup. */
export function remove(site: Site): readonly Action[] {
  return [
    command(site.kube.typed('delete', 'all,configmap,ingress,hpa,pdb', '-l', ownSelector(site)), async doing => {
      const { workloads } = await lookAt(site, doing)
      const ours = workloads.filter(({ object }) => object.metadata.labels?.[MARK.release] !== undefined)
      await removeAll(site, await removable(site, doing), doing)
      await untilGone(site, ours, doing)
    }),
  ]
}
