import type { ServicePlace } from '../../exec/place.ts'
import type { Secret } from '../../plan/secrets.ts'

/** What a team writes of one MongoDB database. */
export type MongodbOptions = {
  /** `mongodb://user:password@host:27017/?authSource=admin`, as the driver takes it. */
  readonly uri: Secret
  /** The service that the tools run in, where the server publishes no port; the address is then as seen from inside, of one server. */
  readonly in?: ServicePlace
  /** The database, alone: two databases are two parts, as each is loaded and swapped by itself. */
  readonly databases: readonly string[]
  /** Collections without which a dump is refused. */
  readonly collections?: { readonly expected?: readonly string[] }
  /** Address of a server that drills load into, reached from this machine; by default the same server, in the database `<database>__drill_<run>`. */
  readonly scratch?: Secret
  /**
   * Dumps the whole server at one moment, with its oplog; only for a replica set. Such a dump cannot be loaded under other names
   * (`--oplogReplay` refuses `--nsFrom`), so it is restored by hand into an empty server, and neither drilled nor swapped.
   */
  readonly oplog?: boolean
  /** Folder of mongodump and mongorestore, where they are not on PATH. */
  readonly bin?: string
}

/** A server and the way to it: by its address, or through the service in which that address means something. */
export type Reach = { readonly uri: Secret; readonly within: ServicePlace | undefined }

/** The same, checked, as the rooms of this folder use it. */
export type Site = {
  readonly name: string
  readonly where: string
  readonly live: Reach
  readonly database: string
  readonly expected: readonly string[]
  readonly scratch: Reach
  readonly bin: string | undefined
  readonly oplog: boolean
}
