import { Trouble } from '../../plan/outcome.ts'
import { Secret } from '../../plan/secrets.ts'

/**
 * Scheme, user and password, hosts, path, options. Hosts are a name and a number, and nothing later holds an `@`: in an address
 * whose password has a raw `@`, `/` or `?`, a piece of the password would otherwise pass for a host, and be shown.
 */
const PARTS =
  /^(mongodb(?:\+srv)?:\/\/)(?:([^@/?]*)@)?((?:[\w.%-]+|\[[\da-f:.]+\])(?::\d+)?(?:,(?:[\w.%-]+|\[[\da-f:.]+\])(?::\d+)?)*)(?:\/([^?@/]*))?(?:\?([^@]*))?$/i

/** Mechanisms whose users do not live in a database of the server, so that no `authSource` is guessed for them. */
const EXTERNAL = /^(MONGODB-X509|MONGODB-AWS|MONGODB-OIDC|GSSAPI|PLAIN)$/i

type Parts = { scheme: string; login: string | undefined; hosts: string; path: string; options: string[] }

function split(uri: Secret): Parts {
  const found = PARTS.exec(uri.reveal().trim())
  if (!found) {
    throw new Trouble(2, `${uri.name} is not a MongoDB address.`, {
      next: [
        `Write ${uri.name} as mongodb://user:password@host:27017/?authSource=admin; in user and password, write @ : / ? # % and spaces as %40 and so on.`,
      ],
    })
  }
  const [, scheme = '', login, hosts = '', path = '', options = ''] = found
  return { scheme, login, hosts, path, options: options.split('&').filter(Boolean) }
}

/** Address without user, password and options: `mongodb://host:27017/shop`. Throws Trouble(2) when the value is no MongoDB address. */
export function whereOf(uri: Secret, database: string): string {
  const { scheme, hosts } = split(uri)
  return `${scheme}${hosts}/${database}`
}

/**
 * What the tools read as `--config` (YAML; a JSON string is one). Changed on the way:
 * `serverSelectionTimeoutMS` goes, because with it the tools hang for ever on a dead server;
 * a database in the path goes, because the tools refuse another one beside it; and `authSource` is written out,
 * because the tools would look for the user in the dumped database, where the driver looks in `admin`.
 */
export function toolConfig(uri: Secret): Secret {
  const { scheme, login, hosts, path, options } = split(uri)
  const named = (name: string) => options.find(option => option.toLowerCase().startsWith(`${name.toLowerCase()}=`))
  const kept = options.filter(option => !/^serverSelectionTimeoutMS=/i.test(option))
  const external = EXTERNAL.test(named('authMechanism')?.split('=')[1] ?? '')
  if (login && !named('authSource') && !external) kept.push(`authSource=${path || 'admin'}`)
  const plain = `${scheme}${login === undefined ? '' : `${login}@`}${hosts}/${kept.length > 0 ? `?${kept.join('&')}` : ''}`
  rememberPassword(uri.name, login)
  return new Secret(`${uri.name} for the tools`, `uri: ${JSON.stringify(plain)}\n`)
}

/** The one server of an address that is reached inside a service. Throws Trouble(2) for several, and for a name to be looked up (`+srv`). */
export function hostOf(uri: Secret): { readonly host: string; readonly port: number } {
  const { scheme, hosts } = split(uri)
  if (/srv/i.test(scheme) || hosts.includes(','))
    throw new Trouble(2, `${uri.name} must name one server, as it is seen inside the service.`, {
      next: [`write ${uri.name} as mongodb://user:password@127.0.0.1:27017/?authSource=admin`],
    })
  const [, host = '', port] = /^(\[.*\]|[^:]*)(?::(\d+))?$/.exec(hosts) ?? []
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port ?? USUAL_PORT) }
}

const USUAL_PORT = 27_017

/** The same address with a socket of the file system in the place of its host. */
export function throughSocket(uri: Secret, path: string): Secret {
  const { scheme, login, path: database, options } = split(uri)
  const query = options.length > 0 ? `?${options.join('&')}` : ''
  return new Secret(uri.name, `${scheme}${login === undefined ? '' : `${login}@`}${encodeURIComponent(path)}/${database}${query}`)
}

/**
 * An application's address of one database with another one in its place, on the server that it names or on a throw-away one. Where its user was
 * looked for in the database of the path, that is written out. Undefined for what is no address of that database.
 */
export function copyFor(address: string, database: string, copy: string, throwAway?: Secret): string | undefined {
  const found = PARTS.exec(address.trim())
  if (!found || decodeURIComponent(found[4] ?? '') !== database) return undefined
  const [, , , , , own = ''] = found
  const { scheme, login, hosts, path, options } = split(throwAway ?? new Secret('an address', address))
  const kept = throwAway ? options : own.split('&').filter(Boolean)
  if (login !== undefined && path !== '' && !kept.some(option => /^authSource=|^authMechanism=/i.test(option))) kept.push(`authSource=${path}`)
  return `${scheme}${login === undefined ? '' : `${login}@`}${hosts}/${encodeURIComponent(copy)}${kept.length > 0 ? `?${kept.join('&')}` : ''}`
}

/** Makes the password alone a secret too, as it may be repeated in a message without its address. */
function rememberPassword(name: string, login: string | undefined): void {
  const password = login?.slice(login.indexOf(':') + 1)
  if (!password || password === login) return
  new Secret(`password of ${name}`, password)
  try {
    new Secret(`password of ${name}`, decodeURIComponent(password))
  } catch {
    // Not percent-encoded as it must be; the driver will say so.
  }
}
