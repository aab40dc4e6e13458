import type { Doing, Node } from '../plan/plan.ts'
import { redact } from '../plan/secrets.ts'
import type { Bundle } from '../platforms/platform.ts'
import { type NewRelease, releasePlan } from './deploy.ts'
import { type ReleaseFacts, versionsOf } from './facts.ts'
import type { ReleaseRecord } from './records.ts'
import { platformOf, type ReleaseSite } from './site.ts'

/** The bundle of a release as it comes back: where it still stands, or in the idle slot. */
export function rolledBack(facts: ReleaseFacts, target: ReleaseRecord): Bundle {
  const standing = Object.entries(facts.standing.slots).find(([, slot]) => slot.release === target.release)
  return { ...target.bundle, slot: standing?.[0] ?? facts.standing.idle }
}

/** The same steps as a deploy, with what was recorded instead of what is new: today's files and secrets have no part in it. */
export function rollbackPlan(what: Omit<NewRelease, 'migrates' | 'before'>): Node[] {
  return releasePlan({ ...what, migrates: false, before: [] })
}

/** Hashes of the files that are kept of a release; null when none are. */
export const keptFiles = (site: ReleaseSite, bundle: Bundle, doing: Doing) => platformOf(site).staged(bundle.release, doing)

/** Why there is nothing to go back to. */
export function nothingToGoBackTo(site: ReleaseSite, facts: ReleaseFacts, to: string | undefined) {
  const one = facts.records.length > 0 ? 'nothing was verified before what serves' : 'no release was ever verified here'
  return {
    title: 'there is a release to go back to',
    holds: false,
    because: to === undefined ? `There is nothing to go back to: ${one}` : `There is no verified release "${to}", or several end with it`,
    mend: `npx zx runbooks/releases.ts --stack=${site.stack} --environment=${site.environment}`,
  }
}

/** The files that it had are still there, as they were. */
export function stillThere(bundle: Bundle, kept: Readonly<Record<string, string>> | null) {
  const wrong = Object.entries(bundle.files).filter(([name, hash]) => kept?.[name] !== hash)
  return [
    {
      title: 'its files are there',
      holds: wrong.length === 0,
      because: `Of ${versionsOf(bundle.services)}, ${wrong.map(([name]) => name).join(', ')} ${kept === null ? 'is gone' : 'is not as it was'}`,
      mend: 'deploy that version instead: npx zx runbooks/deploy.ts',
    },
  ]
}

/** Secrets that are not what a release had, by name, on a platform that gives it today's when it comes back. */
export async function otherSecrets(site: ReleaseSite, { secrets }: Bundle, doing: Doing): Promise<string[]> {
  const platform = platformOf(site)
  if (!platform.secretsOfToday) return []
  try {
    const now = (await platform.draft(doing)).secrets
    const other = [...new Set([...Object.keys(now), ...Object.keys(secrets)])].filter(name => now[name] !== secrets[name]).sort()
    return other.length > 0 ? [`it comes back with the secrets of today, and these were others then: ${other.join(', ')}`] : []
  } catch (error) {
    // Files of today that are not valid are no reason not to go back.
    doing.signal.throwIfAborted()
    return [`whether the secrets of today are those that it had is not known: ${redact(error instanceof Error ? error.message : String(error))}`]
  }
}

/**
 * Whether the data stands where the release to go back to knew it. It ran on data that was migrated with a way back while it was replaced; what was
 * migrated for good it may not understand: then only a restore goes back, or a person's word.
 */
export function schemaFits(site: ReleaseSite, facts: ReleaseFacts, target: ReleaseRecord, keepSchema: boolean) {
  const newer = facts.records.slice(0, facts.records.indexOf(target))
  const moved = newer.filter(({ migration }) => migration !== null && migration.before !== migration.after)
  const forGood = moved.find(({ migration }) => migration?.reversible === false)
  const to = `--stack=${site.stack} --environment=${site.environment}`
  return {
    title: 'the data fits',
    holds: forGood === undefined || keepSchema,
    because: forGood
      ? `${versionsOf(forGood.bundle.services)} migrated the data for good (${forGood.migration?.before} → ${forGood.migration?.after}); ${versionsOf(target.bundle.services)} has never run on it`
      : '',
    mend: forGood?.backup
      ? `npx zx runbooks/rollback.ts ${to} --rehearse, to know whether the old version understands the data; npx zx runbooks/restore.ts ${to} --backup=${forGood.backup}, and then roll back with --keep-schema=KEEP; or --keep-schema=KEEP alone, if it does`
      : `npx zx runbooks/rollback.ts ${to} --rehearse, to know whether the old version understands the data; --keep-schema=KEEP, if it does (it is recorded)`,
    ...(moved.length > 0 ? { note: `the data stays at migration ${moved[0]?.migration?.after}` } : {}),
  }
}
