import type { Point } from '../../backups/catalogue.ts'
import { choose, usable } from '../../backups/choose.ts'
import { lookAt } from '../../backups/facts.ts'
import { run } from '../../exec/process.ts'
import type { Doing } from '../../plan/plan.ts'
import type { Bundle } from '../../platforms/platform.ts'
import { REHEARSAL } from '../../platforms/rehearsal.ts'
import type { PartFacts } from '../../sources/source.ts'
import type { ReleaseFacts } from '../facts.ts'
import type { ReleaseRecord } from '../records.ts'
import { type Migrate, platformOf, type ReleaseSite } from '../site.ts'
import { type Fault, ledAwayOn, partsIn } from './settings.ts'
import type { Until } from './verdict.ts'

/** Everything that a rehearsal is planned from. */
export type RehearsalFacts = {
  readonly point: Point
  readonly parts: readonly PartFacts[]
  readonly bundle: Bundle
  /** Records of migrations since the release served, newest first. */
  readonly moved: readonly ReleaseRecord[]
  /** The release that brings the copy to the schema of today, and the id of that; `asked` is false where only the records could tell. Null without migrations. */
  readonly schema: { readonly bundle: Bundle; readonly at: string; readonly asked: boolean; readonly kept: boolean } | null
  /** Services that must not run twice: they would do their work a second time, on old data. */
  readonly without: readonly string[]
  readonly faults: readonly Fault[]
  /** The platform's time, ISO 8601. */
  readonly now: string
  readonly restore: Until | undefined
  /** The last moment of which a restore would lose something, ISO 8601. */
  readonly lastWrite: string
}

/** Migrations that came after a release, newest first: those of newer records that changed something. */
export function movedSince(records: readonly ReleaseRecord[], target: ReleaseRecord): ReleaseRecord[] {
  const newer = records.slice(0, records.indexOf(target))
  return newer.filter(({ migration }) => migration !== null && migration.before !== migration.after)
}

/** The recovery point from before these migrations: the one that was taken for the first of them, or the newest sound one that is older. */
export function pointBefore(moved: readonly ReleaseRecord[], points: readonly Point[]): Until | undefined {
  const first = moved.at(-1)
  if (!first) return undefined
  const sound = usable(points)
  const began = Date.parse(first.at) - first.tookMs
  const older = sound.filter(({ manifest }) => Date.parse(manifest?.begun ?? '') <= began).sort((a, b) => (begunOf(a) < begunOf(b) ? 1 : -1))
  const found = sound.find(({ id }) => id === first.backup) ?? older[0]
  return found && { id: found.id, begun: begunOf(found) }
}

const begunOf = ({ manifest }: Point): string => manifest?.begun ?? ''

/** Looks at what a rehearsal needs; changes nothing, and reads of live data only how much there is, of when, and at which migration. */
export async function lookAtRehearsal(
  site: ReleaseSite,
  now: ReleaseFacts,
  target: { readonly record: ReleaseRecord; readonly bundle: Bundle },
  asked: { readonly backup: string | undefined; readonly run: string },
  doing: Doing,
): Promise<RehearsalFacts> {
  const { copied } = partsIn(site)
  const data = await lookAt(site, doing, copied)
  const point = choose(data.points, { backup: asked.backup }, site.timezone)
  const bundle = { ...target.bundle, slot: REHEARSAL }
  const moved = movedSince(now.records, target.record)
  const schema = await schemaOf(site, now, doing)
  const kept = schema !== null && (await platformOf(site).staged(schema.bundle.release, doing)) !== null
  const all = [bundle, ...(schema && kept ? [schema.bundle] : [])]
  const faults = (await Promise.all(all.map(one => ledAwayOn(site, one, asked.run, doing)))).flatMap(one => one.faults)
  return {
    point,
    parts: data.parts,
    bundle,
    moved,
    schema: schema && { ...schema, kept },
    without: Object.keys(bundle.services).filter(name => site.services.get(name)?.twice === 'never'),
    faults: faults.filter((fault, i) => faults.findIndex(({ because }) => because === fault.because) === i),
    now: now.time,
    restore: pointBefore(moved, data.points),
    lastWrite: lastWrite(data.parts, now.time),
  }
}

/**
 * Where live data stands, as the release that serves tells by the stack's own command, which every deploy asks, too; by the records where it cannot
 * tell. With the release that brings a copy there: the one that brought live data there, or the one that serves.
 */
async function schemaOf(site: ReleaseSite, now: ReleaseFacts, doing: Doing): Promise<Omit<NonNullable<RehearsalFacts['schema']>, 'kept'> | null> {
  const { migrate } = site.deploy
  if (!migrate) return null
  const [newest] = now.records.filter(({ migration }) => migration !== null)
  const { current, standing } = now
  const asked = current && standing.serving !== null ? await askedAt(site, { ...current.bundle, slot: standing.serving }, migrate, doing) : undefined
  const at = asked ?? newest?.migration?.after
  if (at === undefined) return null
  const brought = now.records.find(({ migration }) => migration?.after === at)?.bundle ?? current?.bundle ?? newest?.bundle
  return brought ? { bundle: { ...brought, slot: REHEARSAL }, at, asked: asked !== undefined } : null
}

/** The last line of the answer; undefined when there was none. */
async function askedAt(site: ReleaseSite, serving: Bundle, { service, at }: Migrate, doing: Doing): Promise<string | undefined> {
  const { code, stdout } = await run(platformOf(site).once(serving, service, at), doing)
  return code === 0 ? stdout.trimEnd().split('\n').at(-1)?.trim() || undefined : undefined
}

/** The newest record, where every part can tell; else now. */
function lastWrite(parts: readonly PartFacts[], now: string): string {
  const newest = parts.map(part => part.newest)
  if (newest.length === 0 || newest.includes(undefined)) return now
  return newest.reduce<string>((last, one) => (one !== undefined && Date.parse(one) > Date.parse(last) ? one : last), newest[0] ?? now)
}
