import { containersOf, type PodSpec, type Tree } from '../objects.ts'

/** Kinds of volumes that are made for one pod, or that no pod can write to. */
const OWN = new Set(['emptyDir', 'secret', 'configMap', 'downwardAPI', 'projected', 'ephemeral', 'image'])

type Mount = { readonly name: string; readonly mountPath?: string; readonly readOnly?: boolean }

/** By what a pod could reach what is not its own, whatever it is given: volumes that it can write to, its node, the API of the cluster. */
export function mayShare(spec: PodSpec): string[] {
  const volumes = new Map((spec.volumes ?? []).map(volume => [String(volume.name), volume]))
  const mounts = containersOf(spec).flatMap(({ volumeMounts = [] }) => volumeMounts as readonly Mount[])
  const writes = mounts.filter(({ name, readOnly }) => readOnly !== true && !isOwn(volumes.get(name)))
  const tokens = [...volumes.values()].filter(({ projected }) =>
    sourcesOf(projected).some(({ serviceAccountToken }) => serviceAccountToken !== undefined),
  )
  const node = (['hostNetwork', 'hostPID', 'hostIPC'] as const).filter(name => spec[name] === true)
  return [
    ...new Set(writes.map(({ name, mountPath }) => `can write to ${kindOf(volumes.get(name))} ${name} at ${mountPath}`)),
    ...tokens.map(({ name }) => `speaks to the cluster with the token of ${name}`),
    ...node.map(name => `has ${name}`),
  ]
}

const sourcesOf = (projected: unknown) => ((projected as Tree | undefined)?.sources ?? []) as readonly Tree[]

const kindOf = (volume: Tree | undefined): string => Object.keys(volume ?? {}).find(key => key !== 'name') ?? 'the claim'

/** Of a volume that the pod does not name, a claim is made by the workload: it is the workload's data. */
const isOwn = (volume: Tree | undefined): boolean => volume !== undefined && OWN.has(kindOf(volume))
