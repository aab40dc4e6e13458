import { createHash } from 'node:crypto'
import { size } from '../../plan/durations.ts'
import { Trouble } from '../../plan/outcome.ts'
import type { Doing, Verb } from '../../plan/plan.ts'
import { putText, type Store, text } from '../../stores/store.ts'
import { readManifest, type Sum, storedBytes } from '../manifest.ts'
import type { ReplicateArgs } from '../sentences.ts'
import { type DataSite, storeOf } from '../site.ts'
import { isWhole } from '../whole.ts'

/** Copy a whole point into another store and read it back there; its manifest comes last, so that a half-copied point is none. */
export const replicated: Verb<ReplicateArgs, { whole: boolean }, DataSite> = {
  effect: 'write',
  // Objects that arrived whole are kept and proven, so going on is cheaper than beginning anew.
  half: 'again',
  look: async ({ to, folder, id }, site, doing) => ({ state: { whole: await isWhole(storeOf(site, to), folder, id, doing) }, is: 'settled' }),
  goal: () => ({ whole: true }),
  does: ({ from, to, folder, id }, site) => {
    const [source, target] = [storeOf(site, from), storeOf(site, to)]
    return [
      {
        kind: 'transfer',
        prints: `${source.where}/${folder}/* → sha256 → ${target.where}/${folder}/* → sha256`,
        async run(doing) {
          const raw = await text(source, `${folder}/manifest.json`, doing)
          const manifest = readManifest(raw, id)
          const total = storedBytes(manifest)
          let done = 0
          const telling: Doing = { ...doing, progress: at => doing.progress({ done: done + at.done, total, unit: 'bytes' }) }
          for (const part of Object.values(manifest.parts)) {
            await object(source, target, `${folder}/${part.object}`, part.stored, telling)
            await object(source, target, `${folder}/${part.frames}`, part.index, doing)
            done += part.stored.bytes
          }
          await putText(target, `${folder}/manifest.json`, raw, doing)
          return { bytes: total, says: `${size(total)}, read back` }
        },
      },
    ]
  },
  undo: () => ({ none: 'a backup stays' }),
}

/** Copies one object unless it is there already, and proves what is there. */
async function object(source: Store, target: Store, path: string, sum: Sum, doing: Doing): Promise<void> {
  const there = await target.head(path)
  if (!there) await target.put(path, checked(source, path, sum, doing), doing, sum.bytes)
  for await (const _ of checked(target, path, sum, doing));
}

/** The bytes of an object, which throw at their end unless they are as recorded: so a damaged original never becomes a copy. */
async function* checked(store: Store, path: string, sum: Sum, doing: Doing): AsyncIterable<Buffer> {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of store.get(path, doing)) {
    hash.update(chunk)
    bytes += chunk.length
    doing.progress({ done: bytes, unit: 'bytes' })
    yield chunk
  }
  if (bytes !== sum.bytes || hash.digest('hex') !== sum.sha256)
    throw new Trouble(7, `${store.where}/${path} is damaged: it does not have the recorded SHA-256`)
}
