/** What every object says of itself. */
export type Meta = {
  readonly name: string
  readonly namespace?: string
  readonly uid?: string
  readonly generation?: number
  readonly resourceVersion?: string
  readonly creationTimestamp?: string
  readonly deletionTimestamp?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly ownerReferences?: readonly { readonly uid: string; readonly kind: string; readonly name: string }[]
  /** Who has set which fields, as the API server remembers it. */
  readonly managedFields?: readonly {
    readonly manager?: string
    readonly operation?: string
    readonly fieldsV1?: { readonly 'f:spec'?: { readonly 'f:replicas'?: object } }
  }[]
}

/** Any part of an object that is not looked into by type. */
export type Tree = { readonly [key: string]: unknown }

/** An object of the API, or of a manifest. */
export type Manifest = { readonly apiVersion: string; readonly kind: string; readonly metadata: Meta; readonly [key: string]: unknown }

export type Probe = { readonly httpGet?: { readonly path?: string; readonly port: number | string }; readonly [key: string]: unknown }

/** A container as a template has it. */
export type Container = {
  readonly name: string
  readonly image: string
  readonly restartPolicy?: string
  readonly readinessProbe?: Probe
  readonly startupProbe?: Probe
  readonly livenessProbe?: Probe
  readonly env?: readonly { readonly name: string; readonly valueFrom?: Tree }[]
  readonly envFrom?: readonly Tree[]
  readonly [key: string]: unknown
}

export type PodSpec = {
  readonly containers: readonly Container[]
  readonly initContainers?: readonly Container[]
  readonly volumes?: readonly Tree[]
  readonly imagePullSecrets?: readonly { readonly name: string }[]
  readonly [key: string]: unknown
}

export type PodTemplate = { readonly metadata?: Partial<Meta>; readonly spec: PodSpec }

export type Condition = {
  readonly type: string
  readonly status: string
  readonly reason?: string
  readonly message?: string
  readonly lastTransitionTime?: string
  readonly lastUpdateTime?: string
}

type Ended = {
  readonly exitCode: number
  readonly reason?: string
  readonly message?: string
  readonly startedAt?: string
  readonly finishedAt?: string
}

export type ContainerState = {
  readonly waiting?: { readonly reason?: string; readonly message?: string }
  readonly running?: { readonly startedAt?: string }
  readonly terminated?: Ended
}

export type ContainerStatus = {
  readonly name: string
  readonly image: string
  readonly imageID: string
  readonly ready: boolean
  readonly started?: boolean
  readonly restartCount: number
  readonly state?: ContainerState
  readonly lastState?: ContainerState
}

export type Pod = {
  readonly metadata: Meta
  readonly spec: PodSpec
  readonly status?: {
    readonly phase?: string
    readonly reason?: string
    readonly message?: string
    readonly startTime?: string
    readonly conditions?: readonly Condition[]
    readonly containerStatuses?: readonly ContainerStatus[]
    readonly initContainerStatuses?: readonly ContainerStatus[]
  }
}

/** A Deployment, StatefulSet, DaemonSet or ReplicaSet, with the fields that any of them has. */
export type Controller = {
  readonly kind: string
  readonly metadata: Meta
  readonly spec: {
    readonly replicas?: number
    readonly template: PodTemplate
    readonly strategy?: { readonly type?: string; readonly rollingUpdate?: { readonly maxUnavailable?: number | string } }
    readonly [key: string]: unknown
  }
  readonly status?: {
    readonly observedGeneration?: number
    readonly replicas?: number
    readonly updatedReplicas?: number
    readonly availableReplicas?: number
    readonly readyReplicas?: number
    readonly updateRevision?: string
    readonly desiredNumberScheduled?: number
    readonly updatedNumberScheduled?: number
    readonly numberAvailable?: number
    readonly conditions?: readonly Condition[]
  }
}

/** `Deployment/backend` */
export const nameOf = ({ kind, metadata }: Pick<Manifest, 'kind' | 'metadata'>): string => `${kind}/${metadata.name}`

/** The pods' template of what makes pods, with where it stands; undefined for everything else. */
export function templateOf({ kind, spec }: Manifest): PodTemplate | undefined {
  const tree = spec as { template?: PodTemplate; jobTemplate?: { spec: { template: PodTemplate } } } | undefined
  return kind === 'CronJob' ? tree?.jobTemplate?.spec.template : tree?.template?.spec?.containers ? tree.template : undefined
}

/** The same object with another template for its pods. */
export function withTemplate(object: Manifest, template: PodTemplate): Manifest {
  const spec = object.spec as { jobTemplate?: { spec: Tree } }
  if (object.kind !== 'CronJob') return { ...object, spec: { ...spec, template } }
  return { ...object, spec: { ...spec, jobTemplate: { ...spec.jobTemplate, spec: { ...spec.jobTemplate?.spec, template } } } }
}

/** An image's name without tag and digest. */
export function repositoryOf(image: string): string {
  const bare = image.split('@')[0] ?? image
  const colon = bare.lastIndexOf(':')
  return colon > bare.lastIndexOf('/') ? bare.slice(0, colon) : bare
}

/** An image's tag, else its digest, else nothing. */
export function tagOf(image: string): string {
  const bare = image.split('@')[0] ?? image
  return bare.slice(repositoryOf(bare).length + 1) || (image.split('@')[1] ?? '')
}

/** Every container of a pod: those that prepare it, and its own. */
export const containersOf = ({ initContainers = [], containers }: PodSpec): readonly Container[] => [...initContainers, ...containers]

/** The container of a pod that is the service itself: the one with its image, else the first. */
export function mainOf(spec: PodSpec, image: string): Container | undefined {
  return spec.containers.find(one => repositoryOf(one.image) === image) ?? spec.containers[0]
}
