import type { Doing } from '../plan/plan.ts'
import { text } from '../stores/store.ts'
import { unseal } from './manifest.ts'
import type { RestoreRecord } from './sentences.ts'
import { type DataSite, firstStore, folderOf } from './site.ts'

/** The records of restores that carry this run's id or the beginning of it. */
export async function findRecords(site: DataSite, run: string, doing: Doing): Promise<RestoreRecord[]> {
  const store = firstStore(site)
  const paths = (await store.list(folderOf(site)))
    .map(object => object.path)
    .filter(path => path.slice(path.lastIndexOf('/') + 1).startsWith(`restored-${run}`))
  return Promise.all(paths.map(async path => unseal(await text(store, path, doing), path) as unknown as RestoreRecord))
}
