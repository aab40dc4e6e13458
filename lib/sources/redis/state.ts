import { Trouble } from '../../plan/outcome.ts'
import type { Doing } from '../../plan/plan.ts'
import type { Place } from '../source.ts'
import type { Server } from './address.ts'
import { evaluated } from './cli.ts'
import { INFO, STATE } from './scripts.ts'

/** What a finished load says of a database: whether anything was in it, and the timetable of its keys with a time to live, as JSON. */
export type Loaded = { readonly full: boolean; readonly expiring?: string }

/** What the mark of a database says: whose it is, which database it was or will be, and whether that held anything when it moved aside. */
export type Mark = {
  readonly run: string
  readonly place: Place | 'aside'
  readonly of: number
  readonly had: boolean
  readonly loaded: Loaded | false
}

/** One database that holds something; `keys` without the mark. */
export type Database = { readonly db: number; readonly keys: number; readonly mark: Mark | false }

/** What a server holds and says of itself. */
export type State = {
  readonly databases: number
  readonly dbs: readonly Database[]
  /** A field of `INFO`; '' where this server does not have it. */
  readonly info: (field: string) => string
}

/** Looks at every database of a server; throws Trouble(3) denied, Trouble(8) not reached or loading. */
export async function stateOf(server: Server, doing: Doing): Promise<State> {
  const { databases, dbs, info } = await evaluated<{ databases: number; dbs: Database[] | Record<string, never>; info: string }>(
    server,
    STATE,
    [],
    doing,
  )
  // Lua cannot tell an empty list from an empty object.
  return { databases, dbs: Array.isArray(dbs) ? dbs : [], info: fieldsOf(info) }
}

/** What a server says of itself, without a look at its databases; throws as `stateOf` does. */
export async function infoOf(server: Server, doing: Doing): Promise<State['info']> {
  return fieldsOf((await evaluated<{ info: string }>(server, INFO, [], doing)).info)
}

function fieldsOf(info: string): State['info'] {
  const fields = new Map(info.split(/\r?\n/).flatMap(line => (line.includes(':') ? [[before(line), after(line)] as const] : [])))
  return field => fields.get(field) ?? ''
}

const before = (line: string) => line.slice(0, line.indexOf(':'))
const after = (line: string) => line.slice(line.indexOf(':') + 1)

/** Databases of the application. */
export const liveOf = ({ dbs }: State): readonly Database[] => dbs.filter(({ mark, keys }) => !mark && keys > 0)

/** Why neither a backup nor a restore of this server can be what it says; undefined when it can. */
export function unfit({ info }: State): string | undefined {
  if (info('cluster_enabled') === '1') return 'it is a node of a cluster, which holds a part of the keys and has only one database'
  if (info('role') !== 'slave') return undefined
  return `it is a replica of ${info('master_host')}:${info('master_port')}: name its primary`
}

/** The state of a server that can be backed up and restored; throws Trouble(3) for another one. */
export async function fitState(server: Server, doing: Doing): Promise<State> {
  const state = await stateOf(server, doing)
  const why = unfit(state)
  if (why !== undefined) throw new Trouble(3, `Redis (${server.setting}) cannot be used: ${why}.`)
  return state
}
