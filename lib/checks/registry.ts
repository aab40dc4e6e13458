import type { ZodType } from 'zod'
import { parseDuration } from '../plan/durations.ts'
import { redact } from '../plan/secrets.ts'
import { addressed, composeService, hidden, server, text } from '../sources/registry.ts'
import { type Check, LIMIT_MS } from './check.ts'

type Z = typeof import('zod')

/** What a stack file may say of a check, and how it is built; a member's code is loaded when a stack has it. */
export type CheckEntry = {
  readonly options: (z: Z) => ZodType
  /** Options that are paths: a relative one is inside RUNBOOKS_HOME. */
  readonly paths: readonly string[]
  readonly make: (options: never) => Promise<Check>
}

const named = (z: Z) => ({ name: z.string().min(1).optional() })
const duration = (z: Z) => z.string().refine(written => parseDuration(written) !== undefined, 'a duration is written 30s, 5min, 6h or 30d')
const percent = (z: Z) => z.number().min(0).max(100)
const machine = (z: Z) => ({ host: text(z).optional(), key: hidden(z).optional(), knownHosts: text(z).optional() })
const place = (z: Z) => ({ ...machine(z), in: composeService(z).optional() })
const engine = (z: Z) => ({ ...machine(z), project: z.string().min(1) })
const status = (z: Z) => z.int().min(100).max(599)
/** A server is asked where it stands, never in a scratch place. */
const reached = (z: Z) => {
  const { scratch: _, ...where } = server(z)
  return where
}

/** Every kind of check by the name that stack files use. */
export const CHECKS = {
  http: {
    options: z =>
      z.strictObject({
        ...named(z),
        url: text(z),
        status: z.union([status(z), z.array(status(z)).min(1)]).optional(),
        contains: z.string().min(1).optional(),
        json: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])).optional(),
        version: z.strictObject({ field: z.string().min(1), is: text(z).optional() }).optional(),
        within: duration(z).optional(),
        limit: duration(z).optional(),
        follow: z.boolean().optional(),
        headers: z.record(z.string(), text(z)).optional(),
        authorization: hidden(z).optional(),
        ca: z.string().min(1).optional(),
      }),
    paths: ['ca'],
    make: async options => (await import('./http.ts')).http(options),
  },
  tls: {
    options: z =>
      z.strictObject({
        ...named(z),
        host: text(z),
        port: z.int().min(1).max(65_535).optional(),
        names: z.array(z.string().min(1)).min(1).optional(),
        remaining: z.number().min(0).max(1).optional(),
        left: duration(z).optional(),
        ca: z.string().min(1).optional(),
      }),
    paths: ['ca'],
    make: async options => (await import('./tls.ts')).tls(options),
  },
  disk: {
    options: z =>
      z.strictObject({
        ...named(z),
        ...place(z),
        path: z.string().min(1),
        freePercent: percent(z).optional(),
        freeBytes: z.int().min(0).optional(),
      }),
    paths: [],
    make: async options => (await import('./disk.ts')).disk(options),
  },
  memory: {
    options: z => z.strictObject({ ...named(z), ...place(z), availablePercent: percent(z).optional() }),
    paths: [],
    make: async options => (await import('./memory.ts')).memory(options),
  },
  containers: {
    options: z =>
      z.strictObject({
        ...named(z),
        ...engine(z),
        services: z.array(z.string().min(1)).optional(),
        runningIsEnough: z.array(z.string().min(1)).optional(),
        restarts: z.int().min(0).optional(),
      }),
    paths: [],
    make: async options => (await import('./containers.ts')).containers(options),
  },
  'image-drift': {
    options: z => z.strictObject({ ...named(z), ...engine(z), images: z.record(z.string(), z.string().min(1)) }),
    paths: [],
    make: async options => (await import('./image-drift.ts')).imageDrift(options),
  },
  postgres: {
    options: z =>
      addressed(
        z.strictObject({
          ...named(z),
          ...reached(z),
          database: text(z).optional(),
          lag: duration(z).optional(),
          standbys: z.int().min(0).optional(),
          connectionsPercent: percent(z).optional(),
        }),
      ),
    paths: [],
    make: async options => (await import('./postgres.ts')).postgres(options),
  },
  mongodb: {
    options: z => z.strictObject({ ...named(z), uri: hidden(z), in: server(z).in, lag: duration(z).optional() }),
    paths: [],
    make: async options => (await import('./mongodb.ts')).mongodb(options),
  },
  redis: {
    options: z => addressed(z.strictObject({ ...named(z), ...reached(z), aof: z.boolean().optional(), memoryPercent: percent(z).optional() })),
    paths: [],
    make: async options => (await import('./redis.ts')).redis(options),
  },
  prometheus: {
    options: z =>
      z.strictObject({
        ...named(z),
        url: text(z),
        jobs: z.array(z.string().min(1)).min(1).optional(),
        labels: z.record(z.string(), z.string()).optional(),
        ignore: z.array(z.string()).optional(),
        authorization: hidden(z).optional(),
      }),
    paths: [],
    make: async options => (await import('./prometheus.ts')).prometheus(options),
  },
} as const satisfies Readonly<Record<string, CheckEntry>>

/** A check that could not be built, such as one whose secret is not set: its finding says so, and the others are looked at all the same. */
export function unbuilt(kind: string, options: { readonly name?: unknown }, error: unknown): Check {
  const why = redact(error instanceof Error ? error.message : String(error))
  return { name: typeof options.name === 'string' ? options.name : kind, kind, limitMs: LIMIT_MS, look: () => Promise.reject(new Error(why)) }
}
