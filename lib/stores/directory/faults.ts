import { redact } from '../../plan/secrets.ts'
import { StoreError, type StoreFault } from '../store.ts'

const FAULTS: Readonly<Record<string, StoreFault>> = {
  ENOENT: 'missing',
  EEXIST: 'exists',
  ENOSPC: 'full',
  EDQUOT: 'full',
  EROFS: 'read-only',
  EACCES: 'denied',
  EPERM: 'denied',
  // What a network filesystem says when its server is gone.
  ESTALE: 'unreachable',
  ETIMEDOUT: 'unreachable',
  ENOTCONN: 'unreachable',
  EHOSTDOWN: 'unreachable',
  EHOSTUNREACH: 'unreachable',
}

const SAYS: Readonly<Record<StoreFault, string>> = {
  missing: 'is not there',
  exists: 'is there already',
  full: 'has no room left',
  'read-only': 'is on a read-only filesystem',
  denied: 'may not be touched by this user',
  unreachable: 'does not answer',
  clock: 'has another time',
  conflict: 'was changed by somebody else',
  broken: 'failed',
}

/** The error code of a failed system call, `ENOENT`; undefined for any other error. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

/** A failed system call as a StoreError that names the file; other errors stay what they are. */
export function faultOf(error: unknown, file: string): unknown {
  const code = codeOf(error)
  if (error instanceof StoreError || code === undefined || !(error instanceof Error)) return error
  const fault = FAULTS[code] ?? 'broken'
  return new StoreError(fault, redact(`${file} ${SAYS[fault]} (${error.message})`), error)
}

/** Runs system calls and turns their failures into StoreErrors about `file`. */
export async function calling<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw faultOf(error, file)
  }
}

/** The value, or undefined when a system call failed with one of these codes. */
export async function unless<T>(codes: readonly string[], work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if (codes.includes(codeOf(error) ?? '')) return undefined
    throw error
  }
}
