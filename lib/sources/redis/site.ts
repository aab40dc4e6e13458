import type { ServicePlace } from '../../exec/place.ts'
import { Trouble } from '../../plan/outcome.ts'
import type { Secret } from '../../plan/secrets.ts'
import { parsedUrl, type Server, USUAL_PORT } from './address.ts'

/** What a team writes of one Redis server, all of its databases: its address as `url`, or in pieces. */
export type RedisOptions = {
  /** `redis://user:password@host:6379`, or `rediss://` for TLS; a database in it counts for nothing. */
  readonly url?: Secret
  readonly host?: string
  readonly port?: number
  readonly user?: string
  readonly password?: Secret
  /** The service that redis-cli runs in, where the server publishes no port; the address is then as seen from inside. */
  readonly in?: ServicePlace
  /** Address of a server that drills load into, by default a throw-away redis-server on this machine. */
  readonly scratch?: Secret
  /** Folder of redis-cli and redis-server, where they are not on PATH. */
  readonly bin?: string
}

/** The same, checked, as the rooms of this folder use it. */
export type Site = {
  readonly name: string
  readonly where: string
  readonly live: Server
  /** Undefined for a throw-away server on this machine. */
  readonly scratch: Server | undefined
  readonly bin: string | undefined
}

/** The server that an address names; throws Trouble(2) for one that cannot be. */
export function serverOf(name: string, { url, host, port, user, password, bin, in: within }: RedisOptions): Server {
  if (url !== undefined && [host, port, user, password].some(value => value !== undefined)) {
    throw new Trouble(2, `${name} has an address twice.`, { next: ['write either url, or host, port, user and password'] })
  }
  const reached = url ? parsedUrl(url) : { host: host ?? '127.0.0.1', port: port ?? USUAL_PORT, tls: false, user, password }
  return { ...reached, setting: url?.name ?? password?.name ?? name, socket: undefined, within, bin }
}
