import { backupAge } from '../checks/backup-age.ts'
import { type Check, LIMIT_MS, type Look } from '../checks/check.ts'
import { distinct } from '../checks/findings.ts'
import { spokenFault } from '../checks/reach.ts'
import { count, size } from '../plan/durations.ts'
import type { Doing } from '../plan/plan.ts'
import type { PartFacts, Source } from '../sources/source.ts'
import { type Store, StoreError, type StoreFacts } from '../stores/store.ts'
import { catalogue } from './catalogue.ts'
import { usable } from './choose.ts'
import { type DataSite, firstStore, folderOf } from './site.ts'

/** Everything that is looked at of a stack: what follows from it, then what its file says. Trouble(2) for two checks of one name. */
export async function everyCheck(site: DataSite, more: readonly Check[] = []): Promise<readonly Check[]> {
  return distinct([...more, ...dataChecks(site), ...((await site.checks?.()) ?? [])])
}

/** What follows from a stack without being said: every part answers, every store is reached, and the newest backup is young enough. */
function dataChecks(site: DataSite): Check[] {
  const look = [`npx zx runbooks/backup-list.ts --stack=${site.stack} --environment=${site.environment}`]
  const facts = askedOnce()
  const newest = async (doing: Doing) => {
    // Whether it can be listed is known once it was looked at: a folder is made by that.
    await facts(firstStore(site), doing)
    const { points } = await catalogue(firstStore(site), folderOf(site), doing)
    return usable(points).at(-1)?.manifest?.begun ?? null
  }
  return [
    ...[...site.parts.values()].map(partCheck),
    ...[...site.stores.values()].map(store => storeCheck(store, facts)),
    backupAge({ newest, objectiveMs: site.dataLossMs, look }),
  ]
}

/** Looks at a store; who asks while another looks gets the same facts. */
function askedOnce(): (store: Store, doing: Doing) => Promise<StoreFacts> {
  const asked = new Map<Store, Promise<StoreFacts>>()
  return (store, doing) => {
    const looking = asked.get(store) ?? store.facts(doing).finally(() => asked.delete(store))
    asked.set(store, looking)
    return looking
  }
}

/** Counting a large database takes longer than a ping. */
const PART_LIMIT_MS = 3 * LIMIT_MS

function partCheck(part: Source): Check {
  return { name: part.name, kind: part.kind, limitMs: PART_LIMIT_MS, look: async doing => partVerdict(await part.facts(doing)) }
}

/** The verdict on a part of the data. A refused key is ours: nobody could look. */
export function partVerdict({ state, where, because, sizeBytes, counts }: PartFacts): Look {
  const items = Object.values(counts).reduce((sum, n) => sum + n, 0)
  if (state === 'answers') return { is: 'healthy', says: `${where}: ${count(items)} items, ${size(sizeBytes)}`, measured: { items, sizeBytes } }
  if (state === 'missing') return { is: 'unhealthy', says: `${where} is missing${because ? `: ${because}` : ''}` }
  if (state === 'denied') return { is: 'unknown', says: `could not look at ${where}: ${because ?? 'denied'}` }
  const { is, says } = spokenFault({ message: because ?? 'it does not answer' })
  return { is, says: `${where}: ${says}` }
}

function storeCheck(store: Store, facts: (store: Store, doing: Doing) => Promise<StoreFacts>): Check {
  return { name: `store ${store.name}`, kind: 'store', limitMs: LIMIT_MS, look: async doing => storeVerdict(await facts(store, doing)) }
}

/** The verdict on a store: it must take backups. */
export function storeVerdict({ state, where, because, mend, freeBytes }: StoreFacts): Look {
  const look = mend ? { look: [mend] } : {}
  const why = because ? `: ${because}` : ''
  const free = freeBytes === null ? '' : `, ${size(freeBytes)} free`
  const measured = freeBytes === null ? {} : { measured: { freeBytes } }
  if (state === 'writable') return { is: 'healthy', says: `${where} can be written${free}`, ...measured }
  if (state === 'read-only' || state === 'missing') return { is: 'unhealthy', says: `${where} is ${state}${why}`, ...look }
  if (state === 'denied') return { is: 'unknown', says: `could not look at ${where}: denied${why}`, ...look }
  const { is, says } = spokenFault(new StoreError('unreachable', because ?? 'it does not answer'))
  return { is, says: `${where}: ${says}`, ...look }
}
