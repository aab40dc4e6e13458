import type { RefinementCtx, ZodType } from 'zod'
import { parseDuration, parseSize } from '../plan/durations.ts'
import { parseLocalTime } from '../plan/local-time.ts'
import type { StackDescription } from './describe.ts'

type Z = typeof import('zod')

const duration = (z: Z) => z.string().refine(text => parseDuration(text) !== undefined, 'a duration is written 30s, 5min, 6h or 30d')
const argv = (z: Z) => z.array(z.string().min(1)).min(1)
const path = (z: Z) => z.string().startsWith('/', 'a path begins with /')

function isPattern(text: string): boolean {
  try {
    return new RegExp(text) !== undefined
  } catch {
    return false
  }
}

/** Services that releases are made of; a split service must be reachable, and may not be one that never runs twice. */
export function servicesSchema(z: Z): ZodType {
  const service = z
    .strictObject({
      image: z.string().regex(/^[a-z0-9][\w./:-]*$/, 'an image is written registry/name, without a tag'),
      port: z.int().min(1).max(65_535).optional(),
      health: path(z).optional(),
      door: path(z).optional(),
      traffic: z.enum(['split', 'none']),
      twice: z.enum(['allowed', 'never']),
    })
    .refine(
      ({ traffic, twice }) => !(traffic === 'split' && twice === 'never'),
      'a service that must never run twice cannot share its traffic with itself',
    )
    .refine(({ traffic, port }) => traffic === 'none' || port !== undefined, 'a service with traffic needs a port')
    .refine(({ image }) => !/[:@][^/]*$/.test(image), 'an image is written without a tag: --version chooses it')
  return z.record(z.string().regex(/^[a-z][a-z0-9-]*$/, 'a name has small letters, digits and dashes'), service)
}

/** How releases are made and judged. */
export function deploySchema(z: Z): ZodType {
  const smoke = z.discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('http'),
      path: path(z),
      status: z.int().min(100).max(599).optional(),
      within: duration(z).optional(),
      contains: z.string().min(1).optional(),
      service: z.string().min(1).optional(),
    }),
    z.strictObject({ kind: z.literal('run'), service: z.string().min(1), argv: argv(z) }),
  ])
  const setting = z.string().regex(/^[A-Za-z_][\w.-]*$/, 'a name has letters, digits, _, and . and - as names of files have')
  const rehearsed = z.union(
    [z.string().min(1), z.strictObject({ value: z.string(), insteadOf: z.string().min(1).optional() })],
    "the name of a part, or { value: '…', insteadOf: '…' }",
  )
  return z.strictObject({
    rehearse: z.record(setting, rehearsed).optional(),
    smoke: z.array(smoke).optional(),
    metrics: z.array(smoke).optional(),
    bake: duration(z).optional(),
    budget: duration(z).optional(),
    backup: z.boolean().optional(),
    migrate: z.strictObject({ service: z.string().min(1), up: argv(z), at: argv(z), down: argv(z).optional() }).optional(),
    tests: argv(z).optional(),
    scan: argv(z).optional(),
    imageSize: z
      .string()
      .refine(text => parseSize(text) !== undefined, 'a size is written 200MB or 1.5GB')
      .optional(),
    probe: z.strictObject({ path: path(z), perSecond: z.int().min(1).max(1000).optional() }).optional(),
    versions: z.string().refine(isPattern, 'a regular expression').optional(),
    keep: z.int().min(2, 'at least 2: the one that runs, and the one to go back to').optional(),
  })
}

/** Settings of a rehearsal lead to parts that there are, in one of the environments at least. */
export function rehearsedKnown({ data, environments, deploy = {} }: StackDescription, context: RefinementCtx): void {
  const parts = [...new Set([data, ...Object.values(environments).map(one => one.data ?? {})].flatMap(all => Object.keys(all)))]
  for (const [name, is] of Object.entries(deploy.rehearse ?? {})) {
    const part = typeof is === 'string' ? is : is.insteadOf
    if (part === undefined || parts.includes(part)) continue
    const message = `there is no part "${part}" of the data; there are ${parts.join(', ') || 'none'}`
    context.addIssue({ code: 'custom', path: ['deploy', 'rehearse', name], message })
  }
}

/** Commands of a release run in services that there are. */
export function servicesKnown({ services = {}, deploy = {} }: StackDescription, context: RefinementCtx): void {
  const { smoke = [], metrics = [], migrate } = deploy
  const tests = { smoke, metrics }
  const named = Object.entries(tests).flatMap(([list, all]) =>
    all.flatMap((test, i) => (test.service !== undefined ? [{ path: ['deploy', list, i, 'service'], service: test.service }] : [])),
  )
  for (const { path, service } of [...named, ...(migrate ? [{ path: ['deploy', 'migrate', 'service'], service: migrate.service }] : [])]) {
    if (service in services) continue
    context.addIssue({ code: 'custom', path, message: `there is no service "${service}"; there are ${Object.keys(services).join(', ') || 'none'}` })
  }
}

/** A time in which nothing is deployed. */
export function freezeSchema(z: Z): ZodType {
  const time = z.string().refine(text => parseLocalTime(text, 'UTC') !== undefined, 'a time is written 2026-05-14 06:00')
  const why = z.string().min(1)
  return z.union([
    z
      .strictObject({ kind: z.literal('frozen'), from: time, to: time, why })
      .refine(({ from, to }) => (parseLocalTime(from, 'UTC') ?? 0) < (parseLocalTime(to, 'UTC') ?? 0), 'a freeze must end after it begins'),
    z.strictObject({ kind: z.literal('frozen'), whenSet: z.string().min(1), why }),
  ])
}
