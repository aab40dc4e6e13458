import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { checkServerIdentity, connect, type PeerCertificate } from 'node:tls'
import { type Duration, ms, plural, spent } from '../plan/durations.ts'
import type { Check, Look } from './check.ts'
import { certificateFault, faultOf } from './reach.ts'

/** What a team writes of a certificate that is served. */
export type TlsOptions = {
  readonly name?: string
  readonly host: string
  readonly port?: number
  /** Names that the certificate must be for; `host` unless said. The first is the one that is asked for. */
  readonly names?: readonly string[]
  /** The part of its lifetime that must be left; 0.25 unless said, which is right for 90-day and for 6-day certificates alike. */
  readonly remaining?: number
  /** Time that must be left besides. */
  readonly left?: Duration
  /** File with the certificate (PEM) of the only authority that is trusted for it. */
  readonly ca?: string
}

/** A certificate as it came over the wire. */
export type Served = {
  /** ISO 8601. */
  readonly from: string
  readonly to: string
  readonly issuer: string
  /** Wanted names that it is not for. */
  readonly strange: readonly string[]
  /** The names that it is for. */
  readonly names: string
  /** Code with which its chain is refused; null for a chain that leads to a trusted authority. */
  readonly refused: string | null
}

const HTTPS = 443
const QUARTER = 0.25
const PATIENCE_MS = 5_000
const MARGIN_MS = 1_000
const DAY_MS = 86_400_000

/** The certificate on the wire: its chain, its names, and the time that is left of it. */
export function tls(options: TlsOptions): Check {
  const { host, port = HTTPS, names = [host], remaining = QUARTER } = options
  const at = `${host}:${port}`
  return {
    name: options.name ?? `certificate of ${port === HTTPS ? host : at}`,
    kind: 'tls',
    limitMs: PATIENCE_MS + MARGIN_MS,
    async look({ signal }) {
      const ca = options.ca === undefined ? undefined : await readFile(options.ca, 'utf8')
      const served = await certificateAt({ host, port, names, ca }, signal)
      const look = [`openssl s_client -connect ${at} -servername ${names[0] ?? host} </dev/null | openssl x509 -noout -dates -ext subjectAltName`]
      if ('is' in served) return { ...served, says: `${at}: ${served.says}`, look }
      const found = tlsVerdict(served, { remaining, leftMs: options.left === undefined ? 0 : ms(options.left) })
      return found.is === 'healthy' ? found : { ...found, look }
    },
  }
}

/** The verdict on a certificate at a moment. */
export function tlsVerdict(served: Served, wanted: { readonly remaining: number; readonly leftMs: number }, nowMs = Date.now()): Look {
  const [from, to] = [Date.parse(served.from), Date.parse(served.to)]
  const leftMs = to - nowMs
  const share = leftMs / (to - from)
  const daysLeft = Math.floor(leftMs / DAY_MS)
  const percent = Math.floor(share * 100)
  const measured = { daysLeft, remainingPercent: percent, validFrom: served.from, validTo: served.to, issuer: served.issuer }
  const no = (says: string): Look => ({ is: 'unhealthy', says, measured })
  const until = served.to.slice(0, 10)
  if (nowMs < from) return no(`its certificate is not valid before ${served.from}`)
  if (leftMs <= 0) return no(`its certificate expired on ${until}, ${spent(-leftMs)} ago`)
  if (served.strange.length > 0) return no(`its certificate is not for ${served.strange.join(', ')}, but for ${served.names}`)
  if (served.refused !== null) return no(certificateFault(served.refused))
  const says = `${plural(daysLeft, 'day')} left (${percent} % of its lifetime, until ${until})`
  if (share < wanted.remaining) return no(`${says}: less than ${Math.round(wanted.remaining * 100)} %, so its renewal does not work`)
  if (leftMs < wanted.leftMs) return no(`${says}: less than ${plural(Math.round(wanted.leftMs / DAY_MS), 'day')}`)
  return { is: 'healthy', says, measured }
}

type Where = { readonly host: string; readonly port: number; readonly names: readonly string[]; readonly ca: string | undefined }

/** The certificate that is served, or what its absence says. Throws only the reason of the signal. */
function certificateAt({ host, port, names, ca }: Where, signal: AbortSignal): Promise<Served | Pick<Look, 'is' | 'says'>> {
  if (signal.aborted) return Promise.reject(signal.reason)
  return new Promise((resolve, reject) => {
    let connected = false
    const servername = names[0] ?? host
    // What is refused is to be read too, so that the cause can be said.
    const socket = connect({ host, port, rejectUnauthorized: false, ...(isIP(servername) ? {} : { servername }), ...(ca ? { ca } : {}) })
    const end = (result: Served | Pick<Look, 'is' | 'says'> | undefined, thrown?: unknown) => {
      clearTimeout(timer)
      signal.removeEventListener('abort', cut)
      socket.destroy()
      if (result) resolve(result)
      else reject(thrown)
    }
    const cut = () => end(undefined, signal.reason)
    const timer = setTimeout(() => end(late(connected)), PATIENCE_MS)
    signal.addEventListener('abort', cut, { once: true })
    socket.once('connect', () => {
      connected = true
    })
    socket.once('error', error => end(faultOf(error)))
    socket.once('close', () => end({ is: 'unhealthy', says: 'it closed the connection instead of showing a certificate' }))
    socket.once('secureConnect', () => end(servedBy(socket.getPeerCertificate(), names, refusedFor(socket))))
  })
}

/** The code of a refused chain; that names differ is judged for every wanted name by itself. */
function refusedFor(socket: ReturnType<typeof connect>): string | null {
  const { authorizationError } = socket
  if (socket.authorized || !authorizationError) return null
  const code = typeof authorizationError === 'string' ? authorizationError : (authorizationError as { code?: string }).code
  return code === undefined || code === 'ERR_TLS_CERT_ALTNAME_INVALID' ? null : code
}

function servedBy(certificate: PeerCertificate, names: readonly string[], refused: string | null): Served {
  return {
    from: new Date(certificate.valid_from).toISOString(),
    to: new Date(certificate.valid_to).toISOString(),
    issuer: String(certificate.issuer.O ?? certificate.issuer.CN ?? 'unknown'),
    names: certificate.subjectaltname?.replaceAll(/DNS:|IP Address:/g, '') ?? String(certificate.subject.CN ?? 'nobody'),
    strange: names.filter(name => checkServerIdentity(name, certificate) !== undefined),
    refused,
  }
}

function late(connected: boolean): Pick<Look, 'is' | 'says'> {
  const within = `within ${PATIENCE_MS / 1000} s`
  if (connected) return { is: 'unhealthy', says: `it takes connections and shows no certificate ${within}` }
  return { is: 'unknown', says: `could not look: no answer to connecting ${within}` }
}
