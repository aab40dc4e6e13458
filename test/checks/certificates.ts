import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** A certificate with its key, as PEM, and who can issue others by it. */
export type Issued = { readonly cert: string; readonly key: string; readonly file: string; issue(wanted: Wanted): Issued }

/** What a certificate is for; `from` and `to` in days from now. */
export type Wanted = {
  readonly name: string
  readonly names?: readonly string[]
  readonly from?: number
  readonly to?: number
  readonly authority?: true
}

const DAY_MS = 86_400_000
/** Days from now as OpenSSL writes a time: YYYYMMDDHHMMSSZ. */
const at = (days: number) => `${new Date(Date.now() + days * DAY_MS).toISOString().replace(/[-:T]|\.\d+Z$/g, '')}Z`

/** Makes certificates with OpenSSL in a folder, for any span of time. */
export function certificates(folder: string): { selfSigned(wanted: Wanted): Issued } {
  const openssl = (...argv: string[]) => execFileSync('openssl', argv, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })

  function make({ name, names = [name], from = -1, to = 90, authority }: Wanted, issuer?: { readonly stem: string }): Issued {
    const stem = `c${crypto.randomUUID().slice(0, 8)}`
    const own = join(folder, `${stem}.ca`)
    mkdirSync(own)
    writeFileSync(join(own, 'index.txt'), '')
    const alternatives = names.map((one, i) => `${/^[\d.]+$/.test(one) ? 'IP' : 'DNS'}.${i + 1} = ${one}`).join('\n')
    writeFileSync(
      join(folder, `${stem}.cnf`),
      `[ca]
default_ca = own
[own]
database = ${join(own, 'index.txt')}
new_certs_dir = ${own}
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
[req]
distinguished_name = any
prompt = no
[ext]
basicConstraints = critical,CA:${authority ? 'TRUE' : 'FALSE'}
keyUsage = ${authority ? 'keyCertSign' : 'digitalSignature,keyEncipherment'}
${authority ? '' : 'subjectAltName = @names\n[names]\n'}${authority ? '' : alternatives}
`,
    )
    const files = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', `${stem}.key`, '-out', `${stem}.csr`]
    openssl('req', '-config', `${stem}.cnf`, '-new', ...files, '-subj', `/CN=${name}`)
    const by = issuer ? ['-cert', `${issuer.stem}.pem`, '-keyfile', `${issuer.stem}.key`] : ['-selfsign', '-keyfile', `${stem}.key`]
    const span = ['-startdate', at(from), '-enddate', at(to)]
    openssl('ca', '-batch', '-notext', '-config', `${stem}.cnf`, '-extensions', 'ext', ...span, ...by, '-in', `${stem}.csr`, '-out', `${stem}.pem`)
    const file = join(folder, `${stem}.pem`)
    const key = readFileSync(join(folder, `${stem}.key`), 'utf8')
    return { cert: readFileSync(file, 'utf8'), key, file, issue: wanted => make(wanted, { stem }) }
  }
  return { selfSigned: wanted => make(wanted) }
}
