import type { Secret } from '../../plan/secrets.ts'
import type { Setting } from '../registry.ts'
import type { Kube } from './kube.ts'
import type { Sightings } from './steady.ts'

/** What a team writes of a stack on Kubernetes, with its references read. */
export type KubernetesOptions = {
  /** Address of the API server; a kubeconfig that leads elsewhere is refused. */
  readonly cluster: string
  readonly namespace: string
  readonly overlay: string
  /** A file, or the text of one. */
  readonly kubeconfig?: string | Secret
  readonly context?: string
  readonly door: string
  readonly doorHost?: string
  readonly workloads?: Readonly<Record<string, string>>
  readonly secrets?: Readonly<Record<string, { readonly secret: string; readonly keys?: readonly string[] | undefined }>>
}

/** What every room of this folder works on. */
export type Site = {
  readonly setting: Setting
  readonly options: KubernetesOptions
  readonly kube: Kube
  readonly where: string
  /** Kinds of objects that the cluster has, by the root of their paths, once they were asked for. */
  readonly kinds: Map<string, { readonly resources: readonly { readonly name: string; readonly kind: string; readonly namespaced: boolean }[] }>
  /** When pods were first seen ready. */
  readonly sightings: Sightings
}

/** The one place of a release on a platform that replaces in place. */
export const LIVE = 'live'

/** Under this name the API server remembers which fields are ours. */
export const MANAGER = 'runbooks'

/** Labels and annotations that the toolkit sets and reads. */
export const MARK = {
  stack: 'runbooks.dev/stack',
  layer: 'runbooks.dev/layer',
  release: 'runbooks.dev/release',
  /** What a kept object is for: `release`, `cell` or `rehearsal`. */
  record: 'runbooks.dev/record',
  /** Pods that are thrown away. */
  once: 'runbooks.dev/once',
  /** Everything of a rehearsal, by its run. */
  rehearsal: 'runbooks.dev/rehearsal',
  /** Which service of the stack a pod of a rehearsal runs. */
  service: 'runbooks.dev/service',
  version: 'runbooks.dev/version',
  digest: 'runbooks.dev/digest',
  /** SHA-256 of the manifest that an object was last made from. */
  manifest: 'runbooks.dev/manifest',
  /** SHA-256 of a template for pods, secrets included: while it is the same, pods are not replaced. */
  template: 'runbooks.dev/template',
  /** Number of pods before they were stopped. */
  replicas: 'runbooks.dev/replicas',
} as const

/** `deployment/backend`, `statefulset/mongodb`: what runs a service, in words that kubectl takes. */
export function workloadOf({ options }: Site, service: string): { readonly kind: string; readonly name: string } {
  const said = options.workloads?.[service] ?? service
  const [kind, name] = said.includes('/') ? said.split('/') : ['deployment', said]
  const found = KINDS.find(one => one.toLowerCase() === kind?.toLowerCase())
  return { kind: found ?? 'Deployment', name: name ?? service }
}

const KINDS = ['Deployment', 'StatefulSet', 'DaemonSet'] as const
