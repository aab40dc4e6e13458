import { Trouble } from '../../plan/outcome.ts'
import type { Doing } from '../../plan/plan.ts'
import { Digest } from '../digest.ts'
import type { Content, Place } from '../source.ts'
import type { Server } from './address.ts'
import { Expiries, type Timetable } from './expiries.ts'
import { itemsOf, Tally } from './rdb/tally.ts'
import { drillContent } from './scratch.ts'
import { MARK } from './scripts.ts'
import type { Site } from './site.ts'
import { ContentTally, marked, snapshot } from './snapshot.ts'
import { type Mark, stateOf } from './state.ts'

const MARK_KEY = Buffer.from(MARK)
const NONE = new Digest().items()

/** What stands in a place, read from a snapshot of its server; throws Trouble(4) where nothing was loaded. */
export async function contentOf(site: Site, place: Place | 'live', run: string, doing: Doing): Promise<Content> {
  if (place === 'live') return liveContent(site, doing)
  if (place === 'scratch' && !site.scratch) return drillContent(site, run, doing)
  return loadedContent(place === 'scratch' ? (site.scratch as Server) : site.live, place, run, doing)
}

async function liveContent(site: Site, doing: Doing): Promise<Content> {
  const ours = marked(await stateOf(site.live, doing))
  const tally = new ContentTally()
  for await (const pieces of snapshot(site.live, doing)) tally.add(pieces.filter(({ db }) => !ours.has(db)))
  return tally.content()
}

/** By the names that the databases had; keys that have expired since they were loaded are no difference. */
async function loadedContent(server: Server, place: Place, run: string, doing: Doing): Promise<Content> {
  const loaded = new Map<number, { mark: Mark; table: Timetable | undefined; expiries: Expiries }>()
  for (const { db, mark } of (await stateOf(server, doing)).dbs) {
    if (!mark || mark.run !== run || mark.place !== place) continue
    const table = mark.loaded !== false && mark.loaded.expiring !== undefined ? (JSON.parse(mark.loaded.expiring) as Timetable) : undefined
    loaded.set(db, { mark, table, expiries: new Expiries(table?.sinceMs ?? 0) })
  }
  if (loaded.size === 0) throw new Trouble(4, `Nothing of run ${run} is loaded at ${server.setting}`)
  const tally = new Tally()
  for await (const pieces of snapshot(server, doing)) {
    for (const piece of pieces) {
      const at = piece.kind === 'key' ? loaded.get(piece.db) : undefined
      if (piece.kind !== 'key' || !at || piece.key.equals(MARK_KEY)) continue
      tally.add({ ...piece, db: at.mark.of })
      if (piece.expiresMs !== null) at.expiries.add(piece.expiresMs, piece.digest)
    }
  }
  const now = Date.now()
  const keys = tally.keys()
  for (const { mark, table, expiries } of loaded.values()) {
    const lasting = keys.get(mark.of)?.lasting ?? NONE
    if (table && expiries.fits(table, now)) keys.set(mark.of, { lasting, expiring: table.all })
  }
  return { items: itemsOf(keys), warnings: [] }
}
