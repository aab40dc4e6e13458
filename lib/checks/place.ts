import { type Host, sshAddress, sshHost } from '../exec/host.ts'
import { type ComposeService, inService } from '../exec/place.ts'
import type { Command } from '../exec/process.ts'
import type { Secret } from '../plan/secrets.ts'

/** The machine that is looked at: this one, or one behind ssh. */
export type Machine = {
  /** `ssh://deploy@shop`; this machine unless said. */
  readonly host?: string
  /** Text of a private key. */
  readonly key?: Secret
  /** The only host keys that are trusted: lines of a known_hosts file, or the path of one. */
  readonly knownHosts?: string
}

/** Where a figure of a machine is read: on it, or inside a service that runs on it. */
export type Where = Machine & { readonly in?: ComposeService }

/** Turns a command into the one that runs there. */
type Runs = (command: Command) => Command

type Shared = { readonly host: Host; users: number }

const shared = new Map<string, Shared>()

/**
 * Works on a machine and lets it go. Who works on the same one at the same time shares its connection.
 * Running what `on` gives may throw Trouble: 3 for a key that is refused, 8 for a host that cannot be reached.
 */
export async function onMachine<T>(machine: Machine, work: (on: Runs) => Promise<T>): Promise<T> {
  if (machine.host === undefined) return work(command => command)
  const name = JSON.stringify([machine.host, machine.key?.name, machine.knownHosts])
  const one = shared.get(name) ?? { host: opened(machine, machine.host), users: 0 }
  shared.set(name, one)
  one.users += 1
  try {
    return await work(command => one.host.on(command))
  } finally {
    one.users -= 1
    if (one.users === 0) {
      shared.delete(name)
      await one.host.close()
    }
  }
}

function opened({ key, knownHosts }: Machine, address: string): Host {
  return sshHost({ ...sshAddress(address), ...(key ? { key } : {}), ...(knownHosts ? { knownHosts } : {}) })
}

/** Whether a figure is read by a command at all; here Node reads it itself. */
export const isElsewhere = ({ host, in: service }: Where): boolean => host !== undefined || service !== undefined

/** A command as it runs in the service, where there is one. */
export const within = ({ in: service }: Where, command: Command): Command => (service ? inService(service, command, { input: false }) : command)

/** What a name says of a place: `shop api:`, '' for here. */
export function saidOf({ host, in: service }: Where): string {
  return [...(host ? [URL.parse(host)?.host ?? host] : []), ...(service ? [service.service] : [])].map(part => `${part}:`).join('')
}
