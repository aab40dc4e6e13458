import type { ZodType } from 'zod'
import type { ConfiguredService } from './configured.ts'
import type { Platform, Service } from './platform.ts'

type Z = typeof import('zod')

/** What every platform is told of the stack that it serves. */
export type Setting = {
  readonly stack: string
  readonly environment: string
  readonly services: readonly Service[]
  readonly configured?: readonly ConfiguredService[]
}

/** What a stack file may say of a platform, and how it is built; a member's code is loaded when an environment has it. */
export type PlatformEntry = {
  readonly options: (z: Z) => ZodType
  /** Options that are paths: a relative one is inside RUNBOOKS_HOME. */
  readonly paths: readonly string[]
  /** Options that are folders of assets: a relative one is inside the folder above that of the stack file. */
  readonly assets: readonly string[]
  readonly make: (setting: Setting, options: never) => Promise<Platform>
}

const text = (z: Z) => z.union([z.string().min(1), z.strictObject({ env: z.string(), hidden: z.boolean() })], "a text, env('NAME') or secret('NAME')")
const hidden = (z: Z) => z.strictObject({ env: z.string(), hidden: z.literal(true) }, "write secret('NAME')")
/** Variables or files that services are given, by name. */
const values = (z: Z) => z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'a name has letters, digits and _'), text(z))
const port = (z: Z) => z.number().int().min(1).max(65_535)

/** Every kind of platform by the name that stack files use. */
export const PLATFORMS = {
  sandbox: {
    options: z =>
      z.strictObject({
        directory: text(z),
        port: port(z),
        services: z.record(
          z.string(),
          z.strictObject({
            script: z.string().min(1),
            versions: z.array(z.string().min(1)).min(1),
            instances: z.number().int().min(1).max(8).optional(),
          }),
        ),
        environment: values(z).optional(),
        secrets: values(z).optional(),
      }),
    paths: ['directory'],
    assets: [],
    make: async (setting, options) => (await import('./sandbox/index.ts')).sandbox(setting, options),
  },
  compose: {
    options: z =>
      z.strictObject({
        host: text(z).optional(),
        user: text(z).optional(),
        key: hidden(z).optional(),
        knownHosts: text(z).optional(),
        project: z.string().regex(/^[a-z0-9][a-z0-9_-]*$/, 'a project has small letters, digits, - and _'),
        directory: text(z),
        files: z.string().min(1),
        door: text(z),
        doorHost: text(z).optional(),
        registry: z.strictObject({ server: text(z).optional(), username: text(z), password: hidden(z) }).optional(),
        environment: values(z).optional(),
        secrets: values(z).optional(),
      }),
    paths: [],
    assets: ['files'],
    make: async (setting, options) => (await import('./compose/index.ts')).compose(setting, options),
  },
  kubernetes: {
    options: z =>
      z.strictObject({
        cluster: text(z),
        namespace: z.string().regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/, 'a namespace has small letters, digits and -'),
        overlay: z.string().min(1),
        kubeconfig: text(z).optional(),
        context: text(z).optional(),
        door: text(z),
        doorHost: text(z).optional(),
        workloads: z
          .record(
            z.string(),
            z
              .string()
              .regex(/^(deployment|statefulset|daemonset)\/[a-z0-9.-]+$/, "a workload is 'deployment/<name>', 'statefulset/…' or 'daemonset/…'"),
          )
          .optional(),
        secrets: z.record(z.string(), z.strictObject({ secret: z.string().min(1), keys: z.array(z.string().min(1)).optional() })).optional(),
      }),
    paths: [],
    assets: ['overlay'],
    make: async (setting, options) => (await import('./kubernetes/index.ts')).kubernetes(setting, options),
  },
} as const satisfies Readonly<Record<string, PlatformEntry>>
