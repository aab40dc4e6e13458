import type { Content } from '../sources/source.ts'
import type { ManifestPart } from './manifest.ts'

/** Where the files of a new recovery point go; named after the run, so that a retry collides instead of doubling. */
export type NewPoint = { readonly id: string; readonly store: string; readonly folder: string }

/** The recovery point that a run makes. `run` is the run's id, as `20251209T021355Z-backup-r7f3a1c`. */
export function newPoint(run: string, store: string, folder: string): NewPoint {
  const id = `${run.slice(0, 16)}-${run.slice(run.lastIndexOf('-') + 1)}`
  return { id, store, folder: `${folder}/${id}` }
}

/** File names of a part in its point: the compressed bytes, and the index of their frames. */
export function filesOf(part: string, ending: string, encrypted: boolean): { object: string; frames: string } {
  return { object: `${part}.${ending}.zst${encrypted ? '.age' : ''}`, frames: `${part}.${ending}.zst.frames.json` }
}

/** What copying a part gives: everything about it that the manifest says, but for the reading back. */
export type Copied = Omit<ManifestPart, 'readBack'> & { readonly says: string }

/** Items of a content with their names, as `44 collections`-like figures: the sum of their counts. */
export const itemsIn = (content: Content) => Object.values(content.items).reduce((sum, items) => sum + items.count, 0)
