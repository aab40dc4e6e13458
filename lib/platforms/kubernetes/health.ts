import type { Doing } from '../../plan/plan.ts'
import type { Surroundings } from '../platform.ts'
import {
  type Autoscaler,
  autoscalerFault,
  type Budget,
  budgetFault,
  type Claim,
  claimFault,
  type Periodic,
  periodicFault,
  type Ran,
  workloadFault,
} from './ailments.ts'
import { ApiError } from './api.ts'
import { summaries } from './nodes.ts'
import type { Controller, Pod } from './objects.ts'
import { type Site, workloadOf } from './site.ts'

type Listed<T> = { readonly items: readonly T[]; readonly denied?: string }

/** All objects of a kind, in one call; where we may not list them, that is said. */
async function listed<T>(site: Site, root: string, plural: string, doing: Doing): Promise<Listed<T>> {
  try {
    return await site.kube.api.get<Listed<T>>(`${root}/namespaces/${site.kube.namespace}/${plural}`, { doing })
  } catch (error) {
    if (error instanceof ApiError && error.status === 403) return { items: [], denied: plural }
    throw error
  }
}

/** What else is to be well in the namespace: what the stack's services stand on, and what keeps others from their work. */
export async function surroundingsOf(site: Site, doing: Doing): Promise<Surroundings> {
  const list = <T>(root: string, plural: string) => listed<T>(site, root, plural, doing)
  const { nowMs } = await site.kube.api.text('GET', '/version', { doing })
  const [deployments, statefulSets, daemonSets, pods, budgets, autoscalers, claims, periodics, runs, nodes] = await Promise.all([
    list<Controller>('/apis/apps/v1', 'deployments'),
    list<Controller>('/apis/apps/v1', 'statefulsets'),
    list<Controller>('/apis/apps/v1', 'daemonsets'),
    list<Pod>('/api/v1', 'pods'),
    list<Budget>('/apis/policy/v1', 'poddisruptionbudgets'),
    list<Autoscaler>('/apis/autoscaling/v2', 'horizontalpodautoscalers'),
    list<Claim>('/api/v1', 'persistentvolumeclaims'),
    list<Periodic>('/apis/batch/v1', 'cronjobs'),
    list<Ran>('/apis/batch/v1', 'jobs'),
    summaries(site, doing),
  ])
  const others = beside(site, { Deployment: deployments, StatefulSet: statefulSets, DaemonSet: daemonSets })
  const standing = pods.items.filter(({ metadata }) => metadata.deletionTimestamp === undefined)
  const used = (name: string) => usedOf(nodes ?? [], site.kube.namespace, name)
  const due = await dueTimes(periodics.items, nowMs)
  const faults = [
    ...others.map(one => workloadFault(one, standing, nowMs)),
    ...claims.items.map(one => claimFault(one, used(one.metadata.name), nowMs)),
    ...periodics.items.map((one, i) => periodicFault(one, runs.items, due[i] ?? 0, nowMs)),
    ...budgets.items.map(budgetFault),
    ...autoscalers.items.map(one => autoscalerFault(one, nowMs)),
  ].filter(fault => fault !== undefined)
  const lists = [deployments, statefulSets, daemonSets, pods, budgets, autoscalers, claims, periodics, runs]
  return {
    faults,
    unseen: lists.flatMap(({ denied }) => (denied === undefined ? [] : [`we may not list ${denied} in ${site.kube.namespace}`])),
    counted: {
      workloads: others.length,
      volumes: claims.items.length,
      budgets: budgets.items.length,
      autoscalers: autoscalers.items.length,
      'cron jobs': periodics.items.length,
    },
    look: [site.kube.typed('get', 'pods,pdb,hpa,pvc,cronjobs')],
  }
}

/** Workloads of the namespace that are no service of the stack; lists do not say the kind of their items. */
function beside(site: Site, lists: Readonly<Record<string, Listed<Controller>>>): Controller[] {
  const services = new Set(site.setting.services.map(({ name }) => workloadOf(site, name)).map(({ kind, name }) => `${kind}/${name}`))
  return Object.entries(lists).flatMap(([kind, { items }]) =>
    items.filter(({ metadata }) => !services.has(`${kind}/${metadata.name}`)).map(one => ({ ...one, kind })),
  )
}

/** The share of a claim's volume that is in use. */
function usedOf(nodes: NonNullable<Awaited<ReturnType<typeof summaries>>>, namespace: string, name: string): number | undefined {
  const volumes = nodes.flatMap(({ pods = [] }) => pods.flatMap(({ volume = [] }) => volume))
  const found = volumes.find(({ pvcRef }) => pvcRef?.namespace === namespace && pvcRef.name === name)
  return found?.usedBytes !== undefined && found.capacityBytes ? found.usedBytes / found.capacityBytes : undefined
}

/** When each should have run last. */
async function dueTimes(periodics: readonly Periodic[], nowMs: number): Promise<readonly number[]> {
  if (periodics.length === 0) return []
  const { CronExpressionParser } = await import('cron-parser')
  return periodics.map(({ spec }) => {
    const options = { currentDate: new Date(nowMs), ...(spec.timeZone ? { tz: spec.timeZone } : { tz: 'UTC' }) }
    return CronExpressionParser.parse(spec.schedule, options).prev().getTime()
  })
}
