import { pointPhrase, when } from '../../backups/listing.ts'
import { prints } from '../../exec/process.ts'
import { plural, spent } from '../../plan/durations.ts'
import type { Json } from '../../plan/plan.ts'
import { plain } from '../../platforms/platform.ts'
import { differenceOf } from '../difference.ts'
import { type ReleaseFacts, versionsOf } from '../facts.ts'
import type { ReleaseRecord } from '../records.ts'
import { platformOf, type ReleaseSite } from '../site.ts'
import type { RehearsalFacts } from './facts.ts'
import type { Back, Judged } from './sentences.ts'
import { partsIn } from './settings.ts'
import { type Verdict, verdictOf } from './verdict.ts'

type Assertion = { readonly title: string; readonly holds: boolean; readonly because: string; readonly mend?: string; readonly exit?: 2 | 3 }

type Asked = { readonly rehearse: boolean; readonly service: readonly string[]; readonly keepSchema: boolean; readonly backup?: string | undefined }

/** What a rehearsal does not go together with, and what is of a rehearsal alone. */
export function rehearsedAlone({ rehearse, service, keepSchema, backup }: Asked): Assertion {
  const odd = rehearse
    ? [
        ...(keepSchema ? ['A rehearsal goes back to nothing, so there is no schema to keep: leave --keep-schema out'] : []),
        ...(service.length > 0 ? ['Configured services are not rehearsed: leave --service out'] : []),
      ]
    : backup === undefined
      ? []
      : ['A rollback leaves the data as it is: --backup is for --rehearse, and restore.ts goes back to a backup']
  return { title: 'the flags go together', holds: odd.length === 0, because: odd.join('\n'), exit: 2 }
}

/** The release is kept from live data, and the point holds what it needs. */
export function keptApart(site: ReleaseSite, { faults, point, schema }: RehearsalFacts): Assertion[] {
  const missing = partsIn(site).copied.filter(part => !(part in (point.manifest?.parts ?? {})))
  return [
    ...faults.map(({ because, mend }) => ({ title: 'nothing leads to live data', holds: false, because, mend })),
    {
      title: 'the point has the data',
      holds: missing.length === 0,
      because: `${point.id} has no ${missing.join(', ')}`,
      mend: `npx zx runbooks/backup.ts --stack=${site.stack} --environment=${site.environment}, or another --backup`,
    },
    {
      title: 'the files of the last migration are there',
      holds: schema === null || schema.kept,
      because: `Nothing is kept of ${versionsOf(schema?.bundle.services ?? {})}, which brought the data to ${schema?.at}, so the copy cannot be brought there`,
    },
  ]
}

/** What is said before a rehearsal. */
export function rehearsalLines(site: ReleaseSite, now: ReleaseFacts, { bundle, point, without, schema }: RehearsalFacts): string[] {
  const { leftOut } = partsIn(site)
  return [
    ...differenceOf(now, bundle),
    `Rehearsal with ${pointPhrase(point, site.timezone)}. What serves and live data are not touched.`,
    ...(schema && !schema.asked ? [`! what serves could not tell where live data stands; by the records it is ${schema.at}`] : []),
    ...(leftOut.length > 0 ? [`! without ${leftOut.join(', ')}: no application is led to a copy of that`] : []),
    ...(without.length > 0 ? [`! without ${without.join(', ')}: it must not run twice, and would do its work again on old data`] : []),
    '',
  ]
}

type Given = { get(step: string): Json }

