import { count, plural } from '../plan/durations.ts'
import { gate, inTurn, step, tidy, together } from '../plan/nodes.ts'
import type { Doing, Node, Seen } from '../plan/plan.ts'
import { saveThePresent } from './back-up.ts'
import type { Point } from './catalogue.ts'
import type { DataFacts } from './facts.ts'
import { type LossRow, lossOf } from './loss.ts'
import type { Manifest } from './manifest.ts'
import {
  comparePart,
  forgetRuns,
  holdPart,
  loadPart,
  lossIn,
  partAnswers,
  type RestoreRecord,
  recordRestore,
  releasePart,
  swapPart,
  swapPartBack,
  writersTo,
} from './sentences.ts'
import { type DataSite, firstStore, folderOf, partOf } from './site.ts'
import { describedPart, examineParts, placeOf } from './verify.ts'

/** What a restore's plan is made from. */
export type Restoring = {
  readonly site: DataSite
  readonly facts: DataFacts
  readonly point: Point
  /** Parts to restore. */
  readonly parts: readonly string[]
  readonly run: { readonly id: string; readonly short: string }
  readonly saveFirst: boolean
  /** Whether writers run that are stopped from outside; what stands still is neither stopped nor started. */
  readonly writing: boolean
  /** Runs whose set-aside data is old enough to be let go of, by part. */
  readonly old: Readonly<Record<string, readonly string[]>>
}

/** How long a gate waits for the typed name while loaded data stands beside. */
const GATE_MS = 2 * 3_600_000

/** How long what a restore set aside is kept for its undo. */
export const ASIDE_KEPT_MS = 7 * 86_400_000

const namesOf = (point: Point, part: string) => Object.keys(point.manifest?.parts[part]?.content.items ?? {})

/** Whether live data of a part can be read and locked; a ruined database has no writers to lock out. */
const stands = (facts: DataFacts, part: string) => facts.parts.find(found => found.name === part)?.state === 'answers'

/** Verify, save the present, load beside, compare, ask, lock writers out, swap, let them in, check. */
export function restorePlan(restoring: Restoring): Node[] {
  const { site, facts, point, parts, run, saveFirst, writing, old } = restoring
  const manifest = point.manifest as Manifest
  const readable = facts.parts.filter(part => part.state === 'answers')
  return [
    together(
      "Verify the backup's bytes",
      examineParts(site, point, true).filter(step => parts.some(part => step.change.of.startsWith(`${part} of `))),
    ),
    ...(saveFirst && readable.length > 0 ? [saveThePresent({ site, parts: readable, points: facts.points, run: run.id })] : []),
    together(
      'Load beside',
      parts.map(part =>
        step(`Load ${part} beside`, loadPart(part, 'beside', run.short, { ...placeOf(site, point), described: describedPart(point, part) })),
      ),
    ),
    together(
      'Compare with the manifest',
      parts.map(part => step(`Compare ${part}`, comparePart(part, 'beside', run.short, manifest, true))),
    ),
    gate('Swap, with the losses counted again?', {
      id: 'gate/swap',
      shows: parts.map(part => lossIn(part, manifest)),
      answer: { typed: `${site.stack}/${site.environment}` },
      unattended: 'undo',
      deadlineMs: GATE_MS,
    }),
    step('Write down what is set aside', recordRestore(firstStore(site).name, `${folderOf(site)}/${point.id}`, recordOf(restoring))),
    ...shutOut(
      site,
      parts.filter(part => stands(facts, part)),
      run.short,
      writing,
    ),
    inTurn(
      'Swap',
      parts.map(part => step(`Swap ${part}`, swapPart(part, run.short, namesOf(point, part)))),
    ),
    ...letIn(
      site,
      parts.filter(part => stands(facts, part)),
      run.short,
      writing,
    ),
    together(
      'Check',
      parts.map(part => step(`${part} answers`, partAnswers(part))),
    ),
    ...parts.flatMap(part =>
      (old[part]?.length ?? 0) > 0 ? [tidy(`Let go of what old restores set aside in ${part}`, forgetRuns(part, old[part] ?? []))] : [],
    ),
  ]
}

