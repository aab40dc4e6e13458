import type { Doing } from '../../plan/plan.ts'
import type { Site } from './site.ts'

/** Nodes that are asked: of more, nobody knows which one matters. */
const NODES = 3

type Bytes = { readonly availableBytes?: number }

/** What a node says of its room, and of the volumes of its pods. */
export type Summary = {
  readonly node?: { readonly fs?: Bytes; readonly runtime?: { readonly imageFs?: Bytes } }
  readonly pods?: readonly {
    readonly volume?: readonly {
      readonly usedBytes?: number
      readonly capacityBytes?: number
      readonly pvcRef?: { readonly name: string; readonly namespace: string }
    }[]
  }[]
}

/** What the nodes say; null where we may not ask, or where there are too many. */
export async function summaries({ kube: { api } }: Site, doing: Doing): Promise<readonly Summary[] | null> {
  try {
    const { items } = await api.get<{ readonly items: readonly { readonly metadata: { readonly name: string } }[] }>(
      `/api/v1/nodes?limit=${NODES + 1}`,
      { doing },
    )
    if (items.length > NODES) return null
    return await Promise.all(
      items.map(({ metadata }) => api.get<Summary>(`/api/v1/nodes/${metadata.name}/proxy/stats/summary?only_cpu_and_memory=false`, { doing })),
    )
  } catch {
    doing.signal.throwIfAborted()
    return null
  }
}
