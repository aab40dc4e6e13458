import { plural } from '../../plan/durations.ts'
import { Trouble } from '../../plan/outcome.ts'
import type { Doing, Json, Verb } from '../../plan/plan.ts'
import { redact } from '../../plan/secrets.ts'
import { putText, type Store, StoreError, text } from '../../stores/store.ts'
import { goesFar } from '../doubts.ts'
import { readManifest } from '../manifest.ts'
import { lastPin, pinMoment, pinName, writePin } from '../pins.ts'
import { agingOf, type PinArgs, type PruneArgs, type Pruned, type PruneOldArgs, removals } from '../prune.ts'
import { type Keep, keepInWords } from '../retention.ts'
import { type DataSite, folderOf, storeOf } from '../site.ts'

const MANIFEST = 'manifest.json'

const namesIn = async (store: Store, folder: string) => (await store.list(folder)).map(object => object.path.slice(folder.length + 1))

/** Nothing is let go of unless a good backup certainly stands: looked at directly, because a listing may be late or partial. */
async function mustStand(store: Store, folder: string, id: string, doing: Doing): Promise<void> {
  const gone = (what: string) => new Trouble(7, `${what} of ${id}, the backup that was to stand, is not there as recorded; nothing more is let go of`)
  const raw = await text(store, `${folder}/${MANIFEST}`, doing).catch(error => {
    throw error instanceof StoreError && error.fault === 'missing' ? gone('The manifest') : error
  })
  for (const part of Object.values(readManifest(raw, id).parts)) {
    const [object, frames] = await Promise.all([part.object, part.frames].map(file => store.head(`${folder}/${file}`)))
    if (object?.bytes !== part.stored.bytes || frames?.bytes !== part.index.bytes) throw gone(part.object)
  }
}

/** The manifest first, because without it the rest is no backup; then records, then data, so that what a kill leaves is known for what it is. */
function inOrder(files: readonly string[]): string[] {
  const rank = (file: string) => (file === MANIFEST ? 0 : /^(proof|pinned|unpinned|restored)-/.test(file) ? 1 : 2)
  return [...files].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))
}

/** Removes a point, file by file. A store that keeps the object (a lock that has not run out, a key that may not remove) is no failure: what it said is given back. */
async function letGo(site: DataSite, args: PruneArgs, doing: Doing): Promise<Pruned> {
  const store = storeOf(site, args.store)
  const { folder, id } = args
  const objects = await store.list(folder)
  const files = objects.map(object => object.path.slice(folder.length + 1))
  if (lastPin(files)?.pinned) throw new Trouble(3, `${id} was pinned meanwhile; it stays`)
  if (!args.manifest && (await store.head(`${folder}/${MANIFEST}`)))
    throw new Trouble(3, `${id} has a manifest, although the listing had none; it stays`)
  await mustStand(store, `${folderOf(site)}/${args.stands}`, args.stands, doing)
  let [bytes, left] = [0, files.length]
  for (const file of inOrder(files)) {
    doing.signal.throwIfAborted()
    try {
      await store.remove(`${folder}/${file}`)
    } catch (error) {
      if (!(error instanceof StoreError) || error.fault !== 'denied') throw error
      return { left, bytes, refused: redact(error.message) }
    }
    bytes += objects.find(object => object.path === `${folder}/${file}`)?.bytes ?? 0
    left -= 1
  }
  for (const leftover of await store.leftovers(folder, 0)) await store.clear(leftover)
  return { left, bytes, refused: null }
}

/** Let go of one point. */
export const pruned: Verb<PruneArgs, { left: number }, DataSite> = {
  effect: 'destroy',
  half: 'again',
  look: async ({ store, folder }, site) => ({ state: { left: (await storeOf(site, store).list(folder)).length }, is: 'settled' }),
  goal: () => ({ left: { measured: 'left' } }),
  does: (args, site) => [
    {
      kind: 'call',
      prints: `remove ${storeOf(site, args.store).where}/${args.folder}/{${args.manifest ? `${MANIFEST},` : ''}*}`,
      run: async doing => ({ ...(await letGo(site, args, doing)) }),
    },
  ],
  undo: () => ({ none: 'a removed backup is gone for good' }),
}

/** What letting go of old points gave, store by store: ids that went, and every reason why something stayed. */
export type PrunedOld = {
  readonly manifests: Readonly<Record<string, number>>
  readonly went: readonly string[]
  readonly warnings: readonly string[]
}

