import { commit, inTurn, result, step, tidy, together } from '../plan/nodes.ts'
import type { Node } from '../plan/plan.ts'
import type { PartFacts } from '../sources/source.ts'
import type { Point } from './catalogue.ts'
import type { ManifestPart } from './manifest.ts'
import { type NewPoint, newPoint } from './point.ts'
import { clearLeftovers, copyPart, readPartBack, writeManifest } from './sentences.ts'
import { type DataSite, firstStore, folderOf, partOf } from './site.ts'

/** What a backup's plan is made from. */
export type BackUp = {
  readonly site: DataSite
  readonly parts: readonly PartFacts[]
  readonly points: readonly Point[]
  readonly run: string
  readonly label?: string | undefined
  readonly pinned?: boolean
}

/** An upload that began longer ago than this has nobody working on it any more. */
const DEAD_UPLOAD_MS = 24 * 3_600_000

/** The recovery point that a run makes. */
export function pointOf(site: DataSite, run: string): NewPoint {
  return newPoint(run, firstStore(site).name, folderOf(site))
}

/** Copy the parts, read every copy back, and only then call it a backup. The same nodes serve a backup and the saving of the present before a restore. */
export function backUp({ site, parts, points, run, label, pinned }: BackUp): Node[] {
  const point = pointOf(site, run)
  const last = points.findLast(found => found.manifest !== null)?.manifest
  const copies = parts.map(part =>
    step(
      `Copy ${part.name}`,
      copyPart(partOf(site, part.name), point, { about: aboutOf(last?.parts[part.name]), encrypted: site.encryption !== undefined }),
    ),
  )
  const proofs = parts.map((part, i) => step(`Read ${part.name} back`, readPartBack(part.name, point, result(copies[i] as (typeof copies)[number]))))
  const described = Object.fromEntries(parts.map((part, i) => [part.name, result(proofs[i] as (typeof proofs)[number])]))
  return [
    together('Copy the parts', copies),
    together('Read every copy back', proofs),
    commit('Write the manifest', writeManifest(point, run, { label: label ?? null, pinned: pinned ?? false, parts: described })),
  ]
}

/** Label of the points in which restores save the present. */
export const BEFORE_RESTORE = 'before-restore'

/** The present saved before it is changed, as one node of a larger plan. */
export function saveThePresent(what: BackUp): Node {
  return inTurn('Save the present', backUp({ ...what, label: what.label ?? BEFORE_RESTORE }))
}

/** Remove what dead uploads of this stack left in the store. */
export function clearDeadUploads(site: DataSite): Node {
  return tidy('Clear unfinished uploads', clearLeftovers(firstStore(site).name, folderOf(site), DEAD_UPLOAD_MS))
}

const aboutOf = (part: ManifestPart | undefined) => (part ? { plainBytes: part.plain.bytes, storedBytes: part.stored.bytes } : null)
