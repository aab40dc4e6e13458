import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Any part of a manifest. */
export type Part = { readonly [key: string]: unknown }

/** What the stack for tests differs by. */
export type Differences = {
  /** Of the pods of `web`, besides what they have. */
  readonly pod?: Part
  /** Of its container. */
  readonly container?: Part
  /** Of its Deployment. */
  readonly spec?: Part
  /** Containers besides the service. */
  readonly beside?: readonly Part[]
  /** Objects besides those of the two services. */
  readonly more?: readonly Part[]
  /** Replaces `shop-config` in the overlay. */
  readonly config?: Readonly<Record<string, string>>
}

const SAFE = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } }

/** A container that meets the level "restricted". */
export const container = (name: string, image: string, more: Part = {}): Part => ({
  name,
  image,
  resources: { requests: { cpu: '10m', memory: '32Mi' }, limits: { memory: '128Mi' } },
  securityContext: SAFE,
  ...more,
})

const POD = { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } }

function deployment(name: string, containers: readonly Part[], spec: Part, pod: Part): Part {
  const labels = { app: name }
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, labels: { 'runbooks.dev/layer': 'release' } },
    spec: {
      replicas: 1,
      selector: { matchLabels: labels },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
      template: {
        metadata: { labels },
        spec: {
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          terminationGracePeriodSeconds: 10,
          securityContext: POD,
          containers,
          ...pod,
        },
      },
      ...spec,
    },
  }
}

/** Writes an overlay with the stack for tests: `web`, reached through a node's port, and `worker`, which answers nobody. */
export function writeOverlay(folder: string, namespace: string, repository: string, nodePort: number, other: Differences = {}): void {
  mkdirSync(folder, { recursive: true })
  const web = container('web', `${repository}/web:1.0.0`, {
    ports: [{ name: 'http', containerPort: 3000 }],
    envFrom: [{ configMapRef: { name: 'shop-config' } }],
    env: [{ name: 'TOKEN', valueFrom: { secretKeyRef: { name: 'shop-secrets', key: 'TOKEN' } } }],
    readinessProbe: { httpGet: { path: '/health', port: 'http' }, periodSeconds: 1, failureThreshold: 2 },
    lifecycle: { preStop: { sleep: { seconds: 3 } } },
    ...other.container,
  })
  const worker = container('worker', `${repository}/worker:1.0.0`, { env: [{ name: 'KIND', value: 'silent' }] })
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', labels: { 'runbooks.dev/layer': 'release' } },
    spec: { type: 'NodePort', selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: 'http', nodePort }] },
  }
  const objects = [
    deployment('web', [web, ...(other.beside ?? [])], { replicas: 2, ...other.spec }, other.pod ?? {}),
    deployment('worker', [worker], {}, {}),
    service,
    ...(other.more ?? []),
  ]
  const values = other.config ?? { GREETING: 'hello' }
  const kustomization = {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    namespace,
    resources: ['objects.yaml'],
    labels: [{ pairs: { 'runbooks.dev/stack': 'shop' }, includeTemplates: true }],
    configMapGenerator: [
      {
        name: 'shop-config',
        literals: Object.entries(values).map(([name, value]) => `${name}=${value}`),
        options: { labels: { 'runbooks.dev/layer': 'release' } },
      },
    ],
  }
  // JSON is YAML.
  writeFileSync(join(folder, 'objects.yaml'), objects.map(object => JSON.stringify(object)).join('\n---\n'))
  writeFileSync(join(folder, 'kustomization.yaml'), JSON.stringify(kustomization, null, 2))
}
