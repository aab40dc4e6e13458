import type { RefinementCtx, ZodType } from 'zod'
import type { StackDescription } from './describe.ts'

type Z = typeof import('zod')

/** Services that are deployed by new configuration. */
export function configuredSchema(z: Z): ZodType {
  const port = z.int().min(1).max(65_535)
  const inside = z.string().regex(/^[\w-][\w.-]*(\/[\w-][\w.-]*)*$/, 'a path inside the folder of the assets, without . and ..')
  const proof = z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.enum(['prometheus', 'alertmanager']), port, file: inside }),
    z.strictObject({
      kind: z.literal('grafana'),
      port,
      boards: inside.optional(),
      user: z.string().min(1).optional(),
      password: z.string().min(1).optional(),
    }),
    z.strictObject({
      kind: z.literal('http'),
      port,
      path: z.string().startsWith('/', 'a path begins with /'),
      contains: z.string().min(1).optional(),
    }),
  ])
  const service = z.strictObject({
    file: z.string().regex(/^[\w-]+\.ya?ml$/, 'a Compose file beside app.yaml: monitoring.yaml'),
    folder: z
      .string()
      .regex(/^[\w-]+$/, 'the name of a folder beside the Compose file')
      .optional(),
    check: z.array(z.string().min(1)).min(1).optional(),
    apply: z.enum(['HUP', 'restart']).optional(),
    secrets: z
      .record(
        z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'a name has letters, digits and _'),
        z.strictObject({ env: z.string(), hidden: z.literal(true) }, "write secret('NAME')"),
      )
      .optional(),
    proof,
  })
  return z.record(z.string().regex(/^[a-z][a-z0-9-]*$/, 'a name has small letters, digits and dashes'), service)
}

/** A service is either released or configured, what is proven belongs to what is deployed, and only Compose can do it. */
export function configuredKnown({ services = {}, configured = {}, environments }: StackDescription, context: RefinementCtx): void {
  const wrong = (path: readonly string[], message: string) => context.addIssue({ code: 'custom', path: [...path], message })
  for (const [name, { folder, secrets = {}, proof }] of Object.entries(configured)) {
    if (name in services) wrong(['configured', name], `"${name}" is one of the services that are released, too`)
    const named = 'file' in proof ? proof.file : proof.kind === 'grafana' ? proof.boards : undefined
    if (named !== undefined && !named.startsWith(`${folder}/`)) wrong(['configured', name, 'proof'], `"${named}" is not in the folder of ${name}`)
    if (proof.kind === 'grafana' && proof.password !== undefined && !(proof.password in secrets))
      wrong(['configured', name, 'proof', 'password'], `there is no secret "${proof.password}" of ${name}`)
  }
  if (Object.keys(configured).length === 0) return
  for (const [name, { platform }] of Object.entries(environments))
    if (platform && platform.kind !== 'compose')
      wrong(['environments', name, 'platform'], `configured services need compose({ … }), not ${platform.kind}`)
}
