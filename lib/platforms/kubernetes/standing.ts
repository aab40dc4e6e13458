import type { Doing } from '../../plan/plan.ts'
import type { ServiceState, SlotState, Standing } from '../platform.ts'
import { faultOf } from './faults.ts'
import { holds, type Look, lookAt, type Workload, wantedOf } from './look.ts'
import { pinned } from './manifests.ts'
import { mainOf, tagOf } from './objects.ts'
import { LIVE, MARK, type Site } from './site.ts'

/** What stands, out of one look: a release only when all services are of it. */
export function slotState({ workloads }: Look): SlotState {
  if (workloads.length === 0) return { release: null, is: 'absent', services: {} }
  const releases = [...new Set(workloads.map(({ object }) => object.metadata.labels?.[MARK.release] ?? 'by hand'))].sort()
  const services = workloads.map(one => [one.service.name, serviceState(one)] as const)
  // Names of two releases with a + between them are the name of none: it is neither the one nor the other.
  return { release: releases.join('+'), is: workloads.some(one => wantedOf(one) > 0) ? 'running' : 'stopped', services: Object.fromEntries(services) }
}

function serviceState(workload: Workload): ServiceState {
  const { object, pods, service } = workload
  const main = mainOf(object.spec.template.spec, service.image)
  const statuses = pods.flatMap(pod => pod.status?.containerStatuses ?? [])
  const running = pods.filter(
    pod => pod.status?.phase === 'Running' && (pod.status.containerStatuses ?? []).every(({ state }) => state?.running !== undefined),
  )
  const probed = main?.readinessProbe !== undefined
  const because = pods.map(pod => faultOf(pod, workload)?.because).find(Boolean)
  return {
    ...versionOf(workload),
    wanted: wantedOf(workload),
    running: running.length,
    healthy: probed ? running.filter(pod => holds(pod, 'Ready')).length : 0,
    restarts: statuses.reduce((sum, { restartCount }) => sum + restartCount, 0),
    ...(because === undefined ? {} : { because }),
  }
}

/** Version and digest as they were applied; what was changed by hand since is known by its image. */
function versionOf({ object, service }: Workload): Pick<ServiceState, 'version' | 'digest'> {
  const { annotations } = object.metadata
  const image = mainOf(object.spec.template.spec, service.image)?.image ?? ''
  const [version, digest] = [annotations?.[MARK.version] ?? '', annotations?.[MARK.digest] ?? null]
  if (pinned({ image: service.image, version, digest }) === image) return { version, digest }
  return { version: tagOf(image), digest: image.split('@')[1] ?? null }
}

/** The one slot. */
export const slotOf = async (site: Site, doing: Doing): Promise<SlotState> => slotState(await lookAt(site, doing))

/** Everything that stands; it serves when a pod of a service, of whatever revision, is ready. */
export async function standingOf(site: Site, doing: Doing): Promise<Standing> {
  const look = await lookAt(site, doing)
  const serves = look.workloads.some(({ pods, old }) => [...pods, ...old].some(pod => holds(pod, 'Ready')))
  return { slots: { [LIVE]: slotState(look) }, serving: serves ? LIVE : null, idle: LIVE }
}
