import type { S3Client } from '@aws-sdk/client-s3'
import { type Duration, ms } from '../../plan/durations.ts'
import type { Secret } from '../../plan/secrets.ts'

/** What it takes to reach a bucket. */
export type S3Options = {
  readonly name?: string
  readonly bucket: string
  /** Put before every path, so that several stacks or hosts can share a bucket. */
  readonly prefix?: string
  readonly region?: string
  /** Address of an S3-compatible server; absent = Amazon's. */
  readonly endpoint?: string
  /** `http://server/bucket/key` instead of `http://bucket.server/key`; most S3-compatible servers need it. Default: true with an endpoint. */
  readonly forcePathStyle?: boolean
  readonly accessKeyId: Secret
  readonly secretAccessKey: Secret
  readonly sessionToken?: Secret
  /** `when-required` for servers that refuse the SDK's checksums (CRC32). */
  readonly checksums?: 'when-supported' | 'when-required'
  /** Locks every object for so long: `governance` yields to who may bypass it, `compliance` to nobody. The bucket needs object lock. */
  readonly lock?: { readonly mode: 'governance' | 'compliance'; readonly for: Duration }
  /** Bytes a part of a multipart upload, 5 MiB or more; default: from the expected size. */
  readonly partSizeBytes?: number
  /** Longest silence of the server in the middle of a request before it is tried again; default 30s. */
  readonly silence?: Duration
  /** Tries of each request; default 8, which outlives interruptions of several seconds. */
  readonly attempts?: number
}

/** Everything that the calls to one bucket share. `key` puts the store's prefix before a path, `path` takes it off. */
export type Bucket = {
  readonly name: string
  readonly where: string
  readonly options: S3Options
  key(path: string): string
  path(key: string): string
  connect(): Promise<Connection>
}

/** The SDK, loaded when first needed, with a client of it. */
export type Connection = {
  readonly sdk: typeof import('@aws-sdk/client-s3')
  readonly client: S3Client
  /** Our clock less the server's in milliseconds, from the last answer; answers tell whole seconds only. */
  skewMs(): number | null
  /** The server's time when it gave this answer, in milliseconds since 1970. */
  timeOf(answer: object): number
}

const CONNECT_MS = 10_000
/** Whole time of one request; a part of 16 MiB needs 28 kB/s to make it. */
const REQUEST_MS = 600_000
const DEFAULT_ATTEMPTS = 8

/** A bucket from its options; nothing is loaded or connected before the first call. */
export function bucketOf(options: S3Options): Bucket {
  const prefix = (options.prefix ?? '').split('/').filter(Boolean).join('/')
  const start = prefix === '' ? '' : `${prefix}/`
  let connection: Promise<Connection> | undefined
  return {
    name: options.bucket,
    where: `s3://${options.bucket}${prefix && `/${prefix}`}${options.endpoint ? ` at ${withoutUser(options.endpoint)}` : ''}`,
    options,
    key: path => start + path,
    path: key => key.slice(start.length),
    connect: () => {
      connection ??= connected(options)
      return connection
    },
  }
}

/** An address without a user and password that somebody may have written into it. */
function withoutUser(address: string): string {
  if (!URL.canParse(address)) return address
  const url = new URL(address)
  return `${url.protocol}//${url.host}`
}

async function connected(options: S3Options): Promise<Connection> {
  const sdk = await import('@aws-sdk/client-s3')
  const checksums = options.checksums === 'when-required' ? 'WHEN_REQUIRED' : 'WHEN_SUPPORTED'
  const client = new sdk.S3Client({
    region: options.region ?? 'us-east-1',
    ...(options.endpoint ? { endpoint: options.endpoint } : {}),
    forcePathStyle: options.forcePathStyle ?? options.endpoint !== undefined,
    credentials: async () => ({
      accessKeyId: options.accessKeyId.reveal(),
      secretAccessKey: options.secretAccessKey.reveal(),
      ...(options.sessionToken ? { sessionToken: options.sessionToken.reveal() } : {}),
    }),
    requestChecksumCalculation: checksums,
    // Lengths are counted here and digests are compared above; the SDK's own check could not follow a download over a broken connection.
    responseChecksumValidation: 'WHEN_REQUIRED',
    maxAttempts: options.attempts ?? DEFAULT_ATTEMPTS,
    requestHandler: {
      connectionTimeout: CONNECT_MS,
      requestTimeout: REQUEST_MS,
      throwOnRequestTimeout: true,
      socketTimeout: ms(options.silence ?? '30s'),
      logger: SILENT,
    },
    logger: SILENT,
  })
  return { sdk, client, ...watchClock(client) }
}

/** The SDK writes its warnings to the console, where they would tear the task tree. */
const SILENT = { trace() {}, debug() {}, info() {}, warn() {}, error() {} }

/** Notes the Date header of every answer, refusals included. */
function watchClock(client: S3Client): Pick<Connection, 'skewMs' | 'timeOf'> {
  const times = new WeakMap<object, number>()
  let skew: number | null = null
  const note = (response: unknown): number | undefined => {
    const date = Date.parse(headersOf(response).date ?? '')
    if (Number.isNaN(date)) return undefined
    // The header drops the part of the second, half of one on average.
    skew = Date.now() - (date + 500)
    return date
  }
  client.middlewareStack.add(
    next => async args => {
      try {
        const result = await next(args)
        const time = note(result.response)
        if (time !== undefined && typeof result.output === 'object') times.set(result.output, time)
        return result
      } catch (error) {
        if (error instanceof Error && '$response' in error) note(error.$response)
        throw error
      }
    },
    { step: 'deserialize', priority: 'high', name: 'watchClock' },
  )
  return { skewMs: () => skew, timeOf: answer => times.get(answer) ?? Date.now() }
}

function headersOf(response: unknown): Readonly<Record<string, string | undefined>> {
  if (typeof response !== 'object' || response === null || !('headers' in response)) return {}
  return response.headers as Record<string, string>
}
