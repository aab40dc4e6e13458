import type { Doing } from '../plan/plan.ts'
import type { ReleaseSite } from '../releases/site.ts'

/** What serves now, for the question which version is to come: `(now 1.4.1, verified Mon 14:02)`; nothing where nobody can tell. */
export async function nowServes({ site, doing }: { site: ReleaseSite; doing: Doing }): Promise<string> {
  const { lookAtReleases, versionsOf } = await import('../releases/facts.ts')
  const { when } = await import('../backups/listing.ts')
  const facts = await lookAtReleases(site, doing).catch(() => undefined)
  if (!facts?.serving?.release) return ''
  const verified = facts.current ? `, verified ${when(facts.current.at, site.timezone)}` : ', never verified'
  return `(now ${versionsOf(facts.serving.services)}${verified})`
}

/** Whether what is asked for is a release: a configured service needs no version. */
export const isReleased = ({ site, options }: { site: ReleaseSite; options: { readonly service: readonly string[] } }): boolean =>
  !options.service.some(name => site.configured?.has(name))

/** Whether a rollback is only tried, on a copy that may have to be decrypted. */
export const isRehearsed = ({ site, options }: { site: ReleaseSite; options: { readonly rehearse: boolean } }): boolean =>
  options.rehearse && site.encryption !== undefined
