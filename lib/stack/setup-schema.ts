import type { RefinementCtx, ZodType } from 'zod'
import type { StackDescription } from './describe.ts'
import { secretOrder } from './setup.ts'

type Z = typeof import('zod')

/** What a stack file may say of a new environment. */
export function setupSchema(z: Z): ZodType {
  const name = z.string().regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/, 'an object of Kubernetes has small letters, digits, - and .')
  const key = z.string().regex(/^[\w.-]+$/, 'a key has letters, digits, -, _ and .')
  const reference = z.strictObject({ env: z.string(), hidden: z.boolean() })
  const text = z.union([z.string().min(1), reference])
  const value = z.union(
    [
      z.string().min(1),
      z.strictObject({
        kind: z.literal('random'),
        // Fewer can be guessed; more than a Secret of a database needs is a slip.
        bytes: z.int().min(16, 'at least 16 bytes').max(4096),
        as: z.enum(['hex', 'base64', 'base64url']),
      }),
      z.strictObject({ kind: z.literal('from'), setting: reference, optional: z.boolean() }),
      z.strictObject({ kind: z.literal('account') }),
      z.strictObject({ kind: z.literal('composed'), text: z.string().regex(/\{[^/{}]+\/[^{}]+\}/, 'a composed value names others as {secret/key}') }),
    ],
    "a text, random(32), from(secret('NAME')) or composed('…{secret/key}…')",
  )
  const secret = z.union([
    z.strictObject({ kind: z.literal('certificate'), host: z.string().regex(/^[a-z0-9.-]+$/, 'a host name') }),
    z.strictObject({ kind: z.literal('registry'), server: text, username: reference, password: reference, optional: z.boolean() }),
    z.record(key, value).refine(keys => Object.keys(keys).length > 0, 'at least one key'),
  ])
  return z.strictObject({
    secrets: z.record(name, secret).optional(),
    configMaps: z.record(name, z.record(key, z.union([z.string(), reference, z.strictObject({ file: z.string().min(1) })]))).optional(),
  })
}

/** Composed values name keys that there are, and no value is made of itself. */
export function setupKnown({ setup, environments }: StackDescription, context: RefinementCtx): void {
  const places = [
    [['setup'], setup] as const,
    ...Object.entries(environments).map(([name, one]) => [['environments', name, 'setup'], one.setup] as const),
  ]
  for (const [path, said] of places) {
    const wrong = secretOrder(said?.secrets ?? {}).wrong
    if (wrong !== undefined) context.addIssue({ code: 'custom', path: [...path, 'secrets'], message: wrong })
  }
}
