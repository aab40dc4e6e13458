import { redact } from '../../plan/secrets.ts'
import { StoreError, type StoreFault } from '../store.ts'
import type { Container } from './client.ts'

/** Azure refuses requests whose time is further off than this. */
const SKEW_ALLOWED_MS = 15 * 60_000

const BY_CODE: Readonly<Record<string, StoreFault>> = {
  BlobAlreadyExists: 'exists',
  ConditionNotMet: 'exists',
  UnauthorizedBlobOverwrite: 'exists',
  BlobNotFound: 'missing',
  ContainerNotFound: 'missing',
  ContainerBeingDeleted: 'missing',
  ResourceNotFound: 'missing',
  BlobImmutableDueToPolicy: 'denied',
  BlobImmutableDueToLegalHold: 'denied',
  LeaseIdMissing: 'denied',
  LeaseIdMismatchWithBlobOperation: 'denied',
  LeaseAlreadyPresent: 'denied',
  InvalidBlockList: 'conflict',
  BlockCountExceedsLimit: 'full',
  RequestBodyTooLarge: 'full',
  AccountIsDisabled: 'denied',
  ServerBusy: 'unreachable',
  OperationTimedOut: 'unreachable',
  InternalError: 'unreachable',
}

const BY_STATUS: Readonly<Record<number, StoreFault>> = { 401: 'denied', 403: 'denied', 404: 'missing', 412: 'exists', 413: 'full', 507: 'full' }

const SAYS: Readonly<Record<StoreFault, string>> = {
  missing: 'is not there',
  exists: 'is there already; nothing is overwritten',
  full: 'has no room left',
  'read-only': 'is read-only',
  denied: 'denied the request',
  unreachable: 'does not answer',
  clock: "says that this machine's clock is wrong",
  conflict: 'lost its blocks to another upload of the same name',
  broken: 'failed',
}

const field = (error: object, name: string): unknown => (name in error ? (error as Record<string, unknown>)[name] : undefined)

/** HTTP status of a refused request; undefined when no answer came. */
export function statusOf(error: unknown): number | undefined {
  const status = error instanceof Error ? field(error, 'statusCode') : undefined
  return typeof status === 'number' ? status : undefined
}

/** Azure's word for a refusal (`BlobNotFound`), or the system's for a request without an answer (`ECONNREFUSED`). */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  // Answers to HEAD have no body, only a header.
  const details = field(error, 'details')
  const code = field(error, 'code') ?? (typeof details === 'object' && details !== null ? field(details, 'errorCode') : undefined)
  return typeof code === 'string' ? code : undefined
}

/** What kind of fault an error of the SDK is; undefined for one that is not the store's doing. */
export function kindOf(error: unknown): StoreFault | undefined {
  if (!(error instanceof Error)) return undefined
  if (error instanceof StoreError) return error.fault
  // A request that took longer than it may is aborted like one that we stop ourselves.
  if (error.name === 'AbortError' && !('run' in error)) return 'unreachable'
  if (error.name !== 'RestError') return undefined
  const status = statusOf(error)
  const code = codeOf(error)
  if (code !== undefined && BY_CODE[code]) return BY_CODE[code]
  if (code === 'PARSE_ERROR') return /aborted|ECONNRESET|Unclosed/.test(error.message) ? 'unreachable' : 'broken'
  // Without a status no answer came, or only a part of one.
  if (status === undefined) return 'unreachable'
  if (status >= 500 && status !== 501 && status !== 507) return 'unreachable'
  return BY_STATUS[status] ?? 'broken'
}

/** An error of the SDK as a StoreError about `what` (an address, or `where` and a path); a foreign error stays what it is. */
export function faultOf(error: unknown, what: string, skewMs: number | null = null): unknown {
  const kind = kindOf(error)
  if (error instanceof StoreError || kind === undefined || !(error instanceof Error)) return error
  const code = codeOf(error)
  const late = code === 'AuthenticationFailed' && Math.abs(skewMs ?? 0) > SKEW_ALLOWED_MS
  const fault = late ? 'clock' : kind
  // Azure's messages go on with the request's number and time.
  const said = error.message.split('\n')[0] || `HTTP ${statusOf(error) ?? 'without status'}`
  const subject = code === 'ContainerNotFound' ? `the container of ${what}` : what
  const cause = code && !said.startsWith(code) ? `${code}: ${said}` : said
  return new StoreError(fault, redact(`${subject} ${reasonOf(code) ?? SAYS[fault]} (${cause})`), error)
}

/** Refusals that need other words than their kind. */
function reasonOf(code: string | undefined): string | undefined {
  if (code === 'BlobImmutableDueToPolicy') return 'is locked by an immutability policy, and stays until its time is over'
  if (code === 'BlobImmutableDueToLegalHold') return 'is locked by a legal hold, and stays until it is taken off'
  if (code?.startsWith('Lease')) return 'is held by an Azure lease; az storage blob lease break ends it'
  return undefined
}

/** Sends requests to a container and turns their failures into StoreErrors about `what`. */
export async function asking<T>(container: Container, what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw faultOf(error, what, (await container.connect()).skewMs())
  }
}
