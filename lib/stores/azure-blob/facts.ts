import { randomUUID } from 'node:crypto'
import type { ContainerGetPropertiesResponse } from '@azure/storage-blob'
import { ms, spent } from '../../plan/durations.ts'
import { PROBE } from '../paths.ts'
import { type LockFacts, StoreError, type StoreFacts } from '../store.ts'
import type { Connection, Container } from './client.ts'
import { faultOf, kindOf } from './faults.ts'

/** Looks at the container and really writes a blob twice; says what it met instead of throwing. */
export async function facts(name: string, container: Container, abortSignal: AbortSignal): Promise<StoreFacts> {
  const connection = await container.connect()
  const known = () => ({ name, where: container.where, freeBytes: null, skewMs: connection.skewMs(), conditional: false })
  let lock: LockFacts
  try {
    lock = lockFacts(container, await connection.client.getProperties({ abortSignal }))
  } catch (error) {
    abortSignal.throwIfAborted()
    return { ...known(), ...unusable(faultOf(error, container.where, connection.skewMs()), container, connection.skewMs()) }
  }
  try {
    return { ...known(), lock, ...(await tryWriting(container, connection, abortSignal)) }
  } catch (error) {
    abortSignal.throwIfAborted()
    const found = unusable(faultOf(error, container.where, connection.skewMs()), container, connection.skewMs())
    return { ...known(), lock, ...found, ...(kindOf(error) === 'denied' ? { state: 'read-only' } : {}) }
  }
}

async function tryWriting(container: Container, { client }: Connection, abortSignal: AbortSignal) {
  const blob = client.getBlockBlobClient(container.key(`${PROBE}${randomUUID()}`))
  const put = () => blob.upload('probe', 5, { conditions: { ifNoneMatch: '*' }, abortSignal })
  await put()
  const second = await put().then(
    () => null,
    (error: unknown) => error,
  )
  const removed = await blob.delete().then(
    () => null,
    (error: unknown) => error,
  )
  if (second !== null && kindOf(second) !== 'exists') throw second
  if (second === null)
    return {
      state: 'writable' as const,
      because: 'it overwrites objects although it was asked not to (If-None-Match)',
      mend: 'use a server that honours conditional writes',
    }
  if (removed === null) return { state: 'writable' as const, conditional: true }
  const refusal = faultOf(removed, container.where)
  const because = `objects cannot be removed: ${refusal instanceof Error ? refusal.message : String(refusal)}`
  if (kindOf(removed) !== 'denied') return { state: 'writable' as const, conditional: true, because }
  // What cannot be removed cannot be replaced either, and leases have to.
  const mend = 'use version-level immutability and the option immutable in place of a policy or hold on the container: leases have to change'
  return { state: 'read-only' as const, conditional: true, because, mend }
}

/** What the container keeps from being removed. */
function lockFacts({ options, name }: Container, found: ContainerGetPropertiesResponse): LockFacts {
  const asked = options.immutable !== undefined
  if (found.hasLegalHold) return { mode: 'legal hold', asked, says: 'a legal hold keeps every object until it is taken off' }
  if (found.hasImmutabilityPolicy) return { mode: 'compliance', asked, says: 'a policy of the container keeps every object for its time' }
  if (found.isImmutableStorageWithVersioningEnabled && options.immutable)
    return { mode: 'compliance', asked, says: `every object is locked for ${spent(ms(options.immutable))}; nobody can shorten that` }
  if (!asked) return { mode: 'none', asked, says: 'objects can be removed at any time' }
  return {
    mode: 'none',
    asked,
    says: 'it cannot lock objects: the container has no version-level immutability (Azurite has none at all)',
    mend: `az storage container-rm migrate-vlw --storage-account ${options.account} --name ${name}`,
  }
}

function unusable(met: unknown, container: Container, skewMs: number | null): Pick<StoreFacts, 'state' | 'because' | 'mend'> {
  if (!(met instanceof StoreError)) throw met
  const because = met.message
  const { account } = container.options
  if (met.fault === 'missing')
    return { state: 'missing', because, mend: `az storage container create --account-name ${account} --name ${container.name}` }
  if (met.fault === 'clock') {
    const off = skewMs === null ? '' : `; it is ${spent(Math.abs(skewMs))} ${skewMs > 0 ? 'ahead' : 'behind'}`
    return { state: 'denied', because: because + off, mend: 'timedatectl set-ntp true' }
  }
  if (met.fault === 'denied') return { state: 'denied', because, mend: `check the key: az storage account keys list --account-name ${account}` }
  if (met.fault === 'full') return { state: 'read-only', because, mend: 'make room on the server, or raise the quota' }
  return { state: 'unreachable', because }
}
