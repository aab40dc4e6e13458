import { count, spent } from '../plan/durations.ts'
import type { Json } from '../plan/plan.ts'
import { type Bundle, plain } from '../platforms/platform.ts'
import { backOf, type ReleaseFacts, versionsOf } from './facts.ts'
import { type DoorFigures, type ReleaseRecord, recordOf, targetOf } from './records.ts'

/** `1,842 requests, 0 failed, longest gap 3 ms`; empty where nothing was watched. */
export function doorSays(door: Json | DoorFigures | null): string {
  const figures = door as Partial<DoorFigures> | null
  if (!figures || figures.requests === undefined) return ''
  return `${count(figures.requests)} requests, ${count(figures.failed ?? 0)} failed, longest gap ${count(figures.longestGapMs ?? 0)} ms`
}

/** What serves after a release was taken back, and what users saw of it. */
export function stillServes(facts: ReleaseFacts, results: { get(step: string): Json; back(step: string): Json }): string {
  const door = results.get('front-door/the front door')
  const { serving, standing } = facts
  if (!serving?.release) return 'nothing serves, as before'
  const moved = door !== null && typeof door === 'object' && !Array.isArray(door) && (door as { readonly moved?: boolean }).moved === true
  // In place, what was never verified is not what was put back.
  const back = standing.serving === 'live' ? backOf(facts) : null
  const again = back && back.release !== serving.release ? back : null
  const found = foundIn(results.back('release.replace/live'))
  return [
    servesNow(serving.services, again?.services, back?.services, found),
    moved ? '' : 'traffic never moved',
    doorSays(door) && `front door: ${doorSays(door)}`,
  ]
    .filter(Boolean)
    .join('; ')
}

type Versions = Readonly<Record<string, { readonly version: string }>>

/** What was found when the release had been taken back, if that was looked at: others may have changed it meanwhile. */
function servesNow(before: Versions, again: Versions | undefined, back: Versions | undefined, found: Versions | undefined): string {
  const is = (one: Versions | undefined) => found && one && Object.entries(found).every(([name, { version }]) => one[name]?.version === version)
  if (!found || is(again ?? before)) return again ? `${versionsOf(again)} serves again` : `${versionsOf(before)} still serves`
  return is(back) ? `${versionsOf(found)} serves again` : `${versionsOf(found)} serves, as somebody else has set it`
}

function foundIn(seen: Json): Versions | undefined {
  const { versions } = (seen ?? {}) as { readonly versions?: Readonly<Record<string, string>> }
  return versions && Object.fromEntries(Object.entries(versions).map(([name, version]) => [name, { version }]))
}

/** What a run put there, and what served before it. Of a run that another process finished its record tells: what serves now is what it made. */
export function madeBy(facts: ReleaseFacts, run: string, bundle: Bundle): { bundle: Bundle; previous: string | null; before: string | undefined } {
  const own = facts.records.find(record => record.run === run)
  const { serving, current } = facts
  // What comes back is what was recorded, whatever somebody has made of it since.
  if (!own)
    return { bundle, previous: serving?.release ?? null, before: serving?.release ? versionsOf((current?.bundle ?? serving).services) : undefined }
  const before = recordOf(facts.records, own.previous)
  return { bundle: own.bundle, previous: own.previous, before: before && versionsOf(before.bundle.services) }
}

/** The three figures of the flight recorder, without its chart. */
export function doorFigures(door: Json): Json {
  if (door === null || typeof door !== 'object' || Array.isArray(door)) return null
  const { requests = null, failed = null, longestGapMs = null } = door as { readonly [key: string]: Json }
  return { requests, failed, longestGapMs }
}

/** One row a record: when, how, what, which release, who, how it went, and what it is now. */
export function releaseRows(facts: ReleaseFacts, when: (iso: string) => string): string[][] {
  const target = targetOf(facts.records, facts.serving?.release ?? null)
  return facts.records.map(record => [
    when(record.at),
    record.how,
    versionsOf(record.bundle.services),
    record.release.slice(-6),
    `${record.by.user}${record.approvedBy ? `, approved by ${record.approvedBy}` : ''}`,
    `${spent(record.tookMs)}${record.door ? `, ${record.door.failed} of ${count(record.door.requests)} failed` : ''}`,
    record === facts.current ? 'serves' : record === target ? 'rollback goes here' : '',
  ])
}

/** The releases for machines. */
export function releaseResult(facts: ReleaseFacts): Json {
  return plain({ serving: facts.serving?.release ?? null, releases: facts.records satisfies readonly ReleaseRecord[] })
}
