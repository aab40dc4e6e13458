import type { Change, Json, Later } from '../plan/plan.ts'
import type { Place } from '../sources/source.ts'
import type { Manifest } from './manifest.ts'
import { filesOf, type NewPoint } from './point.ts'
import type { Proof } from './proofs.ts'

// The sentences of the data side: what plans hold. The verbs behind them are in verbs/, which is loaded only when there is work.

/** `about`: bytes that the last backup of the part had, as a hint for part sizes and progress. */
export type CopyArgs = {
  part: string
  store: string
  folder: string
  object: string
  frames: string
  about: { plainBytes: number; storedBytes: number } | null
}
export type RemoveArgs = { store: string; folder: string; files: readonly string[] }
export type ReadBackArgs = { part: string; store: string; folder: string; copied: Json }
export type ManifestArgs = { store: string; folder: string; id: string; run: string; label: string | null; pinned: boolean; parts: Json }

/** The sentence: copy a part into a new point. */
export function copyPart(part: { name: string; ending: string }, point: NewPoint, more: { about: CopyArgs['about']; encrypted: boolean }): Change {
  const args: CopyArgs = {
    part: part.name,
    store: point.store,
    folder: point.folder,
    ...filesOf(part.name, part.ending, more.encrypted),
    about: more.about,
  }
  return { verb: 'copy', of: part.name, args }
}

/** The sentence: remove objects of a point that never became a backup. */
export const removeObjects = (store: string, folder: string, files: readonly string[]): Change => ({
  verb: 'objects.remove',
  of: folder,
  args: { store, folder, files },
})

/** The sentence: read a part of a new point back. */
export function readPartBack(part: string, point: NewPoint, copied: Later): Change {
  return { verb: 'read-back', of: part, args: { part, store: point.store, folder: point.folder, copied } }
}

/** A point that stands whole in one store and is to stand in another. */
export type ReplicateArgs = { from: string; to: string; folder: string; id: string }

/** The sentence: copy a point into another store. */
export function replicate(args: ReplicateArgs): Change {
  return { verb: 'replicate', of: `${args.id} in ${args.to}`, args }
}

/** The sentence: write the manifest of a new point. */
export function writeManifest(point: NewPoint, run: string, more: { label: string | null; pinned: boolean; parts: Record<string, Later> }): Change {
  return {
    verb: 'manifest',
    of: point.id,
    args: { store: point.store, folder: point.folder, id: point.id, run, label: more.label, pinned: more.pinned, parts: more.parts },
  }
}

/** A part of a recovery point with where it stands; the manifest's words travel in the plan, so that what is loaded is what was shown. */
export type StoredPart = { store: string; folder: string; id: string; described: Json }
export type ExamineArgs = StoredPart & { part: string; must: boolean }
export type LoadArgs = StoredPart & { part: string; place: Place; run: string }
export type CompareArgs = { part: string; place: Place | 'live'; run: string; content: Json; must: boolean }

/** The sentence: examine a stored part. */
export function examinePart(part: string, point: StoredPart, must: boolean): Change {
  return { verb: 'examine', of: part, args: { ...point, part, must } }
}

export type SampleArgs = StoredPart & { part: string; percent: number; seed: string }

/** The sentence: examine a sample of a stored part. */
export function samplePart(part: string, point: StoredPart, sampling: { percent: number; seed: string }): Change {
  return { verb: 'examine.sample', of: part, args: { ...point, part, percent: sampling.percent, seed: sampling.seed } }
}

/** The sentence: load a part of a point. */
export function loadPart(part: string, place: Place, run: string, point: StoredPart): Change {
  return { verb: 'load', of: part, args: { ...point, part, place, run } }
}

/** The sentence: remove what a run loaded. */
export function unloadPart(part: string, place: Place, run: string): Change {
  return { verb: 'unload', of: part, args: { part, place, run } }
}

