import { count, size } from '../plan/durations.ts'
import { type Exit, Trouble } from '../plan/outcome.ts'
import type { Doing } from '../plan/plan.ts'
import type { PartFacts } from '../sources/source.ts'
import type { StoreFacts } from '../stores/store.ts'
import { catalogue, type Point } from './catalogue.ts'
import { itemsIn } from './point.ts'
import { type DataSite, firstStore, folderOf, partOf } from './site.ts'

/** What a look at the data of a stack found: its parts, its stores, the backups that exist (oldest first). */
export type DataFacts = {
  readonly parts: readonly PartFacts[]
  readonly stores: readonly StoreFacts[]
  readonly points: readonly Point[]
  readonly strays: readonly string[]
}

/** Looks at the named parts (all, when none is named), the stores and the points, at the same time. */
export async function lookAt(site: DataSite, doing: Doing, names: readonly string[] = []): Promise<DataFacts> {
  const wanted = names.length > 0 ? names : [...site.parts.keys()]
  const strange = wanted.find(name => !site.parts.has(name))
  if (strange) throw new Trouble(2, `${folderOf(site)} has no part "${strange}"; it has ${[...site.parts.keys()].join(', ')}`)
  const [parts, stores] = await Promise.all([
    Promise.all(wanted.map(name => partOf(site, name).facts(doing))),
    Promise.all([...site.stores.values()].map(store => store.facts(doing))),
  ])
  const reachable = stores[0]?.state === 'writable' || stores[0]?.state === 'read-only'
  const { points, strays } = reachable ? await catalogue(firstStore(site), folderOf(site), doing) : { points: [], strays: [] }
  return { parts, stores, points, strays }
}

/** One assertion with what mends it; the shape that the engine refuses by. */
type Assertion = { readonly title: string; readonly holds: boolean; readonly because: string; readonly mend?: string; readonly exit?: Exit }

/** The tools that a part needs are there and new enough. */
export function hasTools(part: PartFacts): Assertion[] {
  return part.tools.map(tool => ({
    title: `${part.name}: ${tool.name}`,
    holds: tool.version !== null && tool.mend === undefined,
    because: `${part.name} needs ${tool.name}, ${tool.version === null ? 'which is not on PATH' : `and ${tool.version} is too old`}`,
    ...(tool.mend ? { mend: tool.mend } : {}),
  }))
}

/** The part can be read. */
export function answering(part: PartFacts): Assertion {
  return {
    title: `${part.name} answers`,
    holds: part.state === 'answers',
    because: `${part.name} (${part.where}) is ${part.state === 'denied' ? 'not to be read' : part.state}${part.because ? `: ${part.because}` : ''}`,
  }
}

/** The part holds something: a backup of nothing is the wrong database more often than an empty one. */
export function notEmpty(part: PartFacts): Assertion {
  const items = Object.values(part.counts).reduce((sum, n) => sum + n, 0)
  return {
    title: `${part.name} is not empty`,
    holds: part.state !== 'answers' || items > 0,
    because: `${part.name} (${part.where}) is empty: 0 items in ${count(Object.keys(part.counts).length)} collections or tables`,
    mend: 'check the address and the name of the database in the stack file',
  }
}

/** The store takes new objects and refuses to overwrite. */
export function writable(store: StoreFacts): Assertion[] {
  return [
    {
      title: `${store.name} is writable`,
      holds: store.state === 'writable',
      because: `the store ${store.where} is ${store.state}${store.because ? `: ${store.because}` : ''}`,
      ...(store.mend ? { mend: store.mend } : {}),
    },
    {
      title: `${store.name} never overwrites`,
      holds: store.state !== 'writable' || store.conditional,
      because: `the store ${store.where} does not honour conditional writes (If-None-Match), so two runs could overwrite each other`,
      mend: 'use a store or a version of its server that honours If-None-Match and If-Match',
    },
  ]
}

/** Room for what the last backup took, or for a third of the plain size where there was none: zstd makes documents 3 to 6 times smaller, media hardly. */
export function hasRoom(store: StoreFacts, parts: readonly PartFacts[], points: readonly Point[]): Assertion {
  const last = points.findLast(point => point.manifest !== null)?.manifest
  const needs = parts.reduce((sum, part) => sum + (last?.parts[part.name]?.stored.bytes ?? part.sizeBytes), 0)
  return {
    title: `${store.name} has room`,
    holds: store.freeBytes === null || store.freeBytes >= needs,
    because: `the store ${store.where} has ${size(store.freeBytes ?? 0)} left, and this needs about ${size(needs)}`,
    mend: `free space at ${store.where}`,
  }
}

/** Parts that hold less than half of what the last good backup held, as warnings. */
export function shrunk(parts: readonly PartFacts[], points: readonly Point[]): string[] {
  const last = points.findLast(point => point.manifest !== null && point.status !== 'CORRUPT')
  return parts.flatMap(part => {
    const before = last?.manifest?.parts[part.name]
    if (!before || part.state !== 'answers') return []
    const then = itemsIn(before.content)
    const now = Object.values(part.counts).reduce((sum, n) => sum + n, 0)
    return now * 2 < then
      ? [
          `${part.name} SHRANK by more than half since ${last?.id}: ${count(then)} items then, ${count(now)} now. Look before older backups are let go of.`,
        ]
      : []
  })
}
