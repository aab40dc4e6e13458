import type { Look } from './check.ts'

/**
 * The rule of what is unhealthy and what could not be looked at: docs/runbooks/health-check.md says it for people.
 * Unhealthy: somebody who may speak for the thing (itself, its machine, DNS) answered, and the answer is no.
 * Unknown: nobody answered for it, or what failed is ours (a tool, a key, the way there).
 */
type Fault = Pick<Look, 'is' | 'says'>

const no = (says: string): Fault => ({ is: 'unhealthy', says })
const silence = (says: string): Fault => ({ is: 'unknown', says })

/** Codes of Node's network errors; a machine that refuses has answered, one that lets packets vanish has not. */
const CODES: Readonly<Record<string, Fault>> = {
  ECONNREFUSED: no('connection refused: nothing listens there'),
  ECONNRESET: no('the connection was cut before the answer was complete'),
  EPIPE: no('the connection was cut before the answer was complete'),
  ENOTFOUND: no('DNS knows no such name'),
  EPROTO: no('TLS handshake failed'),
  EAI_AGAIN: silence('no name server answers'),
  EHOSTUNREACH: silence('no way to that host'),
  ENETUNREACH: silence('no network from here'),
  ETIMEDOUT: silence('no answer to connecting'),
}

/** Codes with which Node refuses a certificate, as OpenSSL names them: https://nodejs.org/api/tls.html#x509-certificate-error-codes */
const CERTIFICATE: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate was issued by an authority that is not trusted here',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its chain is not complete: it sends no intermediate certificate, or its authority is not trusted here',
  UNABLE_TO_GET_ISSUER_CERT: 'its chain is not complete: the certificate of an issuer is missing',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its chain does not lead to an authority that is trusted here',
  CERT_HAS_EXPIRED: 'its certificate, or one of its chain, has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet',
  CERT_REVOKED: 'its certificate was revoked',
  CERT_SIGNATURE_FAILURE: 'the signature of its certificate is wrong',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for other names',
}

/** What a refused certificate means, by its code. */
export const certificateFault = (code: string): string => CERTIFICATE[code] ?? `its certificate is not accepted (${code})`

/** What an error of the network, TLS or HTTP says of the thing that was to be reached. An unknown error is one of ours. */
export function faultOf(error: unknown): Fault {
  const { code = '', message = String(error) } = error as { code?: string; message?: string }
  const known = CODES[code]
  if (known) return known
  if (code in CERTIFICATE) return no(certificateFault(code))
  if (code.startsWith('HPE_')) return no(`it does not speak HTTP (${message})`)
  if (code.startsWith('ERR_SSL_') || code.startsWith('ERR_TLS_')) return no(`TLS handshake failed (${message.split('\n')[0]})`)
  return silence(`could not look: ${message || code}`)
}

/** Words of a server's tool or driver that only somebody who was reached can have caused. */
const ANSWERED =
  /connection refused|ECONNREFUSED|ECONNRESET|connection reset|closed the connection|ENOTFOUND|name or service not known|is not running|starting up|shutting down|recovery mode|too many (clients|connections)|connection slots|max number of clients|loading its data|no memory left|MISCONF/i

/** The same for what a tool or a driver said in words. A refused password is `unknown`: the key is ours. */
export function spokenFault(error: unknown): Look {
  const { message = String(error), look = [] } = error as { message?: string; look?: readonly string[] }
  const more = look.length > 0 ? { look } : {}
  return ANSWERED.test(message) ? { ...no(message), ...more } : { ...silence(`could not look: ${message}`), ...more }
}