function recordOf({ facts, point, parts, run }: Restoring): RestoreRecord {
  const described = parts.map(part => {
    const state = facts.parts.find(found => found.name === part)?.state
    return [part, { names: namesOf(point, part), hadLive: state !== 'missing', answered: state === 'answers' }] as const
  })
  return { run: run.id, short: run.short, point: point.id, parts: Object.fromEntries(described) }
}

function shutOut(site: DataSite, parts: readonly string[], short: string, writing: boolean): Node[] {
  const lockable = parts.filter(part => partOf(site, part).lock)
  return [
    ...(writing ? [step('Stop writers', writersTo('stopped', short))] : []),
    ...lockable.map(part => step(`Lock writers out of ${part}`, holdPart(part, short))),
  ]
}

function letIn(site: DataSite, parts: readonly string[], short: string, writing: boolean): Node[] {
  const lockable = parts.filter(part => partOf(site, part).lock)
  return [
    ...lockable.map(part => step(`Let writers into ${part}`, releasePart(part, short))),
    ...(writing ? [step('Start writers', writersTo('running', short))] : []),
  ]
}

/** Whether something writes that can be stopped from outside. */
export const writes = async (site: DataSite, doing: Doing): Promise<boolean> => (await site.writers?.running(doing)) ?? false

/** Take a finished restore back: what it set aside becomes live again, what it restored stands beside. */
export function undoPlan(site: DataSite, record: RestoreRecord, short: string, writing: boolean): Node[] {
  const parts = Object.entries(record.parts).filter(([, { hadLive }]) => hadLive)
  const names = parts.map(([part]) => part)
  return [
    ...shutOut(site, names, short, writing),
    inTurn(
      'Swap back',
      parts.map(([part, described]) => step(`Swap ${part} back`, swapPartBack(part, record.short, described.names, { live: -1, beside: -1 }))),
    ),
    ...letIn(site, names, record.short, writing),
    together(
      'Check',
      // What could not be read before the restore cannot be read after its undo.
      parts.filter(([, { answered }]) => answered).map(([part]) => step(`${part} answers`, partAnswers(part))),
    ),
  ]
}

/** The rows of what would be lost, part by part. */
export function lossRows(facts: DataFacts, point: Point, parts: readonly string[]): (LossRow & { part: string })[] {
  return facts.parts
    .filter(part => parts.includes(part.name))
    .flatMap(part => lossOf(part, point.manifest?.parts[part.name]?.content.items ?? {}).map(row => ({ ...row, part: part.name })))
}

/** What is lost, in a sentence: `3 h 12 min of writes: 1,303 items at least`. */
export function lossSentence(span: string, lost: number, counted = true): string {
  if (lost > 0) return `You would lose ${span} of writes: ${plural(lost, 'item')} at least.`
  return counted
    ? `You would lose what was written in the last ${span}. By the counts alone, no item is lost.`
    : `You would lose ${span} of changes; how many cannot be counted.`
}

/** Rows that a gate shows: they must fit on a screen below the tree. */
const GATE_ROWS = 10

/** The rows of the losses as counted right before asking, the greatest first; only what is not the same now as in the backup. */
export function gateRows(shows: readonly Seen[]): (LossRow & { part: string })[] {
  const all = shows.flatMap(seen => {
    const { part, rows } = seen.state as unknown as { part: string; rows: readonly LossRow[] }
    return rows.map(row => ({ ...row, part }))
  })
  return all
    .filter(row => row.now !== row.backup)
    .sort((a, b) => b.lost - a.lost)
    .slice(0, GATE_ROWS)
}

/** What the gate shows: the losses as counted right before asking. */
export function gateLines(shows: readonly Seen[]): string[] {
  const states = shows.map(seen => seen.state as unknown as { part: string; lost: number; span: string; readable: boolean })
  const lost = states.reduce((sum, state) => sum + state.lost, 0)
  const unreadable = states.filter(state => !state.readable).map(state => state.part)
  return [
    `Loss, counted again: ${states.map(({ part, lost: n, readable }) => `${part} ${readable ? count(n) : '?'}`).join(', ')}.`,
    lossSentence(states[0]?.span ?? '', lost, unreadable.length === 0),
    ...(unreadable.length > 0 ? [`The present of ${unreadable.join(', ')} cannot be read, so its loss cannot be counted.`] : []),
  ]
}
