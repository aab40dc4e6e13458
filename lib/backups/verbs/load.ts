import { count, plural, size } from '../../plan/durations.ts'
import { Trouble } from '../../plan/outcome.ts'
import type { Doing, Verb } from '../../plan/plan.ts'
import type { Content, Place } from '../../sources/source.ts'
import { StoreError } from '../../stores/store.ts'
import { differences } from '../compare.ts'
import type { ManifestPart } from '../manifest.ts'
import { sampled } from '../sample.ts'
import { type CompareArgs, type ExamineArgs, type LoadArgs, type SampleArgs, type StoredPart, unloadPart } from '../sentences.ts'
import { type DataSite, partOf, storeOf } from '../site.ts'
import { copyIn, isEncrypted, plainBytes, provenBytes } from '../transfer.ts'

const described = (point: Pick<StoredPart, 'described'>) => point.described as unknown as ManifestPart

/** Read a stored part whole and say whether it is what its manifest says. `must` fails on damage; without it the finding is the result. */
export const examined: Verb<ExamineArgs, { good: boolean; finding: string | null; tookMs: number }, DataSite> = {
  effect: 'read',
  half: 'again',
  async look(point, site, doing) {
    const began = performance.now()
    const finding = await examine(point, site, doing).catch(found(point, site, doing))
    const state = { good: finding === null, finding, tookMs: Math.round(performance.now() - began) }
    if (finding !== null && point.must) throw new Trouble(7, finding)
    return { state, is: 'settled' }
  },
  goal: () => ({}),
  undo: () => ({ none: 'it only reads' }),
}

/** For `.catch()`: damage as a finding in words; any other error goes on, for not being able to look is no verdict on the bytes. */
function found(point: StoredPart & { part: string }, site: DataSite, doing: Doing): (error: unknown) => Promise<string> {
  return async error => {
    doing.signal.throwIfAborted()
    const gone = error instanceof StoreError && error.fault === 'missing'
    if (gone && !(await storeOf(site, point.store).head(`${point.folder}/manifest.json`))) throw new Trouble(3, `${point.id} was let go of meanwhile`)
    if (gone) return `${point.part}: ${described(point).object} or its index is missing`
    if (!(error instanceof Trouble) || error.exit !== 7) throw error
    return `${point.part}: ${error.message}`
  }
}

/** Read a sample of a stored part's frames and say whether they are what was written. */
export const sampleExamined: Verb<SampleArgs, { finding: string | null; tookMs: number; frames: number; of: number; says: string }, DataSite> = {
  effect: 'read',
  half: 'again',
  async look(point, site, doing) {
    const began = performance.now()
    const { percent, seed, part: name } = point
    const how = { sampling: { percent, seed }, identities: site.identities, name }
    const { finding, frames, of, bytes } = await sampled(storeOf(site, point.store), point.folder, described(point), how, doing).then(
      result => ({ ...result, finding: result.finding && `${name}: ${result.finding}` }),
      async error => ({ finding: await found(point, site, doing)(error), frames: 0, of: 0, bytes: 0 }),
    )
    const says = `${count(frames)} of ${plural(of, 'frame')}, ${size(bytes)}`
    return { state: { finding, tookMs: Math.round(performance.now() - began), frames, of, says }, is: 'settled' }
  },
  goal: () => ({}),
  undo: () => ({ none: 'it only reads' }),
}

async function examine(point: ExamineArgs, site: DataSite, doing: Doing): Promise<string | null> {
  const manifest = described(point)
  const part = site.parts.get(point.part)
  const store = storeOf(site, point.store)
  // Without the key, or without the part in the stack file, the bytes can be proven but not what they hold.
  if (part?.kind !== manifest.kind || (isEncrypted(manifest) && site.identities.length === 0)) {
    await provenBytes(store, point.folder, manifest, site.identities, doing)
    return null
  }
  const bytes = plainBytes(store, point.folder, manifest, site.identities, doing)
  const wrong = differences(manifest.content, await part.examine(bytes, doing))
  return wrong.length === 0 ? null : `${point.part}: ${wrong.join('; ')}`
}

/** Load a part beside the live data or into a scratch place. */
export const loaded: Verb<LoadArgs, { objects: number }, DataSite> = {
  effect: 'write',
  // How far a killed load came cannot be told from counts alone.
  half: 'anew',
  undone: 'drop it',
  look: async ({ part, place, run }, site, doing) => ({ state: { objects: (await partOf(site, part).presence(run, doing))[place] }, is: 'settled' }),
  goal: () => ({ objects: { measured: 'objects' } }),
  does: (args, site) => {
    const part = partOf(site, args.part)
    const action = copyIn(storeOf(site, args.store), args.folder, described(args), site.identities, part.load(args.place, args.run))
    return [
      {
        ...action,
        async run(doing) {
          const began = performance.now()
          const gives = (await action.run(doing)) as object
          const objects = (await part.presence(args.run, doing))[args.place]
          return { ...gives, objects, tookMs: Math.round(performance.now() - began) }
        },
      },
    ]
  },
  undo: ({ part, place, run }) => unloadPart(part, place, run),
}

/** Remove what was loaded. */
export const unloaded: Verb<{ part: string; place: Place; run: string }, { objects: number }, DataSite> = {
  effect: 'write',
  half: 'again',
  look: async ({ part, place, run }, site, doing) => ({ state: { objects: (await partOf(site, part).presence(run, doing))[place] }, is: 'settled' }),
  goal: () => ({ objects: 0 }),
  does: ({ part, place, run }, site) => [partOf(site, part).unload(place, run)],
  undo: () => ({ none: 'load it again' }),
}

/** Compare what stands in a place with a manifest: counts and digests of every item. */
export const compared: Verb<CompareArgs, { equal: number; of: number; differences: readonly string[]; tookMs: number; says: string }, DataSite> = {
  effect: 'read',
  half: 'again',
  async look({ part, place, run, content }, site, doing) {
    const began = performance.now()
    const wanted = content as unknown as Content
    const wrong = differences(wanted, await partOf(site, part).content(place, run, doing))
    const of = Object.keys(wanted.items).length
    const state = {
      equal: Math.max(0, of - wrong.length),
      of,
      differences: wrong,
      tookMs: Math.round(performance.now() - began),
      says: `${of - wrong.length} of ${of} equal`,
    }
    return wrong.length === 0
      ? { state, is: 'settled' }
      : { state, is: 'doomed', because: `not equal to the backup: ${wrong.slice(0, 5).join('; ')}` }
  },
  goal: ({ must }) => (must ? { differences: [] } : {}),
  undo: () => ({ none: 'it only reads' }),
}
