import { Trouble } from '../../plan/outcome.ts'
import type { Action, Doing, Json, Verb } from '../../plan/plan.ts'
import { isLocked, putText } from '../../stores/store.ts'
import type { Manifest, PointRelease } from '../manifest.ts'
import { FORMAT, seal } from '../manifest.ts'
import { type CopyArgs, type ManifestArgs, type ReadBackArgs, type RemoveArgs, removeObjects } from '../sentences.ts'
import { type DataSite, partOf, storeOf } from '../site.ts'
import { copyOut, provenBytes } from '../transfer.ts'
import { isWhole } from '../whole.ts'

/** Copy a part into a store. Its objects carry the run in their folder's name, and are never overwritten. */
export const copy: Verb<CopyArgs, { object: number | null; frames: number | null }, DataSite> = {
  effect: 'write',
  // A whole object whose receipt died with its process is half-done: its hash exists nowhere.
  half: 'anew',
  undone: 'remove it',
  async look({ store, folder, object, frames }, site) {
    const [a, b] = await Promise.all([object, frames].map(file => storeOf(site, store).head(`${folder}/${file}`)))
    return { state: { object: a?.bytes ?? null, frames: b?.bytes ?? null }, is: 'settled' }
  },
  goal: () => ({ object: { measured: 'storedBytes' }, frames: { measured: 'indexBytes' } }),
  does: (args, site) => [copyOut(partOf(site, args.part), storeOf(site, args.store), args, { about: args.about, encryption: site.encryption })],
  undo: ({ store, folder, object, frames }) => removeObjects(store, folder, [object, frames]),
}

/** Remove objects of a point that never became a backup; one that its store keeps locked stays until its time is over, and stands in no way. */
export const objectsRemoved: Verb<RemoveArgs, { left: number }, DataSite> = {
  effect: 'write',
  half: 'again',
  async look({ store, folder, files }, site) {
    const heads = await Promise.all(files.map(file => storeOf(site, store).head(`${folder}/${file}`)))
    const unfinished = await storeOf(site, store).leftovers(folder, 0)
    return { state: { left: heads.filter(head => head !== null && !isLocked(head)).length + unfinished.length }, is: 'settled' }
  },
  goal: () => ({ left: 0 }),
  does: ({ store, folder, files }, site) => [
    {
      kind: 'call',
      prints: `remove ${files.map(file => `${storeOf(site, store).where}/${folder}/${file}`).join(', ')}`,
      async run() {
        // With a manifest it is a backup, and taking backups away is not this verb's business.
        if (await storeOf(site, store).head(`${folder}/manifest.json`)) throw new Trouble(5, `${folder} has a manifest by now; its objects stay`)
        for (const file of files) {
          const path = `${folder}/${file}`
          if (!isLocked(await storeOf(site, store).head(path))) await storeOf(site, store).remove(path)
        }
        await clearUnfinished(site, store, folder)
        return undefined
      },
    },
  ],
  undo: () => ({ none: 'the bytes are gone; copy again' }),
}

/** Read a copy back and compare both hashes; it gives the copy with the time of the proof. */
export const readBack: Verb<ReadBackArgs, Json, DataSite> = {
  effect: 'read',
  half: 'again',
  async look({ store, folder, copied }, site, doing) {
    const part = copied as unknown as Manifest['parts'][string]
    await provenBytes(storeOf(site, store), folder, part, site.identities, doing)
    return { state: { ...(copied as object), readBack: new Date().toISOString() } as Json, is: 'settled' }
  },
  goal: () => ({}),
  undo: () => ({ none: 'it only reads' }),
}

const manifestPath = (folder: string) => `${folder}/manifest.json`

/** Write the manifest, last and once: from here on it is a backup. */
export const manifestWritten: Verb<ManifestArgs, { whole: boolean }, DataSite> = {
  effect: 'write',
  half: 'ask',
  look: async ({ store, folder, id }, site, doing) => ({ state: { whole: await isWhole(storeOf(site, store), folder, id, doing) }, is: 'settled' }),
  goal: () => ({ whole: true }),
  does: (args, site) => [manifestPut(args, site)],
  undo: () => ({ none: 'a backup stays' }),
}

function manifestPut({ store, folder, id, run, label, pinned, parts }: ManifestArgs, site: DataSite): Action {
  return {
    kind: 'transfer',
    prints: `manifest → ${storeOf(site, store).where}/${manifestPath(folder)}`,
    async run(doing) {
      const described = parts as unknown as Record<string, Manifest['parts'][string] & { says?: string; storedBytes?: number; indexBytes?: number }>
      const kept = Object.fromEntries(Object.entries(described).map(([name, { says: _, storedBytes: __, indexBytes: ___, ...part }]) => [name, part]))
      const release = await servingThen(site, doing)
      const manifest: Manifest = {
        format: FORMAT,
        id,
        stack: site.stack,
        environment: site.environment,
        timezone: site.timezone,
        run,
        label,
        pinned,
        begun:
          Object.values(kept)
            .map(part => part.begun)
            .sort()[0] ?? new Date().toISOString(),
        ended: new Date().toISOString(),
        by: site.by,
        tools: { runbooks: '0.1.0', node: process.version },
        encryption: site.encryption ?? null,
        ...(release ? { release } : {}),
        parts: kept,
      }
      await clearUnfinished(site, store, folder)
      await putText(storeOf(site, store), manifestPath(folder), seal(manifest), doing)
      return { bytes: Object.values(kept).reduce((sum, part) => sum + part.stored.bytes, 0) }
    },
  }
}

/** A host that does not answer must not hold up the backup of its data. */
const SERVING_MS = 10_000

async function servingThen(site: DataSite, doing: Doing): Promise<PointRelease | null> {
  const signal = AbortSignal.any([doing.signal, AbortSignal.timeout(SERVING_MS)])
  return (await site.serving?.({ ...doing, signal }).catch(() => null)) ?? null
}

/** The folder is one run's alone and nothing is being copied into it any more, so an upload without an end is a dead one's, however young. */
async function clearUnfinished(site: DataSite, store: string, folder: string): Promise<void> {
  for (const leftover of await storeOf(site, store).leftovers(folder, 0)) await storeOf(site, store).clear(leftover)
}
