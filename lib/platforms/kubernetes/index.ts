import type { Doing } from '../../plan/plan.ts'
import type { Platform } from '../platform.ts'
import type { Setting } from '../registry.ts'
import { cellOf } from './cell.ts'
import { draftOf } from './draft.ts'
import { lastLines } from './events.ts'
import { factsOf, timeOf } from './facts.ts'
import { surroundingsOf } from './health.ts'
import { imagesOf } from './images.ts'
import { inside } from './inside.ts'
import { kubeTo } from './kube.ts'
import { holds, lookAt } from './look.ts'
import { mainOf } from './objects.ts'
import { once } from './once.ts'
import { rehearsalsOf } from './rehearse/index.ts'
import { setupOf } from './setup/index.ts'
import type { KubernetesOptions, Site } from './site.ts'
import { stage, stagedOf, unstage } from './stage.ts'
import { slotOf, standingOf } from './standing.ts'
import { remove, start, startAgain, stop, toggle } from './start.ts'
import { surplus, tidy } from './tidy.ts'
import { verdictOn } from './verdict.ts'

/** One namespace of a cluster, by kubectl: a release replaces the one before in place, and the cluster moves the traffic pod by pod. */
export function kubernetes(setting: Setting, options: KubernetesOptions): Platform {
  const kube = kubeTo(options)
  const where = `${options.cluster} ${options.namespace}`
  const site: Site = { setting, options, kube, where, kinds: new Map(), sightings: new Map() }
  return {
    kind: 'kubernetes',
    secretsOfToday: true,
    where,
    facts: doing => factsOf(site, doing),
    standing: doing => standingOf(site, doing),
    images: (wanted, doing) => imagesOf(site, wanted, doing),
    draft: doing => draftOf(site, doing),
    // Each node fetches what it runs, when it runs it; a look at the images has made the first one do so already.
    fetch: () => [],
    fetched: async ({ services }) => Object.fromEntries(Object.keys(services).map(name => [name, true])),
    stage: bundle => stage(site, bundle),
    staged: (release, doing) => stagedOf(site, release, doing),
    unstage: release => unstage(site, release),
    start: (bundle, without) => start(site, bundle, without),
    toggle: (_, services, to) => toggle(site, services, to),
    stop: () => stop(site),
    remove: () => remove(site),
    slot: (_, doing) => slotOf(site, doing),
    verdict: (_, release, without, since, doing) => verdictOn(site, release, without, since, doing),
    time: doing => timeOf(site, doing),
    once: (bundle, service, argv) => once(site, bundle, service, argv),
    inside: (service, command, how) => inside(site, service, command, how),
    log: (_, service, lines, doing) => logOf(site, service, lines, doing),
    door: async () => ({ url: options.door.replace(/\/+$/, ''), headers: options.doorHost === undefined ? {} : { Host: options.doorHost } }),
    writers: {
      running: async doing => (await slotOf(site, doing)).is === 'running',
      stop: () => stop(site),
      start: () => startAgain(site),
    },
    cell: name => cellOf(site, name),
    surplus: (keep, doing) => surplus(site, keep, doing),
    tidy: keep => tidy(site, keep),
    setup: wants => setupOf(site, wants),
    rehearsals: rehearsalsOf(site),
    surroundings: doing => surroundingsOf(site, doing),
    close: () => kube.close(),
  }
}

/** The last lines of a pod of a service: of one that is not ready, where there is one. */
async function logOf(site: Site, service: string, lines: number, doing: Doing): Promise<string> {
  const { workloads } = await lookAt(site, doing)
  const workload = workloads.find(one => one.service.name === service)
  const pods = [...(workload?.pods ?? []), ...(workload?.old ?? [])]
  const pod = pods.find(one => !holds(one, 'Ready')) ?? pods[0]
  const container = workload && mainOf(workload.object.spec.template.spec, workload.service.image)?.name
  return pod && container ? lastLines(site, pod, container, lines, doing) : ''
}
