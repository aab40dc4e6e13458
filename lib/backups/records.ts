import type { Doing } from '../plan/plan.ts'
import { type Store, text } from '../stores/store.ts'
import { unseal } from './manifest.ts'
import type { RestoreRecord } from './sentences.ts'
import { type DataSite, folderOf } from './site.ts'

/** The records of restores that carry this run's id or the beginning of it, from whichever store the restore read; the first store must answer. */
export async function findRecords(site: DataSite, run: string, doing: Doing): Promise<RestoreRecord[]> {
  const [first, ...others] = [...site.stores.values()]
  const found = await Promise.all([
    first ? recordsIn(first, site, run, doing) : [],
    ...others.map(store => recordsIn(store, site, run, doing).catch(() => [])),
  ])
  return [...new Map(found.flat().map(record => [record.run, record])).values()]
}

async function recordsIn(store: Store, site: DataSite, run: string, doing: Doing): Promise<RestoreRecord[]> {
  const paths = (await store.list(folderOf(site)))
    .map(object => object.path)
    .filter(path => path.slice(path.lastIndexOf('/') + 1).startsWith(`restored-${run}`))
  return Promise.all(paths.map(async path => unseal(await text(store, path, doing), path) as unknown as RestoreRecord))
}