/** How many points stand in each store that can be looked at. */
async function manifestsIn(site: DataSite): Promise<Record<string, number>> {
  const counts = [...site.stores.values()].map(async store => {
    const found = await namesIn(store, folderOf(site)).catch(() => undefined)
    return found ? [[store.name, found.filter(name => name.endsWith(`/${MANIFEST}`)).length] as const] : []
  })
  return Object.fromEntries((await Promise.all(counts)).flat())
}

/** Why nothing at all is removed from a store without a person who looks; empty when nothing speaks against it. */
function reasonsToAsk({ failed, doubts, shrunk, decisions }: Awaited<ReturnType<typeof agingOf>>[number]): string[] {
  if (failed !== undefined) return [failed]
  if (decisions.every(({ keep }) => keep)) return []
  const far = decisions.filter(({ keep }) => !keep).length
  return [
    ...doubts,
    ...shrunk,
    ...(goesFar(decisions) ? [`the policy would let go of ${plural(far, 'backup')} at once, more than half of the good ones`] : []),
  ]
}

async function letGoOfOld(site: DataSite, { keep, written }: PruneOldArgs, doing: Doing): Promise<PrunedOld> {
  const [went, warnings]: [string[], string[]] = [[], []]
  for (const aging of await agingOf(site, keep as Keep, { nowMs: Date.now(), written }, doing)) {
    const reasons = reasonsToAsk(aging)
    if (reasons.length > 0) warnings.push(`Nothing was let go of in ${aging.store}: ${reasons.join('; ')}`)
    for (const args of reasons.length > 0 ? [] : removals(site, aging)) {
      doing.progress({ done: went.length, unit: 'items' })
      const { refused } = await letGo(site, args, doing).catch((error: unknown) => {
        doing.signal.throwIfAborted()
        return { refused: redact(error instanceof Error ? error.message : String(error)) }
      })
      if (refused === null) went.push(`${args.id} in ${args.store}`)
      // What stops one removal mostly stops all, and a night of timeouts helps nobody.
      else {
        warnings.push(`${args.id} stays in ${args.store}: ${refused}`)
        break
      }
    }
  }
  return { manifests: await manifestsIn(site), went, warnings }
}

/** Let go of what the policy does not keep, decided when its turn comes: the point just written is then there to be counted on. */
export const prunedOld: Verb<PruneOldArgs, { manifests: Record<string, number> }, DataSite> = {
  effect: 'destroy',
  half: 'again',
  look: async (_, site) => ({ state: { manifests: await manifestsIn(site) }, is: 'settled' }),
  goal: () => ({ manifests: { measured: 'manifests' } }),
  does: (args, site) => [
    {
      kind: 'call',
      prints: `remove what is not kept by ${keepInWords(args.keep as Keep)} below ${[...site.stores.values()].map(store => `${store.where}/${folderOf(site)}`).join(', ')}`,
      run: async doing => (await letGoOfOld(site, args, doing)) as unknown as Json,
    },
  ],
  undo: () => ({ none: 'a removed backup is gone for good' }),
}

/** Pin a point, or let it go again, by a record that is written once. */
export const pinned: Verb<PinArgs, { pinned: boolean | null }, DataSite> = {
  effect: 'write',
  half: 'again',
  undone: 'as it was',
  async look({ store, folder, id }, site, doing) {
    const names = await namesIn(storeOf(site, store), folder)
    return { state: { pinned: lastPin(names)?.pinned ?? (await pinnedAtFirst(storeOf(site, store), folder, id, doing)) }, is: 'settled' }
  },
  goal: args => ({ pinned: args.pinned }),
  does: ({ store, folder, run, pinned: wanted }, site) => [
    {
      kind: 'transfer',
      prints: `${wanted ? 'pin' : 'unpin'} record → ${storeOf(site, store).where}/${folder}/`,
      async run(doing) {
        const at = pinMoment(await namesIn(storeOf(site, store), folder), Date.now())
        const record = { pinned: wanted, at, run, by: site.by }
        await putText(storeOf(site, store), `${folder}/${pinName(record)}`, writePin(record), doing)
        return undefined
      },
    },
  ],
  undo: (args, before) => ({ verb: 'pin', of: `undo ${args.id} in ${args.store}`, args: { ...args, pinned: before.pinned ?? true } }),
}

/** What the manifest says; null where it cannot be read. */
async function pinnedAtFirst(store: Store, folder: string, id: string, doing: Doing): Promise<boolean | null> {
  try {
    return readManifest(await text(store, `${folder}/${MANIFEST}`, doing), id).pinned
  } catch (error) {
    if (error instanceof Trouble || (error instanceof StoreError && error.fault === 'missing')) return null
    throw error
  }
}
