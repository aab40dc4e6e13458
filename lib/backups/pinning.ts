import { step } from '../plan/nodes.ts'
import { Trouble } from '../plan/outcome.ts'
import type { Doing, Node } from '../plan/plan.ts'
import { redact } from '../plan/secrets.ts'
import { catalogue, type Point } from './catalogue.ts'
import { pointName } from './listing.ts'
import { pinPoint } from './prune.ts'
import { type DataSite, firstStore, folderOf } from './site.ts'

/** The points as answers to a question, newest first; damaged ones too, because somebody may want to keep them for a look. */
export async function pinChoices({ site, doing }: { site: DataSite; doing: Doing }) {
  const { points } = await catalogue(firstStore(site), folderOf(site), doing)
  return [...points]
    .reverse()
    .filter(point => point.status !== 'INCOMPLETE')
    .map(point => ({ value: point.id, name: pointName(point, site.timezone) }))
}

/** The one point whose id begins so, sound or not. Trouble(3) when there is none, Trouble(2) when there are several. */
export function thePoint(points: readonly Point[], id: string): Point {
  const [found, second] = points.filter(point => point.status !== 'INCOMPLETE' && point.id.startsWith(id))
  if (!found) throw new Trouble(3, `There is no backup ${id}`)
  if (second) throw new Trouble(2, `Several backups begin with ${id}: ${found.id}, ${second.id}`)
  return found
}

/** The stores that have the point, and those that could not be looked at. */
export async function standsIn(site: DataSite, id: string) {
  const looks = [...site.stores.values()].map(async store => {
    try {
      return { store: store.name, there: (await store.head(`${folderOf(site)}/${id}/manifest.json`)) !== null }
    } catch (error) {
      return { store: store.name, because: redact(error instanceof Error ? error.message : String(error)) }
    }
  })
  const found = await Promise.all(looks)
  return {
    holding: found.flatMap(one => ('there' in one && one.there ? [one.store] : [])),
    failed: found.flatMap(one => ('because' in one ? [one] : [])),
  }
}

/** Write the record in every store that has the point. */
export function pinPlan(site: DataSite, point: Point, stores: readonly string[], run: string, pinned: boolean): Node[] {
  return stores.map(store =>
    step(`${pinned ? 'Pin' : 'Unpin'} it in ${store}`, pinPoint({ store, folder: `${folderOf(site)}/${point.id}`, id: point.id, run, pinned })),
  )
}
