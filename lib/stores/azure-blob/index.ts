import { checkPath } from '../paths.ts'
import type { Store } from '../store.ts'
import { cell } from './cell.ts'
import { type AzureOptions, containerOf } from './client.ts'
import { download } from './download.ts'
import { facts } from './facts.ts'
import { asking, codeOf, kindOf } from './faults.ts'
import { clear, leftovers, list } from './listing.ts'
import { DISCARDED } from './remains.ts'
import { upload } from './upload.ts'

/** A container of Azure Blob Storage. The SDK is loaded on the first call. */
export function azureBlob(options: AzureOptions): Store {
  const container = containerOf(options)
  const name = options.name ?? 'azure-blob'
  const below = (prefix: string) => (prefix === '' ? '' : checkPath(prefix))
  const blob = async (path: string) => (await container.connect()).client.getBlobClient(container.key(checkPath(path)))
  const what = (path: string) => `${path} in ${container.where}`

  const head: Store['head'] = async path => {
    try {
      const found = await (await blob(path)).getProperties()
      if (found.contentType === DISCARDED && found.contentLength === 0) return null
      const until = found.immutabilityPolicyExpiresOn?.toISOString()
      const modified = (found.lastModified ?? new Date(0)).toISOString()
      return { bytes: found.contentLength ?? 0, modified, ...(until ? { lockedUntil: until } : {}) }
    } catch (error) {
      if (kindOf(error) === 'missing' && codeOf(error) !== 'ContainerNotFound') return null
      throw error
    }
  }

  return {
    name,
    where: container.where,
    facts: doing => facts(name, container, doing.signal),
    put: async (path, body, doing, about) => upload(container, checkPath(path), body, doing.signal, about),
    get: (path, doing, range) => download(container, checkPath(path), doing.signal, range),
    head: path => asking(container, what(path), () => head(path)),
    list: prefix => asking(container, container.where, () => list(container, below(prefix))),
    remove: path =>
      asking(container, what(path), async () => {
        await (await blob(path)).deleteIfExists()
      }),
    leftovers: (prefix, olderThanMs) => asking(container, container.where, () => leftovers(container, below(prefix), olderThanMs)),
    clear: leftover => asking(container, what(leftover.path), () => clear(container, leftover)),
    cell: path => cell(container, checkPath(path)),
  }
}