/** The sentence: compare a place with the manifest. */
export function comparePart(part: string, place: Place | 'live', run: string, manifest: Manifest, must: boolean): Change {
  return {
    verb: 'compare',
    of: `${part}${place === 'live' ? ' live' : ''}`,
    args: { part, place, run, content: manifest.parts[part]?.content as unknown as Json, must },
  }
}

export type SwapArgs = { part: string; run: string; names: readonly string[] }
/** How things stood before the swap; -1 = not known any more (a swap of another run): then the other places tell. */
export type BackArgs = SwapArgs & { live: number; beside: number }

/** The sentence: swap a part. */
export function swapPart(part: string, run: string, names: readonly string[]): Change {
  return { verb: 'swap', of: part, args: { part, run, names } }
}

/** The sentence: take a swap back to how things stood before it. */
export function swapPartBack(part: string, run: string, names: readonly string[], before: { live: number; beside: number }): Change {
  return { verb: 'swap.back', of: part, args: { part, run, names, live: before.live, beside: before.beside } }
}

/** The sentence: lock writers out. */
export function holdPart(part: string, run: string): Change {
  return { verb: 'hold', of: part, args: { part, run } }
}

/** The sentence: let writers in. */
export function releasePart(part: string, run: string): Change {
  return { verb: 'release', of: part, args: { part, run } }
}

/** The sentence: forget what those runs left behind. */
export function forgetRuns(part: string, runs: readonly string[]): Change {
  return { verb: 'forget', of: part, args: { part, runs } }
}

export type WritersArgs = { to: 'stopped' | 'running'; run: string }
export type LossArgs = { part: string; items: Json; begun: string }
export type StampArgs = {
  store: string
  folder: string
  kind: Proof['kind']
  run: string
  results: Json
  sampling?: { percent: number; seed: string }
}
export type LeftoverArgs = { store: string; folder: string; olderThanMs: number }

/** The sentence: stop or start the writers. */
export function writersTo(to: 'stopped' | 'running', run: string): Change {
  return { verb: 'writers', of: to, args: { to, run } }
}

/** The sentence: a part answers. */
export const partAnswers = (part: string): Change => ({ verb: 'answers', of: part, args: { part } })

/** The sentence: what restoring this part would lose. */
export function lossIn(part: string, manifest: Manifest): Change {
  const described = manifest.parts[part]
  return {
    verb: 'loss',
    of: part,
    args: { part, items: (described?.content.items ?? {}) as unknown as Json, begun: described?.begun ?? manifest.begun },
  }
}

/** The sentence: stamp what was found about a point; `results` holds the results of each part's steps. */
export function stampProof(
  point: { id: string; store: string; folder: string },
  kind: Proof['kind'],
  run: string,
  results: readonly (readonly Json[])[],
  sampling?: { percent: number; seed: string },
): Change {
  const how = sampling ? { sampling: { percent: sampling.percent, seed: sampling.seed } } : {}
  return { verb: 'stamp', of: point.id, args: { store: point.store, folder: point.folder, kind, run, results, ...how } }
}

/** The sentence: remove unfinished uploads that nobody can be working on any more. */
export function clearLeftovers(store: string, folder: string, olderThanMs: number): Change {
  return { verb: 'leftovers.clear', of: store, args: { store, folder, olderThanMs } }
}

export type RecordArgs = { store: string; folder: string; record: Json }

/** What a restore set aside, kept beside the point so that it can be taken back from any machine. */
export type RestoreRecord = {
  readonly run: string
  readonly short: string
  readonly point: string
  /** By part: the item names that were swapped, and whether there was live data to set aside. */
  readonly parts: Readonly<Record<string, { readonly names: readonly string[]; readonly hadLive: boolean; readonly answered: boolean }>>
}

/** The sentence: write down what a restore sets aside. */
export function recordRestore(store: string, folder: string, record: RestoreRecord): Change {
  return { verb: 'record', of: record.run, args: { store, folder, record: record as unknown as Json } }
}