/** What a rehearsal has found, from the results of its steps. */
export function rehearsalEnd(
  site: ReleaseSite,
  now: ReleaseFacts,
  target: ReleaseRecord,
  facts: RehearsalFacts,
  results: Given,
): { exit: 0 | 7; word: string; says: string; why?: string; look?: string[]; next?: string[]; warnings?: string[]; result: Json } {
  const first = results.get('rehearsal.judge/rehearsal') as unknown as Judged
  const back = results.get('rehearsal.back/copy') as unknown as Back | null
  const second = asJudged(results.get('rehearsal.judge/rehearsal, again'))
  const verdict = verdictOf({ first, back, second, migrated: facts.moved.length > 0, restore: facts.restore, now: facts.lastWrite })
  const version = versionsOf(facts.bundle.services)
  const last = second ?? first
  const log = (last.log ?? first.log)?.split('\n') ?? []
  const warnings =
    last.unasked.length > 0 ? [`smoke tests that only the front door could have answered were not asked: ${last.unasked.join(', ')}`] : []
  const result = plain({
    release: target.release,
    backup: facts.point.id,
    begun: facts.point.manifest?.begun ?? null,
    verdict: verdict.is,
    because: verdict.is === 'safe' ? null : first.because,
    healthyAfterMs: verdict.is === 'safe' ? first.tookMs : null,
    restore: verdict.is === 'restore' ? { backup: verdict.point.id, lostMs: verdict.lostMs } : null,
    down: verdict.is === 'down' ? { from: verdict.from, to: verdict.to } : null,
    smokeTests: last.asked,
  })
  const common = { result, ...(warnings.length > 0 ? { warnings } : {}) }
  if (verdict.is === 'safe')
    return { exit: 0, word: 'SAFE', says: safeSays(site, facts, version, first), next: [rollbackOf(site, target, facts)], ...common }
  const why = [
    `${version} on today’s data: ${first.because}`,
    ...(second?.because ? [`after the migration back: ${second.because}`] : []),
    ...(back?.because ? [`the migration back: ${back.because}`] : []),
  ]
  return { exit: 7, ...sayings(verdict, site, now, target, facts, version), why: why.join('\n'), ...(log.length > 0 ? { look: log } : {}), ...common }
}

const asJudged = (found: Json): Judged | null => (found !== null && 'good' in (found as object) ? (found as unknown as Judged) : null)

function safeSays(site: ReleaseSite, { point, schema, now }: RehearsalFacts, version: string, { tookMs, asked }: Judged): string {
  const tests = asked > 0 ? ` and passed ${plural(asked, 'smoke test')}` : ''
  const at = schema ? `, at migration ${schema.at}` : ''
  const begun = point.manifest?.begun ?? now
  const age = spent(Math.max(0, Date.parse(now) - Date.parse(begun)))
  return `${version} was healthy${tests} in ${spent(tookMs)} on a copy of ${when(begun, site.timezone)} (${age} old)${at}`
}

const place = (site: ReleaseSite) => `--stack=${site.stack} --environment=${site.environment}`

/** The command of the rollback that was rehearsed; what was migrated for good needs its word. */
function rollbackOf(site: ReleaseSite, target: ReleaseRecord, { moved }: Pick<RehearsalFacts, 'moved'>): string {
  const forGood = moved.some(({ migration }) => migration?.reversible === false)
  return `npx zx runbooks/rollback.ts ${place(site)} --to=${target.release}${forGood ? ' --keep-schema=KEEP' : ''}`
}

function sayings(
  verdict: Exclude<Verdict, { is: 'safe' }>,
  site: ReleaseSite,
  now: ReleaseFacts,
  target: ReleaseRecord,
  facts: RehearsalFacts,
  version: string,
): { word: string; says: string; next?: string[] } {
  const rollback = rollbackOf(site, target, facts)
  if (verdict.is === 'down')
    return {
      word: 'NEEDS A DOWN-MIGRATION',
      says: `${version} is fit once the data is migrated back from ${verdict.from} to ${verdict.to}`,
      next: [`${downCommand(site, now, facts, verdict.to)}   # while nothing writes`, rollback],
    }
  if (verdict.is === 'restore')
    return {
      word: 'RESTORE NEEDED',
      says: `you would lose ${spent(verdict.lostMs)} of writes`,
      next: [
        `npx zx runbooks/restore.ts ${place(site)} --backup=${verdict.point.id}   # then`,
        `${rollback}   # whether it starts on that data was not rehearsed`,
      ],
    }
  const says =
    verdict.why === 'no migration'
      ? `${version} does not fit, and the data was not migrated since: neither a migration back nor a restore would help`
      : `${version} does not fit, and no sound recovery point is older than the migration: there is no way back to it`
  return { word: 'NOT SAFE', says }
}

/** The stack's own command, in the release that brought the migration, on live data. */
function downCommand(site: ReleaseSite, now: ReleaseFacts, { schema }: RehearsalFacts, to: string): string {
  const { migrate } = site.deploy
  if (!migrate?.down || !schema) return ''
  const slot = Object.entries(now.standing.slots).find(([, { release }]) => release === schema.bundle.release)?.[0] ?? now.standing.idle
  const argv = migrate.down.map(word => word.replaceAll('{to}', to))
  return prints(platformOf(site).once({ ...schema.bundle, slot }, migrate.service, argv))
}
