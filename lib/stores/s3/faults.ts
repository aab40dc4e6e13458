import { redact } from '../../plan/secrets.ts'
import { StoreError, type StoreFault } from '../store.ts'

const BY_NAME: Readonly<Record<string, StoreFault>> = {
  NoSuchKey: 'missing',
  NotFound: 'missing',
  NoSuchBucket: 'missing',
  NoSuchUpload: 'missing',
  PreconditionFailed: 'exists',
  ConditionalRequestConflict: 'exists',
  AccessDenied: 'denied',
  InvalidAccessKeyId: 'denied',
  SignatureDoesNotMatch: 'denied',
  ExpiredToken: 'denied',
  InvalidToken: 'denied',
  AccountProblem: 'denied',
  RequestTimeTooSkewed: 'clock',
  RequestExpired: 'clock',
  XMinioStorageFull: 'full',
  XMinioAdminBucketQuotaExceeded: 'full',
  QuotaExceeded: 'full',
  InsufficientStorage: 'full',
  TimeoutError: 'unreachable',
  SlowDown: 'unreachable',
  ServiceUnavailable: 'unreachable',
  InternalError: 'unreachable',
  RequestTimeout: 'unreachable',
}

const BY_STATUS: Readonly<Record<number, StoreFault>> = { 401: 'denied', 403: 'denied', 404: 'missing', 409: 'exists', 412: 'exists', 507: 'full' }

/** System calls and TLS; what they say is that no answer came, or only a part of one. */
const NO_ANSWER =
  /^(E(CONN|HOST|NET|PIPE|TIMEDOUT|AI_|PROTO|ADDRNOTAVAIL)|ENOTFOUND|ERR_(SSL|TLS|STREAM_PREMATURE_CLOSE)|CERT_|DEPTH_|SELF_SIGNED|UNABLE_TO)/

const SAYS: Readonly<Record<StoreFault, string>> = {
  missing: 'is not there',
  exists: 'is there already; nothing is overwritten',
  full: 'has no room left',
  'read-only': 'is read-only',
  denied: 'denied the request',
  unreachable: 'does not answer',
  clock: "says that this machine's clock is wrong",
  conflict: 'was changed by somebody else',
  broken: 'failed',
}

const field = (error: object, name: string): unknown => (name in error ? (error as Record<string, unknown>)[name] : undefined)

/** HTTP status of a refused request; undefined when no answer came. */
export function statusOf(error: unknown): number | undefined {
  const metadata = error instanceof Error ? field(error, '$metadata') : undefined
  const status = typeof metadata === 'object' && metadata !== null ? field(metadata, 'httpStatusCode') : undefined
  return typeof status === 'number' ? status : undefined
}

/** What kind of fault an error of the SDK is; undefined for one that is not the store's doing. */
export function kindOf(error: unknown): StoreFault | undefined {
  if (!(error instanceof Error)) return undefined
  if (error instanceof StoreError) return error.fault
  const named = BY_NAME[error.name]
  if (named) return named
  const status = statusOf(error)
  const code = field(error, 'code')
  if ((typeof code === 'string' && NO_ANSWER.test(code)) || /socket hang up|aborted$/.test(error.message)) return 'unreachable'
  if (status === undefined) return field(error, '$fault') ? 'broken' : undefined
  if (status >= 500 && status !== 507) return 'unreachable'
  return BY_STATUS[status] ?? 'broken'
}

/** An error of the SDK as a StoreError about `what` (an address, or `where` and a path); a foreign error stays what it is. */
export function faultOf(error: unknown, what: string): unknown {
  const kind = kindOf(error)
  if (error instanceof StoreError || kind === undefined || !(error instanceof Error)) return error
  const metadata = field(error, '$metadata')
  const attempts = typeof metadata === 'object' && metadata !== null ? field(metadata, 'attempts') : undefined
  const tries = kind === 'unreachable' && typeof attempts === 'number' && attempts > 1 ? `, ${attempts} tries` : ''
  // HEAD answers have no body, so that only the status says what happened.
  const said = error.message === '' || error.message === 'UnknownError' ? `HTTP ${statusOf(error) ?? 'without status'}` : error.message
  const subject = error.name === 'NoSuchBucket' ? `the bucket of ${what}` : what
  return new StoreError(kind, redact(`${subject} ${SAYS[kind]} (${error.name}: ${said}${tries})`), error)
}

/** Sends requests and turns their failures into StoreErrors about `what`. */
export async function asking<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw faultOf(error, what)
  }
}
