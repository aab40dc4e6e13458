import { readdirSync, readFileSync } from 'node:fs'
import { type Host, type SshOptions, sshHost } from '../../lib/exec/host.ts'
import type { Command } from '../../lib/exec/process.ts'
import type { Sshd } from '../testbed/index.ts'
import { sh } from './doing.ts'

/** How a server of the testbed is reached. */
export function reach(server: Sshd, other: Partial<SshOptions> = {}): SshOptions {
  return { user: server.user, host: '127.0.0.1', port: server.port, keyFile: server.keyFile, knownHosts: server.knownHosts, ...other }
}

/** A host behind a server of the testbed. */
export const hostOf = (server: Sshd, other: Partial<SshOptions> = {}) => sshHost(reach(server, other))

/** Every process of this machine whose words hold a text, this one aside. */
export function withWords(text: string): number[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter(name => readOr(`/proc/${name}/cmdline`).includes(text))
    .map(Number)
}

/** The private folders of connections that a process has, or had. */
export function foldersOf(pid: number): string[] {
  return readdirSync('/dev/shm').filter(name => name.startsWith(`runbooks-ssh-${pid}-`))
}

export function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

/** What a promise is refused with. */
export async function refusal(work: Promise<unknown>): Promise<Error & { exit?: number; next?: readonly string[]; look?: readonly string[] }> {
  try {
    await work
  } catch (error) {
    return error as Error
  }
  throw new Error('it was not refused')
}

/** Long commands that heed nothing: without input, with input that has ended, and one that ignores SIGTERM. */
export const lasting = (host: Host, of: string): [Command, { input?: string }][] => [
  [host.on(sh('sleep 600 & wait', of)), {}],
  [host.on(sh('sleep 600 & wait', of), { input: true }), { input: 'x' }],
  [host.on(sh("trap '' TERM; sleep 600 & wait; sleep 600", of)), {}],
]
