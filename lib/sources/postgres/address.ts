import type { ServicePlace } from '../../exec/place.ts'
import { Trouble } from '../../plan/outcome.ts'
import { Secret } from '../../plan/secrets.ts'

/** How a server is reached, without a database. Values are libpq's own; what is absent is left to libpq. */
export type Server = {
  /** Setting that the address came from, as messages name it. */
  readonly setting: string
  readonly host: string | undefined
  readonly port: number | undefined
  readonly user: string | undefined
  readonly password: Secret | undefined
  readonly more: Readonly<Record<string, string>>
  readonly within: ServicePlace | undefined
  readonly bin: string | undefined
}

type Reached = Pick<Server, 'host' | 'port' | 'user' | 'password' | 'more'>

/** Options of an address that are libpq's; frameworks add their own (`schema`, `connection_limit`), which libpq refuses. */
const LIBPQ = new Set([
  'sslmode',
  'sslrootcert',
  'sslcert',
  'sslkey',
  'sslcrl',
  'channel_binding',
  'gssencmode',
  'krbsrvname',
  'target_session_attrs',
])

/** Reads `postgres://user:password@host:5432/database?sslmode=require`; throws Trouble(2) for anything else. The database in it counts for nothing here. */
export function parsedUrl(url: Secret): Reached {
  let parsed: URL
  try {
    parsed = new URL(url.reveal().trim())
    if (!/^postgres(ql)?:$/.test(parsed.protocol)) throw new TypeError(parsed.protocol)
    // A list of servers is libpq's; which of them would be dumped, and which restored, is not left to chance.
    if (parsed.host.includes(',')) throw new TypeError('several hosts')
    const password = parsed.password === '' ? undefined : new Secret(`password of ${url.name}`, decodeURIComponent(parsed.password))
    const options = [...parsed.searchParams]
    const found = (name: string) => options.find(([key]) => key === name)?.[1]
    return {
      host: decodeURIComponent(parsed.hostname).replace(/^\[|\]$/g, '') || found('host'),
      port: parsed.port === '' ? undefined : Number(parsed.port),
      user: parsed.username === '' ? undefined : decodeURIComponent(parsed.username),
      password,
      more: Object.fromEntries(options.filter(([name]) => LIBPQ.has(name))),
    }
  } catch {
    const next = `Write ${url.name} as postgres://user:password@host:5432/; in user and password, write @ : / ? # % and spaces as %40 and so on.`
    throw new Trouble(2, `${url.name} is not the address of one PostgreSQL server.`, { next: [next] })
  }
}

/** How long a server may take to be found before it counts as unreachable, in seconds; an operator waits for this at every question. */
const CONNECT_S = 4

/** libpq's connection text, for `--dbname`; the password is never in it. */
export function conninfo(server: Server, database: string, more: Readonly<Record<string, string>> = {}): string {
  const { host, port, user } = server
  const passfile = server.password && !server.within ? { passfile: '/dev/fd/3' } : {}
  const all = { host, port, user, dbname: database, connect_timeout: CONNECT_S, ...server.more, ...passfile, ...more }
  return Object.entries(all)
    .flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${quoted(String(value))}`]))
    .join(' ')
}

function quoted(value: string): string {
  return /^[\w.:/-]+$/.test(value) ? value : `'${value.replace(/[\\']/g, '\\$&')}'`
}

/** What a 0600 password file holds for any server that is asked; throws Trouble(2) for a password that such a file cannot hold. */
export function passwordFile(password: Secret): Secret {
  const value = password.reveal()
  if (/[\r\n]/.test(value)) throw new Trouble(2, `${password.name} has a line break, which a password of PostgreSQL's tools cannot have.`)
  return new Secret(`${password.name} as a PGPASSFILE`, `*:*:*:*:${value.replace(/[\\:]/g, '\\$&')}\n`)
}

/** Address without user and password: `postgres://127.0.0.1:5432/shop`, in front of it the service that it is seen from. */
export function whereOf({ host, port, within }: Pick<Server, 'host' | 'port' | 'within'>, place: string, database: string): string {
  const address = `postgres://${host === undefined ? 'local' : host.includes(':') ? `[${host}]` : host}${port === undefined ? '' : `:${port}`}/${database}`
  return within ? `${place} ${address}` : address
}

/**
 * An application's address of one database with another one in its place: on the server that it names, or on a throw-away one. The words of its
 * framework (`?schema=…`) stay. Undefined for what is no address of that database.
 */
export function copyFor(address: string, database: string, copy: string, throwAway?: Secret): string | undefined {
  try {
    const parsed = new URL(address.trim())
    if (!/^postgres(ql)?:$/.test(parsed.protocol) || decodeURIComponent(parsed.pathname.slice(1)) !== database) return undefined
    const reached = throwAway ? new URL(throwAway.reveal().trim()) : parsed
    reached.pathname = `/${encodeURIComponent(copy)}`
    for (const [name, value] of parsed.searchParams) reached.searchParams.set(name, value)
    // A database that is named twice is found by the second name.
    for (const name of ['dbname', 'database']) reached.searchParams.delete(name)
    return reached.href
  } catch {
    return undefined
  }
}
