import { setTimeout as sleep } from 'node:timers/promises'
import { Trouble } from '../../plan/outcome.ts'
import type { Action, Doing } from '../../plan/plan.ts'
import type { Place } from '../source.ts'
import { marksOf, withMarks } from './marks.ts'
import { databaseAt, identifier, literal } from './names.ts'
import { databases, query } from './query.ts'
import { sessionsEnded } from './sessions.ts'
import type { Site } from './site.ts'

/** How often a renaming is tried again when a client has slipped in between the end of its sessions and the renaming. */
const TRIES = 6

type Stands = { readonly live: boolean; readonly beside: boolean; readonly aside: boolean; readonly comment: string }

/** Live moves aside and what is beside becomes live, in one transaction: nobody ever sees neither, though who connects in that very moment is sent away once ("does not exist") and must come again. */
export function swapOf(site: Site, run: string): Action {
  const [aside, beside] = [databaseAt(site.database, 'aside', run), databaseAt(site.database, 'beside', run)]
  const prints = `psql -c 'BEGIN' -c 'ALTER DATABASE ${identifier(site.database)} RENAME TO ${identifier(aside)}' -c 'ALTER DATABASE ${identifier(beside)} RENAME TO ${identifier(site.database)}' -c 'COMMIT'`
  return call(prints, doing =>
    renamed(site, run, doing, ({ live, beside: loaded, aside: kept }) => {
      if (!loaded) {
        if (live) return []
        throw blocked(site, kept ? `only ${aside} is left, and nothing stands beside` : 'nothing stands beside to be swapped in')
      }
      if (live && kept) throw blocked(site, `${site.database} was made again by somebody else while its old data stand as ${aside}`)
      return [...(live ? [[site.database, aside] as const] : []), [beside, site.database] as const]
    }),
  )
}

/** The reverse, in one transaction as well. */
export function swapBackOf(site: Site, run: string): Action {
  const [aside, beside] = [databaseAt(site.database, 'aside', run), databaseAt(site.database, 'beside', run)]
  const prints = `psql -c 'BEGIN' -c 'ALTER DATABASE ${identifier(site.database)} RENAME TO ${identifier(beside)}' -c 'ALTER DATABASE ${identifier(aside)} RENAME TO ${identifier(site.database)}' -c 'COMMIT'`
  return call(prints, doing =>
    renamed(site, run, doing, ({ live, beside: loaded, aside: kept, comment }) => {
      const back = [[site.database, beside] as const]
      if (!kept) return live && !loaded && marksOf(comment).instead === run ? back : []
      if (live && loaded) throw blocked(site, `${site.database} was made again by somebody else while its old data stand as ${aside}`)
      return [...(live ? back : []), [aside, site.database] as const]
    }),
  )
}

async function standing(site: Site, run: string, doing: Doing): Promise<Stands> {
  const all = await databases(site.live, site.maintenance, doing)
  const at = (place: 'live' | 'beside' | 'aside') => all.find(({ name }) => name === databaseAt(site.database, place, run))
  return { live: at('live') !== undefined, beside: at('beside') !== undefined, aside: at('aside') !== undefined, comment: at('live')?.comment ?? '' }
}

type Moves = readonly (readonly [from: string, to: string])[]

/** Ends the sessions of what is renamed and renames it; the lock of the first renaming keeps new sessions waiting until all are done. */
async function renamed(site: Site, run: string, doing: Doing, plan: (stands: Stands) => Moves): Promise<{ renamed: number }> {
  for (let tried = 1; ; tried++) {
    const stands = await standing(site, run, doing)
    const moves = plan(stands)
    if (moves.length === 0) return { renamed: 0 }
    const sql = [
      'BEGIN;',
      `SET LOCAL lock_timeout = '10s';`,
      ...moves.map(([from]) => sessionsEnded(from)),
      ...moves.map(([from, to]) => `ALTER DATABASE ${identifier(from)} RENAME TO ${identifier(to)};`),
      ...insteadMarks(site, run, stands, moves),
      'COMMIT;',
    ]
    try {
      await query(site.live, site.maintenance, sql.join('\n'), doing)
      return { renamed: moves.length }
    } catch (error) {
      const busy = error instanceof Trouble && /is being accessed by other users|lock timeout/.test(error.message)
      if (!busy || tried === TRIES) throw error
      await sleep(50 * tried, undefined, { signal: doing.signal })
    }
  }
}

/** What became live with nothing to put aside says so of itself, or its way back could not be told from somebody else's database. */
function insteadMarks(site: Site, run: string, { comment }: Stands, moves: Moves): string[] {
  if (moves.length > 1) return []
  const [[from, to]] = moves as [readonly [string, string]]
  if (to === site.database && from === databaseAt(site.database, 'beside', run)) return [comments(to, `${withMarks({ instead: run, own: '' })}`)]
  return from === site.database ? [comments(to, withMarks({ ...marksOf(comment), instead: undefined }))] : []
}

const comments = (database: string, text: string) => `COMMENT ON DATABASE ${identifier(database)} IS ${text === '' ? 'NULL' : literal(text)};`

/** Drops what a swap put aside. */
export function forgetOf(site: Site, run: string): Action {
  const aside = databaseAt(site.database, 'aside', run)
  return call(dropping(aside), async doing => {
    const stands = await standing(site, run, doing)
    if (stands.aside && !stands.live) {
      const why = `${site.database} is gone, and only ${aside} has its present data. Nothing was dropped.`
      throw new Trouble(5, why, { next: ['finish the restore or take it back first'] })
    }
    const { instead, ...marks } = marksOf(stands.comment)
    const unmarked = instead === run ? `\n${comments(site.database, withMarks(marks))}` : ''
    await query(site.live, site.maintenance, `${dropping(aside)};${unmarked}`, doing)
    return { dropped: Number(stands.aside) }
  })
}

/** Drops what a load made, also half of it. */
export function unloadOf(site: Site, place: Place, run: string): Action {
  const server = place === 'scratch' ? site.scratch : site.live
  const sql = dropping(databaseAt(site.database, place, run))
  return call(sql, async doing => {
    await query(server, site.maintenance, `${sql};`, doing)
    return null
  })
}

const dropping = (database: string) => `DROP DATABASE IF EXISTS ${identifier(database)} WITH (FORCE)`

function blocked(site: Site, why: string): Trouble {
  return new Trouble(5, `${site.where} cannot be swapped, and nothing was renamed: ${why}.`, { look: ['psql -l'] })
}

function call(prints: string, run: Action['run']): Action {
  return { kind: 'call', prints, run }
}
