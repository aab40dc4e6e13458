import { Trouble } from '../plan/outcome.ts'
import type { Doing } from '../plan/plan.ts'
import { type Store, StoreError, text } from '../stores/store.ts'
import { readManifest } from './manifest.ts'

/** Whether a folder holds a sound manifest of that id; a damaged one throws Trouble(7). */
export async function isWhole(store: Store, folder: string, id: string, doing: Doing): Promise<boolean> {
  try {
    readManifest(await text(store, `${folder}/manifest.json`, doing), id)
    return true
  } catch (error) {
    if (error instanceof StoreError && error.fault === 'missing') return false
    throw error instanceof Trouble
      ? error
      : new Trouble(8, `Could not read the manifest of ${id}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
}
