import { accessSync, constants, lstatSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Secret } from '../plan/secrets.ts'
import { startedOf } from './proc.ts'
import { isAlive } from './survivors.ts'

const PREFIX = 'runbooks-ssh-'

/** A name for the private folder of a connection, short enough for a socket in it (108 bytes, unix(7)); in memory where the system has /dev/shm. */
export function folderName(): string {
  return join(base(), `${PREFIX}${process.pid}-${startedOf(process.pid) || 0}-${crypto.randomUUID().slice(0, 8)}`)
}

/** What stands in the private folder of a connection. */
export const inFolder = (folder: string) => ({ socket: join(folder, 's'), key: join(folder, 'key'), hosts: join(folder, 'hosts') })

/** Makes the folder (0700) with the key and the known hosts (0600) that are given as text, and removes those that dead processes left. */
export function makeFolder(folder: string, text: { readonly key?: Secret | undefined; readonly hosts?: string | undefined }): void {
  removeStale()
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { mode: 0o700 })
  const { key, hosts } = inFolder(folder)
  // ssh reads no key whose last line does not end.
  if (text.key) writeFileSync(key, `${text.key.reveal().trimEnd()}\n`, { mode: 0o600 })
  if (text.hosts !== undefined) writeFileSync(hosts, `${text.hosts.trimEnd()}\n`, { mode: 0o600 })
}

function base(): string {
  try {
    accessSync('/dev/shm', constants.W_OK | constants.X_OK)
    return '/dev/shm'
  } catch {
    // macOS names a temporary folder that is too long for a socket.
    return tmpdir().length > 50 ? '/tmp' : tmpdir()
  }
}

function removeStale(): void {
  for (const name of readdirSync(base())) {
    const [, pid, started] = new RegExp(`^${PREFIX}(\\d+)-(\\d+)-`).exec(name) ?? []
    if (pid === undefined || started === undefined) continue
    const path = join(base(), name)
    const found = lstatSync(path, { throwIfNoEntry: false })
    if (!found?.isDirectory() || found.uid !== process.getuid?.()) continue
    if (!isAlive({ pid: Number(pid), started: started === '0' ? '' : started, boot: '' })) rmSync(path, { recursive: true, force: true })
  }
}
