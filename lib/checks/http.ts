import { readFile } from 'node:fs/promises'
import { isDeepStrictEqual } from 'node:util'
import { quote } from '../exec/command.ts'
import type { Duration } from '../plan/durations.ts'
import { ms } from '../plan/durations.ts'
import type { Json } from '../plan/plan.ts'
import { Secret } from '../plan/secrets.ts'
import { type Answer, ask, shown } from './ask.ts'
import type { Check, Look } from './check.ts'

/** What a team writes of an address that must answer. */
export type HttpOptions = {
  readonly name?: string
  readonly url: string | Secret
  /** One of these; any 2xx unless said. */
  readonly status?: number | readonly number[]
  /** Text that the first 64 KB of the body must hold. */
  readonly contains?: string
  /** Fields of a JSON body by path (`checks.database.status`) and what they must be. */
  readonly json?: Readonly<Record<string, Json>>
  /** Path of the field with the version, which is then shown; with `is`, what it must be. */
  readonly version?: { readonly field: string; readonly is?: string }
  /** The whole answer must be there by then, or it is too slow. */
  readonly within?: Duration
  /** How long an answer is waited for at all; 5s unless said. */
  readonly limit?: Duration
  readonly follow?: boolean
  readonly headers?: Readonly<Record<string, string | Secret>>
  /** Value of the header of that name. */
  readonly authorization?: Secret
  /** File with the certificate (PEM) of the only authority that is trusted for this address. */
  readonly ca?: string
}

/** What an answer is measured against; times in milliseconds. */
export type Expected = Pick<HttpOptions, 'contains' | 'json' | 'version'> & {
  readonly status: readonly number[] | undefined
  readonly withinMs: number | undefined
}

/** Of a body that much is read: who says in more than this that all is well says too much. */
export const BODY_BYTES = 64 * 1024
const PATIENCE: Duration = '5s'
const REDIRECTS = 5
/** The member ends itself; the limit of the check is for what it cannot see. */
const MARGIN_MS = 1_000

/** Whether an address answers as it should: status, body, fields, version, and in time. */
export function http(options: HttpOptions): Check {
  const url = addressed(options.url)
  // The path of an address that is a secret is the key to it.
  const where = options.url instanceof Secret ? url.host : shown(url)
  const { status, within, headers = {}, authorization, ca, contains, json, version } = options
  const expected: Expected = {
    status: typeof status === 'number' ? [status] : status,
    withinMs: within === undefined ? undefined : ms(within),
    ...(contains === undefined ? {} : { contains }),
    ...(json ? { json } : {}),
    ...(version ? { version } : {}),
  }
  const limitMs = Math.max(ms(options.limit ?? PATIENCE), expected.withinMs ?? 0)
  return {
    name: options.name ?? where.replace(/^https?:\/\//, '').replace(/\/$/, ''),
    kind: 'http',
    limitMs: limitMs + MARGIN_MS,
    async look({ signal }) {
      const asking = {
        headers: { ...headers, ...(authorization ? { authorization } : {}) },
        ca: ca === undefined ? undefined : await readFile(ca, 'utf8'),
        limitMs,
        maxBytes: BODY_BYTES,
        redirects: options.follow ? REDIRECTS : 0,
      }
      const answer = await ask(url, asking, signal)
      const found = 'is' in answer ? { ...answer, says: `${where}: ${answer.says}` } : httpVerdict(answer, expected)
      return found.is === 'healthy' || options.url instanceof Secret ? found : { ...found, look: [`curl -sSi ${quote(where)}`] }
    },
  }
}

/** The address of a text or secret; throws RangeError that does not repeat it. */
export function addressed(text: string | Secret): URL {
  const url = URL.parse(text instanceof Secret ? text.reveal() : text)
  if (!url || !/^https?:$/.test(url.protocol)) throw new RangeError(`${text instanceof Secret ? text.name : text} is not an http(s) address`)
  return url
}

/** The verdict on an answer; the first thing that is wrong is the cause. */
export function httpVerdict(answer: Answer, expected: Expected): Look {
  const body = parsed(answer.body)
  const field = expected.version === undefined ? undefined : fieldOf(body, expected.version.field)
  const version = field === undefined || field === null ? undefined : String(field)
  const { status, connectMs, tookMs } = answer
  const measured = { status, latencyMs: tookMs, connectMs, ...(version === undefined ? {} : { version }) }
  const wrong = wrongStatus(answer, expected) ?? wrongBody(answer, body, expected) ?? wrongVersion(version, expected) ?? tooSlow(answer, expected)
  if (wrong !== undefined) return { is: 'unhealthy', says: wrong, measured }
  return { is: 'healthy', says: `${status} in ${tookMs} ms${version === undefined ? '' : `, version ${version}`}`, measured }
}

function wrongStatus({ status, location, body }: Answer, { status: wanted }: Expected): string | undefined {
  if (wanted ? wanted.includes(status) : status >= 200 && status < 300) return undefined
  const to =
    status >= 300 && status < 400 && location
      ? ` to ${URL.parse(location, 'http://same') ? location.split('?')[0] : 'nowhere'}, which is not followed`
      : ''
  const words = to === '' && body.trim() !== '' && !/^\s*</.test(body) ? `: ${body.trim().slice(0, 120)}` : ''
  return `answered ${status}${to}, ${wanted ? `not ${wanted.join(' or ')}` : 'not 2xx'}${words}`
}

function wrongBody({ body, whole }: Answer, found: Json | undefined, { contains, json = {} }: Expected): string | undefined {
  const where = whole ? 'the body' : `the first ${BODY_BYTES / 1024} KB of the body`
  if (contains !== undefined && !body.includes(contains)) return `${where} does not hold ${JSON.stringify(contains)}`
  for (const [path, wanted] of Object.entries(json)) {
    if (found === undefined) return `${where} is no JSON`
    const value = fieldOf(found, path)
    if (!isDeepStrictEqual(value, wanted)) return `${path} is ${JSON.stringify(value) ?? 'not there'}, not ${JSON.stringify(wanted)}`
  }
  return undefined
}

function wrongVersion(version: string | undefined, { version: wanted }: Expected): string | undefined {
  if (wanted === undefined) return undefined
  if (version === undefined) return `the body has no version at ${wanted.field}`
  return wanted.is === undefined || version === wanted.is ? undefined : `version ${version} answers, not ${wanted.is}`
}

function tooSlow({ tookMs, status }: Answer, { withinMs }: Expected): string | undefined {
  return withinMs !== undefined && tookMs > withinMs ? `answered ${status} after ${tookMs} ms, more than ${withinMs} ms` : undefined
}

function parsed(body: string): Json | undefined {
  try {
    return JSON.parse(body) as Json
  } catch {
    return undefined
  }
}

/** The value at a path of names and indexes with dots between; undefined where there is none. */
export function fieldOf(value: Json | undefined, path: string): Json | undefined {
  return path.split('.').reduce<Json | undefined>((at, key) => {
    if (at === null || typeof at !== 'object') return undefined
    return Object.hasOwn(at, key) ? (at as Readonly<Record<string, Json>>)[key] : undefined
  }, value)
}
