import type { ServicePlace } from '../../exec/place.ts'
import { Trouble } from '../../plan/outcome.ts'
import { Secret } from '../../plan/secrets.ts'

/** How a server is reached. */
export type Server = {
  /** Setting that the address came from, as messages name it. */
  readonly setting: string
  readonly host: string
  readonly port: number
  readonly tls: boolean
  readonly user: string | undefined
  readonly password: Secret | undefined
  /** A socket of this machine, instead of host and port. */
  readonly socket: string | undefined
  readonly within: ServicePlace | undefined
  readonly bin: string | undefined
}

/** The port that Redis listens on unless told otherwise. */
export const USUAL_PORT = 6379

type Reached = Pick<Server, 'host' | 'port' | 'tls' | 'user' | 'password'>

/** Reads `redis://user:password@host:6379` or `rediss://…`; throws Trouble(2) for anything else. */
export function parsedUrl(url: Secret): Reached {
  try {
    const parsed = new URL(url.reveal().trim())
    // In a password with a raw @ or /, a piece of it would pass for the host, and be shown.
    const rest = /^\/?\d*$/.test(parsed.pathname) && !`${parsed.search}${parsed.hash}`.includes('@')
    if (!/^rediss?:$/.test(parsed.protocol) || parsed.hostname === '' || !rest) throw new TypeError(parsed.protocol)
    return {
      host: decodeURIComponent(parsed.hostname).replace(/^\[|\]$/g, ''),
      port: parsed.port === '' ? USUAL_PORT : Number(parsed.port),
      tls: parsed.protocol === 'rediss:',
      user: parsed.username === '' ? undefined : decodeURIComponent(parsed.username),
      password: parsed.password === '' ? undefined : new Secret(`password of ${url.name}`, decodeURIComponent(parsed.password)),
    }
  } catch {
    const next = `Write ${url.name} as redis://user:password@host:6379; in user and password, write @ : / ? # % and spaces as %40 and so on.`
    throw new Trouble(2, `${url.name} is not the address of one Redis server.`, { next: [next] })
  }
}

/** Address without user and password: `redis://127.0.0.1:6379`, in front of it the service that it is seen from. */
export function whereOf({ host, port, tls }: Pick<Server, 'host' | 'port' | 'tls'>, place: string): string {
  const address = `${tls ? 'rediss' : 'redis'}://${host.includes(':') ? `[${host}]` : host}:${port}`
  return place === '' ? address : `${place} ${address}`
}
