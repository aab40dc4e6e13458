import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { kubectlFile } from '../testbed/kubernetes.ts'

/** The root of the project. */
export const project = join(import.meta.dirname, '../..')

/** What teams apply, by folder, with the stack that it belongs to. */
export const OVERLAYS = [
  { stack: 'check-in', folder: 'k8s/check-in/staging' },
  { stack: 'check-in', folder: 'k8s/check-in/production' },
  { stack: 'veza', folder: 'k8s/veza/staging' },
  { stack: 'veza', folder: 'k8s/veza/production' },
] as const

/** Everything that check-in can have beside. */
export const COMPONENTS = ['k8s/check-in/components/gateway', 'k8s/check-in/components/mongo-express'] as const

/** Any value of a manifest, reached by its keys. */
export type Tree = { readonly [key: string]: unknown }

/** An object of the cluster as a manifest says it. */
export type Manifest = {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Readonly<Record<string, string>> }
  readonly [key: string]: unknown
}

/** A container as the policy looks at it. */
export type Container = {
  readonly name: string
  readonly image: string
  readonly ports?: readonly { readonly name?: string; readonly containerPort: number }[]
  readonly env?: readonly { readonly name: string; readonly value?: string; readonly valueFrom?: Tree }[]
  readonly envFrom?: readonly Tree[]
  readonly resources?: { readonly requests?: Tree; readonly limits?: Tree }
  readonly securityContext?: Tree
  readonly [key: string]: unknown
}

/** A pod's specification as the policy looks at it. */
export type PodSpec = {
  readonly containers: readonly Container[]
  readonly initContainers?: readonly Container[]
  readonly volumes?: readonly Tree[]
  readonly securityContext?: Tree
  readonly [key: string]: unknown
}

/** Renders a folder with kubectl kustomize. */
export function render(folder: string): Manifest[] {
  return parsed(execFileSync(kubectlFile()!, ['kustomize', join(project, folder)], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 }))
}

/** The objects of a YAML stream; throws on what is not YAML. */
export function parsed(text: string): Manifest[] {
  return parseAllDocuments(text).map(document => {
    if (document.errors.length > 0) throw document.errors[0]
    return document.toJS() as Manifest
  })
}

/** Renders a folder as an overlay of one's own would: in another namespace, with other images (`newName:newTag` by name) and components. */
export function renderInto(
  folder: string,
  namespace: string,
  other: { readonly images?: Readonly<Record<string, string>>; readonly components?: readonly string[] } = {},
): Manifest[] {
  const scratch = mkdtempSync(join(tmpdir(), 'runbooks-overlay-'))
  try {
    const from = join(scratch, 'overlay')
    mkdirSync(from)
    const images = Object.entries(other.images ?? {}).map(([name, tag]) => ({ name, newTag: tag }))
    const moved = {
      apiVersion: 'builtin',
      kind: 'NamespaceTransformer',
      metadata: { name: 'namespace', namespace },
      setRoleBindingSubjects: 'allServiceAccounts',
    }
    const kustomization = {
      apiVersion: 'kustomize.config.k8s.io/v1beta1',
      kind: 'Kustomization',
      // The field `namespace` would leave the subjects of role bindings where they were.
      transformers: [JSON.stringify(moved)],
      // kustomize refuses absolute paths.
      resources: [relative(from, join(project, folder))],
      components: (other.components ?? []).map(component => relative(from, join(project, component))),
      images,
    }
    writeFileSync(join(from, 'kustomization.yaml'), JSON.stringify(kustomization))
    return parsed(execFileSync(kubectlFile()!, ['kustomize', from], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 }))
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

/** Objects as kubectl reads them from standard input. */
export const asInput = (objects: readonly Manifest[]): string => JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects })

/** `Deployment/backend` */
export const nameOf = ({ kind, metadata }: Manifest): string => `${kind}/${metadata.name}`

/** The objects that make pods, each with its pod's specification and labels. */
export function workloads(
  objects: readonly Manifest[],
): { readonly name: string; readonly manifest: Manifest; readonly pod: PodSpec; readonly labels: Readonly<Record<string, string>> }[] {
  return objects
    .filter(({ kind }) => ['Deployment', 'StatefulSet', 'DaemonSet', 'Job'].includes(kind))
    .map(manifest => {
      const { template } = manifest.spec as { template: { spec: PodSpec; metadata: { labels: Record<string, string> } } }
      return { name: nameOf(manifest), manifest, pod: template.spec, labels: template.metadata.labels }
    })
}

/** Every container of a pod, those that prepare it first. */
export const containersOf = (pod: PodSpec): readonly Container[] => [...(pod.initContainers ?? []), ...pod.containers]

/** The documented secrets of a stack: their keys by name. */
export function documentedSecrets(stack: string): Map<string, readonly string[]> {
  const objects = parsed(readFileSync(join(project, 'k8s', stack, 'secrets.example.yaml'), 'utf8'))
  return new Map(objects.map(({ metadata, stringData }) => [metadata.name, Object.keys(stringData as Tree)]))
}

/** A free port of 127.0.0.1, for kubectl port-forward. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}
