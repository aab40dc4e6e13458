import { closeSync, constants, openSync, unlinkSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Secret } from '../plan/secrets.ts'

/**
 * A descriptor from which a child can read a secret, also through /dev/fd: a nameless file of mode 0600, in memory where the system has /dev/shm.
 * Node's own extra pipes are sockets, which /dev/fd cannot open. The caller closes it once the child has been started.
 */
export function secretFile(secret: Secret): number {
  const descriptor = nameless('/dev/shm') ?? nameless(tmpdir())
  if (descriptor === undefined) throw new Error(`no folder for a temporary file: neither /dev/shm nor ${tmpdir()} can be written`)
  try {
    const bytes = Buffer.from(secret.reveal())
    // By position, so that the child, who shares the offset, reads from the start.
    for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at, bytes.length - at, at)
    return descriptor
  } catch (cause) {
    closeSync(descriptor)
    throw cause
  }
}

/** The name is gone before the first byte is written. */
function nameless(folder: string): number | undefined {
  const path = join(folder, `.${process.pid}-${crypto.randomUUID()}`)
  try {
    const descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600)
    unlinkSync(path)
    return descriptor
  } catch {
    return undefined
  }
}
