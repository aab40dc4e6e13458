import type { Db } from 'mongodb'
import { plural } from '../../plan/durations.ts'
import { Trouble } from '../../plan/outcome.ts'
import type { Action, Doing } from '../../plan/plan.ts'
import type { Place } from '../source.ts'
import { collectionsOf, connected } from './client.ts'
import { type Moves, swapBackMoves, swapMoves } from './moves.ts'
import { asideName, besideName, leftover, scratchDatabase } from './names.ts'
import type { Site } from './site.ts'

/** NamespaceNotFound and NamespaceExists: somebody else made or removed a collection since we looked. */
const [NOT_FOUND, EXISTS] = [26, 48]

/** Two renamings a collection: live aside, then beside live. */
export function swapOf(site: Site, run: string, names: readonly string[]): Action {
  const prints = `rename in ${site.where}: each live collection to ${asideName('<name>', run)}, then ${besideName('<name>', run)} to <name> (${plural(names.length, 'collection')})`
  return { kind: 'call', prints, run: doing => rename(site, doing, all => swapMoves(all, run, names)) }
}

/** The same two, the other way round. */
export function swapBackOf(site: Site, run: string, names: readonly string[]): Action {
  const prints = `rename in ${site.where}: each restored collection back to ${besideName('<name>', run)}, then ${asideName('<name>', run)} to <name>`
  return { kind: 'call', prints, run: doing => rename(site, doing, all => swapBackMoves(all, run, names)) }
}

/** Nothing is renamed unless all of it can be; a collection that appears or goes meanwhile stops the rest. */
async function rename(site: Site, doing: Doing, plan: (standing: readonly string[]) => Moves): Promise<{ renamed: number }> {
  return connected(site.live, doing, async client => {
    const db = client.db(site.database)
    const { moves, conflicts } = plan(await renamable(db))
    if (conflicts.length > 0) throw blocked(site, conflicts)
    let done = 0
    for (const { from, to } of moves) {
      doing.signal.throwIfAborted()
      try {
        await db.renameCollection(from, to)
      } catch (error) {
        const { code } = error as { code?: unknown }
        if (code === EXISTS) throw blocked(site, [`${to} was made by somebody else before ${from} could take its place`])
        if (code === NOT_FOUND) throw blocked(site, [`${from} was removed by somebody else`])
        throw error
      }
      done += 1
      doing.progress({ done, total: moves.length, unit: 'items' })
    }
    return { renamed: done }
  })
}

/** Names that a renaming concerns; a view cannot be renamed, and follows its collection's name by itself. */
async function renamable(db: Db): Promise<string[]> {
  return (await collectionsOf(db)).filter(({ type }) => type !== 'view').map(({ name }) => name)
}

function blocked(site: Site, conflicts: readonly string[]): Trouble {
  return new Trouble(5, `Collections of ${site.where} are in the way, and nothing was overwritten: ${conflicts.join('; ')}.`, {
    next: ['stop the writers, rename or drop what they made, then run this again'],
  })
}

/** Drops the collections of a run that a swap put aside. */
export function forgetOf(site: Site, run: string): Action {
  const prints = `drop ${asideName('*', run)} in ${site.where}`
  return { kind: 'call', prints, run: doing => drop(site, run, 'aside', doing) }
}

/** Drops what a load made: the collections beside, or the scratch database. */
export function unloadOf(site: Site, place: Place, run: string): Action {
  if (place === 'beside')
    return { kind: 'call', prints: `drop ${besideName('*', run)} in ${site.where}`, run: doing => drop(site, run, 'beside', doing) }
  const database = scratchDatabase(site.database, run)
  const work = (doing: Doing) => connected(site.scratch, doing, client => client.db(database).dropDatabase())
  return { kind: 'call', prints: `drop the database ${database}`, run: async doing => void (await work(doing)) }
}

async function drop(site: Site, run: string, place: 'beside' | 'aside', doing: Doing): Promise<{ dropped: number }> {
  return connected(site.live, doing, async client => {
    const db = client.db(site.database)
    const all = await renamable(db)
    const names = all.filter(name => leftover(name)?.place === place && leftover(name)?.run === run)
    // Half a swap: the only whole copy of the live data is the one put aside.
    const alone = names
      .flatMap(name => leftover(name)?.of ?? [])
      .filter(name => place === 'aside' && all.includes(besideName(name, run)) && !all.includes(name))
    if (alone.length > 0) {
      const why = `${site.where} is half swapped, and only what stands aside has the present data of ${alone.join(', ')}. Nothing was dropped.`
      throw new Trouble(5, why, { next: ['finish the swap or take it back first'] })
    }
    for (const name of names) {
      doing.signal.throwIfAborted()
      await db.dropCollection(name)
    }
    return { dropped: names.length }
  })
}
