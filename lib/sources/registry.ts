import type { ZodType } from 'zod'
import type { Source } from './source.ts'

type Z = typeof import('zod')

/** What a stack file may say of a source, and how it is built; a member's code is loaded when a stack has it. */
export type SourceEntry = {
  readonly options: (z: Z) => ZodType
  /** Options that are paths: a relative one is inside RUNBOOKS_HOME. */
  readonly paths: readonly string[]
  readonly make: (name: string, options: never) => Promise<Source>
}

/** A value that is written out, or read from the environment. */
export const text = (z: Z) =>
  z.union([z.string().min(1), z.strictObject({ env: z.string(), hidden: z.boolean() })], "a text, env('NAME') or secret('NAME')")
/** A value that is read from the environment and never shown. */
export const hidden = (z: Z) => z.strictObject({ env: z.string(), hidden: z.literal(true) }, "write secret('NAME')")

/** A service of a Compose project of this machine. */
export const composeService = (z: Z) =>
  z.strictObject({
    compose: z.strictObject({ project: z.string().min(1).optional(), file: z.string().min(1).optional(), directory: z.string().min(1).optional() }),
    service: z.string().min(1),
  })

/** A service that tools run in: of the environment's platform by its name, or of a Compose project. */
const service = (z: Z) =>
  z.union(
    [z.string().regex(/^[A-Za-z0-9][\w.-]*$/, 'a service has letters, digits, ., _ and -'), composeService(z)],
    "the name of a service of the platform ('postgres'), or { compose: {…}, service: '…' }",
  )

/** Where a server is: an address, or its pieces, or the service that its tools run in. */
export const server = (z: Z) => ({
  url: hidden(z).optional(),
  host: text(z).optional(),
  port: z.number().int().min(1).max(65_535).optional(),
  user: text(z).optional(),
  password: hidden(z).optional(),
  in: service(z).optional(),
  scratch: hidden(z).optional(),
  bin: text(z).optional(),
})

type Address = { [K in 'url' | 'host' | 'port' | 'user' | 'password' | 'in']?: unknown }

/** Refuses an address that is none, and one that is given twice. */
export function addressed<T extends Address>(schema: ZodType<T>): ZodType<T> {
  return schema
    .refine(({ url, host, in: service }) => url !== undefined || host !== undefined || service !== undefined, 'needs url, host, or in (a service)')
    .refine(
      ({ url, host, port, user, password }) => !url || !(host || port || user || password),
      'has url, or host, port, user and password, not both',
    )
}

/** Every kind of source by the name that stack files and manifests use. */
export const SOURCES = {
  sqlite: {
    options: z => z.strictObject({ file: text(z), scratch: text(z).optional() }),
    paths: ['file', 'scratch'],
    make: async (name, options) => (await import('./sqlite/index.ts')).sqlite(name, options),
  },
  files: {
    options: z =>
      z
        .strictObject({ directory: text(z), scratch: text(z).optional(), in: service(z).optional() })
        .refine(
          ({ in: within, directory }) => !within || typeof directory !== 'string' || directory.startsWith('/'),
          'a path inside a service is absolute',
        ),
    paths: ['directory', 'scratch'],
    make: async (name, options) => (await import('./files/index.ts')).files(name, options),
  },
  mongodb: {
    options: z =>
      z.strictObject({
        uri: hidden(z),
        in: service(z).optional(),
        databases: z.array(z.string().min(1)).length(1, 'one database a part; write a part for each'),
        collections: z.strictObject({ expected: z.array(z.string()).optional() }).optional(),
        scratch: hidden(z).optional(),
        bin: text(z).optional(),
        oplog: z.boolean().optional(),
      }),
    paths: [],
    make: async (name, options) => (await import('./mongodb/index.ts')).mongodb(name, options),
  },
  postgres: {
    options: z =>
      addressed(
        z.strictObject({
          ...server(z),
          database: text(z),
          lockWaitMs: z.number().int().min(1).optional(),
          maintenance: z.string().min(1).optional(),
        }),
      ),
    paths: [],
    make: async (name, options) => (await import('./postgres/index.ts')).postgres(name, options),
  },
  redis: {
    options: z => addressed(z.strictObject(server(z))),
    paths: [],
    make: async (name, options) => (await import('./redis/index.ts')).redis(name, options),
  },
} as const satisfies Readonly<Record<string, SourceEntry>>
