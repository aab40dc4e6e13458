import type { ZodType } from 'zod'
import { parseDuration } from '../plan/durations.ts'
import { Trouble } from '../plan/outcome.ts'
import { SOURCES } from '../sources/registry.ts'
import { STORES } from '../stores/registry.ts'
import type { StackDescription } from './describe.ts'

/** The schema of one member family: the member's own schema is looked up by its kind. */
type Registry = Readonly<Record<string, { readonly options: (z: typeof import('zod')) => ZodType }>>

function member(z: typeof import('zod'), family: string, registry: Registry): ZodType {
  return z.looseObject({ family: z.literal(family), kind: z.enum(Object.keys(registry)), options: z.unknown() }).superRefine((value, context) => {
    const found = registry[value.kind]?.options(z).safeParse(value.options)
    for (const issue of found?.error?.issues ?? []) context.addIssue({ ...issue, path: issue.path } as never)
  })
}

function schema(z: typeof import('zod')): ZodType {
  const name = z.string().regex(/^[a-z][a-z0-9-]*$/, 'a name has small letters, digits and dashes')
  const duration = z.string().refine(text => parseDuration(text) !== undefined, 'a duration is written 30s, 5min, 6h or 30d')
  const timezone = z
    .string()
    .refine(zone => Intl.supportedValuesOf('timeZone').includes(zone) || zone === 'UTC', 'a time zone is written Europe/Paris')
  const recipient = z.string().regex(/^age1[a-z0-9-]+$/, 'an age recipient begins with age1')
  const encryption = z.strictObject({ kind: z.literal('age'), recipients: z.array(recipient).min(1, 'at least one recipient') })
  const argv = z.array(z.string()).min(1)
  const environment = z.strictObject({
    protected: z.boolean().optional(),
    stores: z.array(member(z, 'store', STORES)).min(1, 'at least one store'),
    writers: z.strictObject({ stop: argv, start: argv, running: argv }).optional(),
    data: z.record(name, member(z, 'source', SOURCES)).optional(),
  })
  return z.strictObject({
    name,
    timezone,
    data: z.record(name, member(z, 'source', SOURCES)),
    backups: z
      .strictObject({
        objectives: z.strictObject({ dataLoss: duration.optional(), recovery: duration.optional() }).optional(),
        encryption: encryption.optional(),
        policy: z.enum(['all', 'any']).optional(),
      })
      .optional(),
    environments: z.record(name, environment),
  })
}

/** The stack description, or Trouble(2) that names each wrong field, what was found and what is allowed. */
export async function checkStack(found: unknown, file: string): Promise<StackDescription> {
  const z = await import('zod')
  const result = schema(z).safeParse(found, { reportInput: true })
  if (result.success) return result.data as StackDescription
  const lines = result.error.issues.map(issue => {
    const given = issue.input === undefined || typeof issue.input === 'object' ? '' : `, found ${JSON.stringify(issue.input)}`
    return `${issue.path.join('.') || 'the stack'}: ${issue.message}${given}`
  })
  throw new Trouble(2, `${file} is not a valid stack file:\n  ${lines.join('\n  ')}`, { look: [`less ${file}`] })
}
