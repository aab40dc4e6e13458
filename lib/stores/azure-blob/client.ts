import type { ContainerClient, RequestPolicyFactory, RestError } from '@azure/storage-blob'
import { type Duration, ms } from '../../plan/durations.ts'
import type { Secret } from '../../plan/secrets.ts'
import { patientAgent } from './agent.ts'
import { nameOf, pathOf } from './names.ts'

/** What it takes to reach a container. */
export type AzureOptions = {
  readonly name?: string
  readonly account: string
  readonly container: string
  /** One of the account's two keys, in base64. */
  readonly key: Secret
  /** The account's blob endpoint; absent = `https://<account>.blob.core.windows.net`. */
  readonly endpoint?: string
  /** Put before every path, so that several stacks or hosts can share a container. */
  readonly prefix?: string
  /** Locks every object for so long against removal and change, by anybody; the container needs version-level immutability. */
  readonly immutable?: Duration
  /** Bytes of a block; default: from the expected size. */
  readonly blockSizeBytes?: number
  /** Longest silence of the server in the middle of a request before it is tried again; default 30s. */
  readonly silence?: Duration
  /** Tries of each request; default 8, which outlives interruptions of several seconds. */
  readonly attempts?: number
}

/** Everything that the calls to one container share. `key` is the name of the blob for a path, `path` the way back. */
export type Container = {
  readonly name: string
  readonly where: string
  readonly options: AzureOptions
  key(path: string): string
  path(key: string): string
  connect(): Promise<Connection>
}

/** The SDK's client, loaded when first needed. */
export type Connection = {
  readonly client: ContainerClient
  /** Our clock less the server's in milliseconds, from the last answer; answers tell whole seconds only. */
  skewMs(): number | null
}

/** Whole time of one request; a block of 16 MiB needs 28 kB/s to make it. */
const REQUEST_MS = 600_000
const DEFAULT_ATTEMPTS = 8
/** Pauses between tries: none, then 0.1 s, 0.3 s, 0.7 s … up to 10 s. */
const PAUSES = { retryDelayInMs: 100, maxRetryDelayInMs: 10_000 }

/** A container from its options; nothing is loaded or connected before the first call. */
export function containerOf(options: AzureOptions): Container {
  const prefix = (options.prefix ?? '').split('/').filter(Boolean).join('/')
  const start = prefix === '' ? '' : `${nameOf(prefix)}/`
  let connection: Promise<Connection> | undefined
  return {
    name: options.container,
    where: `azure://${options.account}/${options.container}${prefix && `/${prefix}`}${options.endpoint ? ` at ${hostOf(options.endpoint)}` : ''}`,
    options,
    key: path => start + nameOf(path),
    path: key => pathOf(key.slice(start.length)),
    connect: () => {
      connection ??= connected(options)
      return connection
    },
  }
}

/** The server of an address, without what may stand in it as a user, a password or a signature. */
function hostOf(address: string): string {
  if (!URL.canParse(address)) return address
  const url = new URL(address)
  return `${url.protocol}//${url.host}`
}

async function connected(options: AzureOptions): Promise<Connection> {
  const { ContainerClient, newPipeline, StorageSharedKeyCredential } = await import('@azure/storage-blob')
  const endpoint = (options.endpoint ?? `https://${options.account}.blob.core.windows.net`).replace(/\/+$/, '')
  const retryOptions = { ...PAUSES, maxTries: options.attempts ?? DEFAULT_ATTEMPTS }
  const pipeline = newPipeline(new StorageSharedKeyCredential(options.account, options.key.reveal()), { retryOptions })
  let skew: number | null = null
  const noted = (date: string | undefined) => {
    const time = Date.parse(date ?? '')
    // The header drops the part of the second, half of one on average.
    if (!Number.isNaN(time)) skew = Date.now() - (time + 500)
  }
  pipeline.factories.push(watching(patientAgent(endpoint.startsWith('https:'), ms(options.silence ?? '30s')), noted))
  const client = new ContainerClient(`${endpoint}/${encodeURIComponent(options.container)}`, pipeline)
  return { client, skewMs: () => skew }
}

/** Sends every request over the agent, within its time, and notes the Date header of every answer, refusals included. */
function watching(agent: ReturnType<typeof patientAgent>, noted: (date: string | undefined) => void): RequestPolicyFactory {
  return {
    create: next => ({
      async sendRequest(request) {
        request.agent = agent
        request.timeout = REQUEST_MS
        try {
          const response = await next.sendRequest(request)
          noted(response.headers.get('date'))
          return response
        } catch (error) {
          noted(dateOfRefusal(error))
          throw error
        }
      },
    }),
  }
}

function dateOfRefusal(error: unknown): string | undefined {
  return error instanceof Error && 'response' in error ? (error as RestError).response?.headers.get('date') : undefined
}
