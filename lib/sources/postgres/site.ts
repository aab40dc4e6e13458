import type { ServicePlace } from '../../exec/place.ts'
import { Trouble } from '../../plan/outcome.ts'
import type { Secret } from '../../plan/secrets.ts'
import { parsedUrl, type Server } from './address.ts'

/** What a team writes of one PostgreSQL database: its address as `url`, or in pieces. */
export type PostgresOptions = {
  /** `postgres://user:password@host:5432/`; `sslmode` and the like as in libpq. */
  readonly url?: Secret
  readonly host?: string
  readonly port?: number
  readonly user?: string
  readonly password?: Secret
  /** The database, alone: two databases are two parts. */
  readonly database: string
  /** The service that the tools run in, where the server publishes no port; the address is then as seen from inside, by default its own local socket. */
  readonly in?: ServicePlace
  /** Address of a throw-away server that drills load into, reached from this machine; by default the same server, in the database `<database>__drill_<run>`. */
  readonly scratch?: Secret
  /** Folder of psql, pg_dump, pg_dumpall and pg_restore, where they are not on PATH. */
  readonly bin?: string
  /** How long a dump waits for a table that somebody has locked, in milliseconds; 30 s unless told otherwise. */
  readonly lockWaitMs?: number
  /** Database to connect to for work on databases as a whole, by default `postgres`. */
  readonly maintenance?: string
}

/** The same, checked, as the rooms of this folder use it. */
export type Site = {
  readonly name: string
  readonly where: string
  readonly database: string
  readonly maintenance: string
  readonly lockWaitMs: number
  readonly live: Server
  readonly scratch: Server
}

/** The server that an address names; throws Trouble(2) for one that cannot be. */
export function serverOf(name: string, options: Omit<PostgresOptions, 'database'>): Server {
  const { url, host, port, user, password, bin } = options
  if (url !== undefined && [host, port, user, password].some(value => value !== undefined)) {
    throw new Trouble(2, `${name} has an address twice.`, { next: ['write either url, or host, port, user and password'] })
  }
  const reached = url ? parsedUrl(url) : { host, port, user, password, more: {} }
  return { ...reached, setting: url?.name ?? password?.name ?? name, within: options.in, bin }
}
