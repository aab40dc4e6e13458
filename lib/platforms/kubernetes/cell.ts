import { type Cell, StoreError } from '../../stores/store.ts'
import { ApiError } from './api.ts'
import type { Manifest } from './objects.ts'
import { MARK, type Site } from './site.ts'

type Map = Manifest & { readonly data?: { readonly document?: string } }

/** What a ConfigMap may hold, in bytes, less some room for what is around it. */
const LARGEST = 1_000_000

/** A small document as the ConfigMap `runbooks-<name>`, changed by compare-and-swap of its resource version. */
export function cellOf({ kube, setting }: Site, name: string): Cell {
  const own = `runbooks-${name.toLowerCase().replaceAll(/[^a-z0-9.-]+/g, '-')}`
  const all = `/api/v1/namespaces/${kube.namespace}/configmaps`
  const where = `configmap ${kube.namespace}/${own}`
  return {
    where,
    async read() {
      try {
        const { text, nowMs } = await kube.api.text('GET', `${all}/${own}`)
        const { data, metadata } = JSON.parse(text) as Map
        return { body: data?.document ?? null, version: metadata.resourceVersion ?? '', nowMs }
      } catch (error) {
        if (!(error instanceof ApiError)) throw error
        if (error.status !== 404) throw fault(error, where)
        // The time of a server whose answer was a refusal.
        return { body: null, version: '', nowMs: (await kube.api.text('GET', '/version')).nowMs }
      }
    },
    async write(body, version) {
      if (Buffer.byteLength(body) > LARGEST) throw new StoreError('full', `${where} can hold 1 MB, and this is ${Buffer.byteLength(body)} bytes`)
      const labels = { [MARK.stack]: setting.stack, [MARK.record]: 'cell' }
      const metadata = { name: own, labels, ...(version === '' ? {} : { resourceVersion: version }) }
      const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { document: body } }
      const [method, path] = version === '' ? (['POST', all] as const) : (['PUT', `${all}/${own}`] as const)
      try {
        const { text, nowMs } = await kube.api.text(method, path, { body: object })
        return { version: (JSON.parse(text) as Map).metadata.resourceVersion ?? '', nowMs }
      } catch (error) {
        throw error instanceof ApiError ? fault(error, where) : error
      }
    },
  }
}

function fault(error: ApiError, where: string): StoreError {
  const gone = error.status === 404 && !/namespaces? "/.test(error.message)
  if (error.status === 409 || gone) return new StoreError('conflict', `${where} was changed by somebody else: ${error.message}`, error)
  if (error.status === 403) return new StoreError('denied', `${where}: ${error.message}`, error)
  return new StoreError(error.status === 404 ? 'missing' : 'broken', `${where}: ${error.message}`, error)
}
