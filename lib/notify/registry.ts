import type { ZodType } from 'zod'
import { redact } from '../plan/secrets.ts'
import { EVENTS, type Notifier, type On, SEVERITIES } from './notify.ts'

type Z = typeof import('zod')

/** What a stack file may say of a channel, and how it is built; a member's code is loaded when a stack has it. */
export type NotifierEntry = {
  readonly options: (z: Z) => ZodType
  readonly make: (options: never) => Promise<Notifier>
}

const text = (z: Z) => z.union([z.string().min(1), z.strictObject({ env: z.string(), hidden: z.boolean() })])
const hidden = (z: Z) => z.strictObject({ env: z.string(), hidden: z.literal(true) }, "write secret('NAME')")
const on = (z: Z) => z.array(z.enum([...EVENTS, ...SEVERITIES])).min(1, 'at least one event or severity')
const named = (z: Z) => ({ name: z.string().min(1).optional() })

/** Every kind of channel by the name that stack files use. */
export const NOTIFIERS = {
  slack: {
    options: z => z.strictObject({ ...named(z), webhook: hidden(z), on: on(z) }),
    make: async options => (await import('./slack.ts')).slack(options),
  },
  discord: {
    options: z => z.strictObject({ ...named(z), webhook: hidden(z), on: on(z) }),
    make: async options => (await import('./discord.ts')).discord(options),
  },
  email: {
    options: z =>
      z.strictObject({
        ...named(z),
        smtp: hidden(z),
        to: z.union([text(z), z.array(z.string().min(1)).min(1)]),
        from: text(z).optional(),
        on: on(z),
      }),
    make: async options => (await import('./email.ts')).email(options),
  },
  pagerduty: {
    options: z => z.strictObject({ ...named(z), key: hidden(z), url: z.url({ protocol: /^https?$/ }).optional(), on: on(z) }),
    make: async options => (await import('./pagerduty.ts')).pagerduty(options),
  },
  webhook: {
    options: z => z.strictObject({ ...named(z), url: hidden(z), authorization: hidden(z).optional(), on: on(z) }),
    make: async options => (await import('./webhook.ts')).webhook(options),
  },
  deadman: {
    options: z => z.strictObject({ ...named(z), url: hidden(z), runbook: z.string().min(1).optional() }),
    make: async options => (await import('./deadman.ts')).deadman(options),
  },
} as const satisfies Readonly<Record<string, NotifierEntry>>

/** A channel that could not be built, such as one whose secret is not set. It takes every message and fails with the reason, so that this is told and the work still done. */
export function unbuilt(kind: string, options: { readonly name?: unknown }, error: unknown): Notifier {
  return {
    name: typeof options.name === 'string' ? options.name : kind,
    kind,
    on: [...EVENTS] satisfies readonly On[],
    send: () => Promise.reject(new Error(redact(error instanceof Error ? error.message : String(error)))),
  }
}
