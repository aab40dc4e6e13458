import type { Manifest, Tree } from './kit.ts'
import { workloads } from './kit.ts'

type Selector = {
  readonly matchLabels?: Tree
  readonly matchExpressions?: readonly { readonly key: string; readonly operator: string; readonly values: readonly string[] }[]
}
type Peer = { readonly podSelector?: Selector; readonly namespaceSelector?: Selector; readonly ipBlock?: unknown }
type Rule = { readonly from?: readonly Peer[]; readonly to?: readonly Peer[]; readonly ports?: readonly { readonly port: number | string }[] }
type Policy = {
  readonly podSelector: Selector
  readonly policyTypes: readonly string[]
  readonly ingress?: readonly Rule[]
  readonly egress?: readonly Rule[]
}

/** One who sends or is reached: a pod of the stack by its labels, or the pods of another namespace by its name. */
type Party = {
  readonly name: string
  readonly labels?: Tree
  readonly namespace?: string
  readonly ports: readonly { readonly name?: string; readonly containerPort: number }[]
}

function selects({ matchLabels = {}, matchExpressions = [] }: Selector, labels: Tree): boolean {
  const named = Object.entries(matchLabels).every(([key, value]) => labels[key] === value)
  return named && matchExpressions.every(({ key, operator, values }) => operator === 'In' && values.includes(String(labels[key])))
}

const isPeer = (party: Party, { podSelector, namespaceSelector }: Peer): boolean => {
  if (namespaceSelector) return party.namespace !== undefined && selects(namespaceSelector, { 'kubernetes.io/metadata.name': party.namespace })
  return podSelector !== undefined && party.labels !== undefined && selects(podSelector, party.labels)
}

/** Whether policies let one side of a connection be: a pod that no policy selects is open, and each further policy only adds. */
function lets(policies: readonly Policy[], side: 'Ingress' | 'Egress', own: Party, other: Party, port: Party['ports'][number]): boolean {
  if (own.labels === undefined) return true
  const mine = policies.filter(({ podSelector, policyTypes }) => policyTypes.includes(side) && selects(podSelector, own.labels!))
  const rules = mine.flatMap(({ ingress = [], egress = [] }) => (side === 'Ingress' ? ingress : egress))
  const open = ({ ports }: Rule) => ports === undefined || ports.some(each => each.port === port.containerPort || each.port === port.name)
  const peers = ({ from, to }: Rule) => (side === 'Ingress' ? from : to)
  return mine.length === 0 || rules.some(rule => open(rule) && (peers(rule)?.some(peer => isPeer(other, peer)) ?? true))
}

/** Who may reach whom, as the network policies of a stack have it: `backend → mongodb:27017`. Ports of pods only; `others` are pods or namespaces beside. */
export function reaches(objects: readonly Manifest[], others: readonly Omit<Party, 'ports'>[]): string[] {
  const policies = objects.filter(({ kind }) => kind === 'NetworkPolicy').map(({ spec }) => spec as Policy)
  const own = workloads(objects).map(({ labels, pod }) => ({ name: labels.app!, labels, ports: pod.containers.flatMap(({ ports = [] }) => ports) }))
  const parties: Party[] = [...own, ...others.map(other => ({ ...other, ports: [] }))]
  const pairs = parties.flatMap(from => own.flatMap(to => to.ports.map(port => ({ from, to, port }))))
  return pairs
    .filter(({ from, to, port }) => lets(policies, 'Egress', from, to, port) && lets(policies, 'Ingress', to, from, port))
    .map(({ from, to, port }) => `${from.name} → ${to.name}:${port.containerPort}`)
    .sort()
}
