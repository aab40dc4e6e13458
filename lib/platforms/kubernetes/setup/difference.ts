import { canonical } from '../../../plan/nodes.ts'
import type { Manifest, Tree } from '../objects.ts'

/** What the server counts by itself; no wish of anybody's. */
const COUNTED = new Set(['managedFields', 'resourceVersion', 'generation', 'uid', 'creationTimestamp'])

function bare({ status: _, metadata, ...rest }: Manifest): Tree {
  return { ...rest, metadata: Object.fromEntries(Object.entries(metadata).filter(([key]) => !COUNTED.has(key))) }
}

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value)

/** The fields in which an object would be other, as `spec.policyTypes: ["Ingress"] → ["Ingress","Egress"]`. */
export function differences(standing: Manifest, wanted: Manifest): string[] {
  return between(bare(standing), bare(wanted), '')
}

function between(from: unknown, to: unknown, path: string): string[] {
  if (canonical(from ?? null) === canonical(to ?? null)) return []
  if (isTree(from) && isTree(to)) {
    return [...new Set([...Object.keys(from), ...Object.keys(to)])].sort().flatMap(key => between(from[key], to[key], path ? `${path}.${key}` : key))
  }
  if (Array.isArray(from) && Array.isArray(to) && from.length === to.length) return from.flatMap((one, i) => between(one, to[i], `${path}[${i}]`))
  return [`${path}: ${short(from)} → ${short(to)}`]
}

const short = (value: unknown) => {
  const text = value === undefined ? 'nothing' : JSON.stringify(value)
  return text.length > 80 ? `${text.slice(0, 77)}…` : text
}
