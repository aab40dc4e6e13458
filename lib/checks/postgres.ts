import { setTimeout as pause } from 'node:timers/promises'
import { type Duration, ms, plural, size } from '../plan/durations.ts'
import type { Doing } from '../plan/plan.ts'
import type { Server } from '../sources/postgres/address.ts'
import { answers } from '../sources/postgres/query.ts'
import { type PostgresOptions, serverOf } from '../sources/postgres/site.ts'
import { type Check, LIMIT_MS, type Look } from './check.ts'
import { spokenFault } from './reach.ts'

/** What a team writes of a PostgreSQL server; its address as of a part of the data. */
export type PostgresCheckOptions = Pick<PostgresOptions, 'url' | 'host' | 'port' | 'user' | 'password' | 'in' | 'bin'> & {
  readonly name?: string
  /** Database to ask, `postgres` unless said. */
  readonly database?: string
  /** How far a standby may be behind; 60s unless said. */
  readonly lag?: Duration
  /** Standbys that must be attached to this primary; none unless said. */
  readonly standbys?: number
  /** Part of `max_connections` that may be in use, in percent; 90 unless said. */
  readonly connectionsPercent?: number
}

/** What a server says of itself; times in seconds, null where it does not tell this user. */
export type PostgresState = {
  readonly version: string
  readonly standby: boolean
  /** Of a standby: whether it is attached to its primary, and how old what it has replayed is while there is more to replay. */
  readonly receiving: boolean
  readonly lagSeconds: number | null
  readonly connections: number
  readonly maxConnections: number
  /** Of a primary: its standbys, and how far each is behind. */
  readonly standbys: readonly {
    readonly name: string
    readonly state: string | null
    readonly lagSeconds: number | null
    readonly lagBytes: number | null
  }[]
}

/** What is tolerated. */
export type PostgresLimits = { readonly lagMs: number; readonly standbys: number; readonly connectionsPercent: number }

const LAG: Duration = '60s'
const CROWDED = 90
const SETTLE_MS = 500

/** A standby that has replayed nothing since it was started is as far behind as that is long ago, at most. */
const SQL = `SELECT json_build_object(
  'version', current_setting('server_version'),
  'standby', pg_is_in_recovery(),
  'receiving', EXISTS (SELECT FROM pg_stat_wal_receiver),
  'lagSeconds', CASE WHEN pg_is_in_recovery() AND pg_last_wal_receive_lsn() IS DISTINCT FROM pg_last_wal_replay_lsn()
    THEN extract(epoch FROM now() - coalesce(pg_last_xact_replay_timestamp(), pg_postmaster_start_time()))::float8 END,
  'connections', (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
  'maxConnections', current_setting('max_connections')::int,
  'standbys', (SELECT coalesce(json_agg(json_build_object('name', application_name, 'state', state,
      'lagSeconds', extract(epoch FROM replay_lag)::float8,
      'lagBytes', CASE WHEN NOT pg_is_in_recovery() THEN pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)::float8 END)), '[]'::json)
    FROM pg_stat_replication WHERE coalesce(application_name, '') <> 'pg_basebackup'));`

/** Whether a PostgreSQL server answers, follows or is followed as it should, and has connections left. */
export function postgres(options: PostgresCheckOptions): Check {
  const { name = 'postgres', database = 'postgres', standbys = 0, connectionsPercent = CROWDED } = options
  const server = serverOf(name, options)
  const limits = { lagMs: ms(options.lag ?? LAG), standbys, connectionsPercent }
  return {
    name,
    kind: 'postgres',
    limitMs: LIMIT_MS,
    async look(doing: Doing) {
      try {
        const found = postgresVerdict(await stateOf(server, database, doing), limits)
        if (found.is === 'healthy') return found
        // The first change after a quiet hour makes a standby seem an hour behind, for as long as replaying it takes.
        await pause(SETTLE_MS, undefined, { signal: doing.signal })
        return postgresVerdict(await stateOf(server, database, doing), limits)
      } catch (error) {
        doing.signal.throwIfAborted()
        return spokenFault(error)
      }
    },
  }
}

async function stateOf(server: Server, database: string, doing: Doing): Promise<PostgresState> {
  const [state] = await answers<PostgresState>(server, database, SQL, doing)
  if (!state) throw new Error('psql printed nothing')
  return state
}

/** The verdict on what a server says of itself. */
export function postgresVerdict(state: PostgresState, limits: PostgresLimits): Look {
  const { version, standby, connections, maxConnections, standbys } = state
  const used = Math.round((connections * 100) / maxConnections)
  const lags = standbys.flatMap(({ lagSeconds }) => lagSeconds ?? [])
  const lagSeconds = standby ? (state.lagSeconds ?? 0) : Math.max(0, ...lags)
  const measured = { connections, maxConnections, connectionsPercent: used, standbys: standbys.length, lagSeconds: Math.round(lagSeconds * 10) / 10 }
  const bad = [...(standby ? ofStandby(state, limits) : ofPrimary(state, limits))]
  if (used > limits.connectionsPercent) bad.push(`${connections} of ${maxConnections} connections in use (${used} %)`)
  if (bad.length > 0) return { is: 'unhealthy', says: bad.join('; '), measured }
  const role = standby
    ? `standby, ${measured.lagSeconds} s behind`
    : standbys.length > 0
      ? `primary of ${plural(standbys.length, 'standby', 'standbys')}`
      : 'answers'
  return { is: 'healthy', says: `PostgreSQL ${version}: ${role}; ${connections} of ${maxConnections} connections`, measured }
}

function ofStandby({ receiving, lagSeconds }: PostgresState, { lagMs }: PostgresLimits): string[] {
  if (!receiving) return ['it is a standby that is not attached to its primary, so it falls behind']
  return (lagSeconds ?? 0) * 1000 > lagMs ? [`it is ${Math.round(lagSeconds ?? 0)} s behind its primary, more than ${lagMs / 1000} s`] : []
}

function ofPrimary({ standbys }: PostgresState, limits: PostgresLimits): string[] {
  const few = standbys.length < limits.standbys ? [`${standbys.length} of ${plural(limits.standbys, 'standby', 'standbys')} attached`] : []
  const slow = standbys.filter(({ lagSeconds }) => (lagSeconds ?? 0) * 1000 > limits.lagMs)
  return [...few, ...slow.map(({ name, lagSeconds, lagBytes }) => `${name} is ${Math.round(lagSeconds ?? 0)} s (${size(lagBytes ?? 0)}) behind`)]
}
