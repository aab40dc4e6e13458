import { Trouble } from '../../plan/outcome.ts'
import type { Action, Doing } from '../../plan/plan.ts'
import type { Place } from '../source.ts'
import { evaluated } from './cli.ts'
import { leaveDrill } from './scratch.ts'
import { FLUSH, SWAP, SWAP_BACK } from './scripts.ts'
import type { Site } from './site.ts'

type Answer = {
  readonly swapped?: number
  readonly error?: 'nothing' | 'mixed' | 'half' | 'marked' | 'full'
  readonly db?: number
  readonly run?: string
  readonly databases?: number
}

/** Live moves aside and what is beside becomes live, in one command: no client ever sees a mix. */
export function swapOf(site: Site, run: string): Action {
  return call('redis-cli EVAL "SWAPDB live beside, for every database"', doing => swapped(site, SWAP, run, doing))
}

/** The reverse, in one command as well. */
export function swapBackOf(site: Site, run: string): Action {
  return call('redis-cli EVAL "SWAPDB live aside, for every database"', doing => swapped(site, SWAP_BACK, run, doing))
}

async function swapped(site: Site, script: string, run: string, doing: Doing): Promise<{ swapped: number }> {
  const { error, db, run: other, databases, swapped = 0 } = await evaluated<Answer>(site.live, script, [run], doing)
  if (!error) return { swapped }
  const why = {
    nothing: `nothing of run ${run} stands there`,
    mixed: `run ${run} has databases both beside and aside, which it cannot have by itself`,
    half: `database ${db} was not loaded to its end`,
    marked: `database ${db} is taken by what the restore ${other} put there`,
    full: `none of the ${databases} databases is left for what the backup does not have`,
  }[error]
  throw new Trouble(5, `${site.where} cannot be swapped, and nothing was: ${why}.`, { look: ['redis-cli INFO keyspace'] })
}

/** Empties what a swap put aside. */
export function forgetOf(site: Site, run: string): Action {
  return call('redis-cli EVAL "FLUSHDB aside"', doing => evaluated<{ flushed: number }>(site.live, FLUSH, [run, 'aside'], doing))
}

/** Empties what a load made, also half of it. */
export function unloadOf(site: Site, place: Place, run: string): Action {
  if (place === 'scratch' && !site.scratch) return leaveDrill(site, run)
  const server = place === 'scratch' ? site.scratch! : site.live
  return call(`redis-cli EVAL "FLUSHDB ${place}"`, doing => evaluated<{ flushed: number }>(server, FLUSH, [run, place], doing))
}

function call(prints: string, run: Action['run']): Action {
  return { kind: 'call', prints, run }
}
