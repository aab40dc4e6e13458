import type { ZodType } from 'zod'
import { parseDuration } from '../plan/durations.ts'
import type { Store } from './store.ts'

type Z = typeof import('zod')

/** What a stack file may say of a store, and how it is built; a member's code is loaded when a stack has it. */
export type StoreEntry = {
  readonly options: (z: Z) => ZodType
  /** Options that are paths: a relative one is inside RUNBOOKS_HOME. */
  readonly paths: readonly string[]
  readonly make: (options: never) => Promise<Store>
}

const text = (z: Z) => z.union([z.string().min(1), z.strictObject({ env: z.string(), hidden: z.boolean() })], "a text, env('NAME') or secret('NAME')")
const hidden = (z: Z) => z.strictObject({ env: z.string(), hidden: z.literal(true) }, "write secret('NAME')")

const duration = (z: Z) => z.string().refine(text => parseDuration(text) !== undefined, 'a duration is written 30s, 5min, 6h or 30d')

/** Every kind of store by the name that stack files use. */
export const STORES = {
  directory: {
    options: z => z.strictObject({ path: text(z), name: z.string().optional() }),
    paths: ['path'],
    make: async options => (await import('./directory/index.ts')).directory(options),
  },
  'azure-blob': {
    options: z =>
      z.strictObject({
        account: text(z),
        container: text(z),
        key: hidden(z),
        endpoint: text(z).optional(),
        prefix: z.string().optional(),
        immutable: duration(z).optional(),
        name: z.string().optional(),
      }),
    paths: [],
    make: async options => (await import('./azure-blob/index.ts')).azureBlob(options),
  },
  s3: {
    options: z =>
      z.strictObject({
        bucket: text(z),
        prefix: z.string().optional(),
        region: text(z).optional(),
        endpoint: text(z).optional(),
        forcePathStyle: z.boolean().optional(),
        accessKeyId: hidden(z),
        secretAccessKey: hidden(z),
        checksums: z.enum(['when-supported', 'when-required']).optional(),
        lock: z.strictObject({ mode: z.enum(['governance', 'compliance']), for: duration(z) }).optional(),
        name: z.string().optional(),
      }),
    paths: [],
    make: async options => (await import('./s3/index.ts')).s3(options),
  },
} as const satisfies Readonly<Record<string, StoreEntry>>
