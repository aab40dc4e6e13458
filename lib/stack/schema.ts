import type { ZodType } from 'zod'
import { cronFields, longestGapMs } from '../backups/schedule.ts'
import { CHECKS } from '../checks/registry.ts'
import { NOTIFIERS } from '../notify/registry.ts'
import { ms, parseDuration, spent } from '../plan/durations.ts'
import { Trouble } from '../plan/outcome.ts'
import { PLATFORMS } from '../platforms/registry.ts'
import { SOURCES } from '../sources/registry.ts'
import { STORES } from '../stores/registry.ts'
import { configuredKnown, configuredSchema } from './configured-schema.ts'
import { deploySchema, freezeSchema, rehearsedKnown, servicesKnown, servicesSchema } from './deploy-schema.ts'
import type { StackDescription } from './describe.ts'
import { placesKnown } from './places.ts'
import { setupKnown, setupSchema } from './setup-schema.ts'

/** The schema of one member family: the member's own schema is looked up by its kind. */
type Registry = Readonly<Record<string, { readonly options: (z: typeof import('zod')) => ZodType }>>

function member(z: typeof import('zod'), family: string, registry: Registry): ZodType {
  return z.looseObject({ family: z.literal(family), kind: z.enum(Object.keys(registry)), options: z.unknown() }).superRefine((value, context) => {
    const found = registry[value.kind]?.options(z).safeParse(value.options, { reportInput: true })
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
  const fromEnv = z.strictObject({ env: z.string(), hidden: z.boolean() })
  const encryption = z.strictObject({ kind: z.literal('age'), recipients: z.array(z.union([recipient, fromEnv])).min(1, 'at least one recipient') })
  const argv = z.array(z.string()).min(1)
  const kept = z.int('a whole number').min(1, 'at least 1').optional()
  const keep = z
    .strictObject({ days: kept, last: kept, hourly: kept, daily: kept, weekly: kept, monthly: kept, yearly: kept })
    .refine(rules => Object.values(rules).some(n => n !== undefined), 'at least one of days, last, hourly, daily, weekly, monthly, yearly')
  const schedule = z.strictObject({
    runbook: z.enum(RUNBOOKS),
    cron: z.string().superRefine((cron, context) => {
      try {
        cronFields(cron)
      } catch (error) {
        context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : String(error), input: cron })
      }
    }),
    options: z.array(z.string().startsWith('--')).optional(),
  })
  const environment = z.strictObject({
    checks: z.array(member(z, 'check', CHECKS)).optional(),
    schedules: z.array(schedule).optional(),
    setup: setupSchema(z).optional(),
    platform: member(z, 'platform', PLATFORMS).optional(),
    approvals: z.int().min(0).max(5).optional(),
    freeze: z.array(freezeSchema(z)).optional(),
    protected: z.boolean().optional(),
    stores: z.array(member(z, 'store', STORES)).min(1, 'at least one store'),
    writers: z.strictObject({ stop: argv, start: argv, running: argv }).optional(),
    notify: z.array(member(z, 'notifier', NOTIFIERS)).optional(),
    // The collector reads no other files.
    metrics: z.string().endsWith('.prom', 'a metrics file ends with .prom').optional(),
    data: z.record(name, member(z, 'source', SOURCES)).optional(),
  })
  const stack = z.strictObject({
    name,
    timezone,
    services: servicesSchema(z).optional(),
    configured: configuredSchema(z).optional(),
    deploy: deploySchema(z).optional(),
    data: z.record(name, member(z, 'source', SOURCES)),
    backups: z
      .strictObject({
        objectives: z.strictObject({ dataLoss: duration.optional(), recovery: duration.optional() }).optional(),
        encryption: encryption.optional(),
        policy: z.enum(['all', 'any']).optional(),
        keep: keep.optional(),
      })
      .optional(),
    checks: z.array(member(z, 'check', CHECKS)).optional(),
    setup: setupSchema(z).optional(),
    schedules: z.array(schedule).optional(),
    environments: z.record(name, environment),
  })
  return stack.superRefine((value, context) => {
    servicesKnown(value as unknown as StackDescription, context)
    rehearsedKnown(value as unknown as StackDescription, context)
    configuredKnown(value as unknown as StackDescription, context)
    placesKnown(value as unknown as StackDescription, context)
    setupKnown(value as unknown as StackDescription, context)
  })
}

/** The runbooks that may be scheduled. */
const RUNBOOKS = ['backup', 'backup-verify', 'backup-prune', 'restore-drill', 'doctor', 'health-check'] as const

/** A data-loss objective that the schedule cannot keep, as a sentence; undefined when it can, or when there is no schedule. */
async function brokenPromise(stack: StackDescription): Promise<string | undefined> {
  const allowed = stack.backups?.objectives?.dataLoss
  if (!allowed) return undefined
  for (const [name, environment] of Object.entries(stack.environments)) {
    const crons = (environment.schedules ?? stack.schedules ?? []).flatMap(({ runbook, cron }) => (runbook === 'backup' ? [cron] : []))
    const gap = crons.length > 0 ? longestGapMs(crons, stack.timezone) : 0
    // The clock change makes one night of the year an hour longer.
    if (gap > ms(allowed) + 3_600_000)
      return `backups.objectives.dataLoss: ${allowed} is shorter than the longest time between two backups of ${name} (${spent(gap)})`
  }
  return undefined
}

/** The stack description, or Trouble(2) that names each wrong field, what was found and what is allowed. */
export async function checkStack(found: unknown, file: string): Promise<StackDescription> {
  const z = await import('zod')
  const result = schema(z).safeParse(found, { reportInput: true })
  if (result.success) {
    const broken = await brokenPromise(result.data as StackDescription)
    if (broken) throw new Trouble(2, `${file} is not a valid stack file:\n  ${broken}`, { look: [`less ${file}`] })
    return result.data as StackDescription
  }
  const lines = result.error.issues.map(issue => {
    const given = issue.input === undefined || typeof issue.input === 'object' ? '' : `, found ${JSON.stringify(issue.input)}`
    return `${issue.path.join('.') || 'the stack'}: ${issue.message}${given}`
  })
  throw new Trouble(2, `${file} is not a valid stack file:\n  ${lines.join('\n  ')}`, { look: [`less ${file}`] })
}
