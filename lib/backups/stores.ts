import { inTurn, tidy } from '../plan/nodes.ts'
import type { Doing, Json, Node } from '../plan/plan.ts'
import type { Store } from '../stores/store.ts'
import { pointOf } from './back-up.ts'
import type { Point } from './catalogue.ts'
import { replicate } from './sentences.ts'
import { type DataSite, folderOf } from './site.ts'

/** Points that a store may lack and gets with the next backup, newest first: after an outage it catches up by itself. */
const CATCH_UP = 3

/** A sound point that one store has and another lacks. */
export type Gap = { readonly id: string; readonly from: string; readonly to: string }

/** The copies that are missing between the first store and the others, oldest first; a store that cannot be looked at has no gap that one could know of. */
export async function gapsOf(site: DataSite, points: readonly Point[]): Promise<Gap[]> {
  const [first, ...others] = [...site.stores.values()]
  if (!first || others.length === 0) return []
  const here = points.filter(point => point.manifest !== null && point.status !== 'CORRUPT').map(point => point.id)
  const gaps = others.map(async store => {
    const there = await manifestsIn(store, folderOf(site))
    if (!there) return []
    const forth = here.filter(id => !there.includes(id)).map(id => ({ id, from: first.name, to: store.name }))
    const back = there.filter(id => !points.some(point => point.id === id)).map(id => ({ id, from: store.name, to: first.name }))
    return [...forth.slice(-CATCH_UP), ...back.slice(-CATCH_UP)]
  })
  return (await Promise.all(gaps)).flat()
}

async function manifestsIn(store: Store, folder: string): Promise<string[] | undefined> {
  const found = await store.list(folder).catch(() => undefined)
  return found?.flatMap(({ path }) => (path.endsWith('/manifest.json') ? [path.split('/').at(-2) ?? ''] : [])).sort()
}

/** Copy the new point into each further store, then what is missing anywhere; a store that fails only warns, because its result is its own. */
export function copyAround(site: DataSite, run: string, gaps: readonly Gap[]): Node[] {
  const [first = '', ...others] = [...site.stores.keys()]
  const fresh = others.map(to => ({ id: pointOf(site, run).id, from: first, to }))
  const steps = [...fresh, ...[...gaps].reverse()].map(({ id, from, to }) =>
    tidy(`Copy ${id} to ${to}`, replicate({ from, to, folder: `${folderOf(site)}/${id}`, id })),
  )
  return steps.length > 0 ? [inTurn('Copy to every store', steps)] : []
}

/** The stores that hold the new point whole, by the results of the run. */
export function storesWith(site: DataSite, id: string, results: { get(step: string): Json; warned(step: string): boolean }): string[] {
  const [first = '', ...others] = [...site.stores.keys()]
  return [first, ...others.filter(to => !results.warned(`replicate/${id} in ${to}`))]
}

/** A first store that cannot be reached gives its place, and the keeping of leases, to the next that can: where any store will do, and where another is read from. */
export async function reachableFirst<S extends DataSite>(site: S, doing: Doing): Promise<S> {
  const all = [...site.stores.values()]
  const elsewhere = all[0]?.name !== site.keeper
  const keeper = site.stores.get(site.keeper)
  if (!keeper || all.length < 2 || (site.policy !== 'any' && !elsewhere)) return site
  if ((await keeper.facts(doing)).state !== 'unreachable') return site
  for (const store of all) {
    if (store === keeper || (await store.facts(doing)).state === 'unreachable') continue
    const stores = elsewhere ? all : [store, ...all.filter(other => other !== store)]
    return { ...site, keeper: store.name, stores: new Map(stores.map(one => [one.name, one])) }
  }
  return site
}
