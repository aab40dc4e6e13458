import { loadPart, unloadPart } from '../../backups/sentences.ts'
import type { DataSite } from '../../backups/site.ts'
import { describedPart, placeOf } from '../../backups/verify.ts'
import { result, step, together } from '../../plan/nodes.ts'
import type { Node } from '../../plan/plan.ts'
import { type ReleaseFacts, versionsOf } from '../facts.ts'
import { fetchImages } from '../sentences.ts'
import type { ReleaseSite } from '../site.ts'
import type { RehearsalFacts } from './facts.ts'
import { type After, judgeThere, migrateCopy, migrateCopyBack, putThere, removeRehearsal, startThere, stopThere } from './sentences.ts'
import { partsIn } from './settings.ts'

/** Budgets in milliseconds, as those of a release. A judgement ends by itself, in its own time; what is added is for a look that is slow. */
const START_MS = 120_000
const FETCH_MS = 20 * 60_000
const MIGRATE_MS = 60 * 60_000

/** What a rehearsal is made from. */
export type Rehearsed = {
  readonly site: ReleaseSite
  readonly now: ReleaseFacts
  readonly facts: RehearsalFacts
  readonly run: { readonly short: string }
}

/** Whether there is a way back for every migration since the release served. */
export const reversible = (site: ReleaseSite, { moved, schema }: RehearsalFacts): boolean =>
  moved.length > 0 && schema !== null && site.deploy.migrate?.down !== undefined && moved.every(({ migration }) => migration?.reversible === true)

/** Load a copy, bring it to today's schema, start the former release on it, judge it, and throw everything away. */
export function rehearsalPlan({ site, now, facts, run }: Rehearsed): Node[] {
  const { bundle, schema, without } = facts
  const name = versionsOf(bundle.services)
  const { copied } = partsIn(site)
  const bundles = [bundle, ...(schema ? [schema.bundle] : [])]
  const start = { run: run.short, bundle, without, after: null }
  const judge = { ...start, budgetMs: site.deploy.budgetMs, about: { since: now.time } }
  const judging = step('Judge it on the copy', judgeThere(judge), { budgetMs: site.deploy.budgetMs + START_MS })
  return [
    step('Fetch the images', fetchImages(bundle), { budgetMs: FETCH_MS }),
    ...(copied.length > 0
      ? [
          together(
            'Load a copy of the data',
            copied.map(part => load(part, site, facts, run.short)),
          ),
        ]
      : []),
    step(`Put ${name} beside everything, led to the copy`, putThere({ run: run.short, bundles }), { budgetMs: START_MS }),
    ...(schema
      ? [
          step(`Migrate the copy to ${schema.at}, as live data is`, migrateCopy({ run: run.short, bundle: schema.bundle, to: schema.at }), {
            budgetMs: MIGRATE_MS,
          }),
        ]
      : []),
    step(`Start ${name} on the copy`, startThere(start), { budgetMs: START_MS }),
    judging,
    ...(reversible(site, facts) ? backAndAgain({ site, now, facts, run }, { judged: result(judging) }) : []),
    step('Remove the rehearsal', removeRehearsal({ run: run.short }), { budgetMs: START_MS }),
    ...(copied.length > 0
      ? [
          together(
            'Throw the copy away',
            copied.map(part => step(`Remove the scratch ${part}`, unloadPart(part, 'scratch', run.short))),
          ),
        ]
      : []),
  ]
}

const load = (part: string, site: DataSite, { point }: RehearsalFacts, run: string) =>
  step(`Load ${part} into a scratch place`, loadPart(part, 'scratch', run, { ...placeOf(site, point), described: describedPart(point, part) }))

/** Only where it did not fit: migrate the copy back, and start the release once more. */
function backAndAgain({ site, now, facts, run }: Rehearsed, first: NonNullable<After>): Node[] {
  const { bundle, schema, moved, without } = facts
  if (!schema) return []
  const to = moved.at(-1)?.migration?.before ?? ''
  const name = versionsOf(bundle.services)
  const back = step(
    `Migrate the copy back to ${to}, if it did not fit`,
    migrateCopyBack({ run: run.short, bundle: schema.bundle, to, after: first }),
    {
      budgetMs: MIGRATE_MS,
    },
  )
  const after = { ...first, back: result(back) }
  const start = { run: run.short, bundle, without, after }
  return [
    step(`End ${name}, if it did not fit`, stopThere({ run: run.short, after: first }), { budgetMs: START_MS }),
    back,
    step(`Start ${name} on it once more`, startThere(start), { budgetMs: START_MS }),
    step('Judge it once more', judgeThere({ ...start, budgetMs: site.deploy.budgetMs, about: { since: now.time } }), {
      budgetMs: site.deploy.budgetMs + START_MS,
    }),
  ]
}
