import type { Doing } from '../plan/plan.ts'
import type { DataSite } from './site.ts'

/** Removes the temporary copies (a snapshot, an examination) that a dead run left in the scratch places of its parts; what cannot be removed now stays there. */
export async function clearScratch(site: DataSite, run: string, doing: Doing): Promise<void> {
  for (const part of site.parts.values()) {
    const left = await part.remains(doing).catch(() => [])
    if (!left.some(remain => remain.place === 'scratch' && remain.run === run)) continue
    // Room on a disk is no reason to stop the settling of a run.
    await Promise.resolve(part.unload('scratch', run).run(doing)).catch(() => undefined)
  }
}
