import { size } from '../plan/durations.ts'
import type { Doing } from '../plan/plan.ts'
import { type RedisOptions, serverOf } from '../sources/redis/site.ts'
import { infoOf } from '../sources/redis/state.ts'
import { type Check, LIMIT_MS, type Look } from './check.ts'
import { spokenFault } from './reach.ts'

/** What a team writes of a Redis server; its address as of a part of the data. */
export type RedisCheckOptions = Omit<RedisOptions, 'scratch'> & {
  readonly name?: string
  /** Whether the append-only file must be on. */
  readonly aof?: boolean
  /** Part of `maxmemory` that may be in use where nothing is evicted, in percent; 90 unless said. */
  readonly memoryPercent?: number
}

/** What is tolerated. */
export type RedisLimits = { readonly aof: boolean; readonly memoryPercent: number }

const CROWDED = 90

/** Whether a Redis server answers, can keep what it is given on disk and in memory, and follows its primary. */
export function redis(options: RedisCheckOptions): Check {
  const { name = 'redis', aof = false, memoryPercent = CROWDED } = options
  const server = serverOf(name, options)
  return {
    name,
    kind: 'redis',
    limitMs: LIMIT_MS,
    async look(doing: Doing) {
      try {
        return redisVerdict(await infoOf(server, doing), { aof, memoryPercent })
      } catch (error) {
        doing.signal.throwIfAborted()
        return spokenFault(error)
      }
    },
  }
}

/** The verdict on the fields of INFO; '' stands for one that this server does not have. */
export function redisVerdict(info: (field: string) => string, limits: RedisLimits): Look {
  const [used, max] = [Number(info('used_memory')), Number(info('maxmemory'))]
  const percent = max > 0 ? Math.round((used * 100) / max) : undefined
  const measured = {
    usedBytes: used,
    ...(percent === undefined ? {} : { maxBytes: max, memoryPercent: percent }),
    clients: Number(info('connected_clients')),
    rejectedConnections: Number(info('rejected_connections')),
    unsavedChanges: Number(info('rdb_changes_since_last_save')),
  }
  const bad = [...ofDisk(info, limits), ...ofMemory(info, percent, limits), ...ofPrimary(info)]
  if (bad.length > 0) return { is: 'unhealthy', says: bad.join('; '), measured }
  const keeps = info('aof_enabled') === '1' ? 'append-only file on' : 'no append-only file'
  const memory = percent === undefined ? `${size(used)} in use, no limit` : `${size(used)} of ${size(max)} in use`
  return { is: 'healthy', says: `Redis ${info('redis_version')}, ${info('role') === 'slave' ? 'replica' : 'primary'}: ${memory}, ${keeps}`, measured }
}

function ofDisk(info: (field: string) => string, { aof }: RedisLimits): string[] {
  const on = info('aof_enabled') === '1'
  return [
    ...(info('loading') === '1' ? ['it is still loading its data'] : []),
    ...(aof && !on ? ['its append-only file is off, so a crash loses what was written since the last snapshot'] : []),
    ...(on && failed(info('aof_last_write_status')) ? ['it cannot write its append-only file'] : []),
    ...(on && failed(info('aof_last_bgrewrite_status')) ? ['the last rewrite of its append-only file failed'] : []),
    ...(failed(info('rdb_last_bgsave_status')) ? ['its last snapshot failed; it refuses writes where stop-writes-on-bgsave-error is on'] : []),
  ]
}

const failed = (status: string) => status !== '' && status !== 'ok'

/** A cache that evicts is meant to be full. */
function ofMemory(info: (field: string) => string, percent: number | undefined, { memoryPercent }: RedisLimits): string[] {
  if (percent === undefined || percent <= memoryPercent || info('maxmemory_policy') !== 'noeviction') return []
  return [`${percent} % of its memory limit in use, and nothing is evicted: at 100 % it refuses writes`]
}

function ofPrimary(info: (field: string) => string): string[] {
  if (info('role') !== 'slave' || info('master_link_status') === 'up') return []
  const since = Number(info('master_link_down_since_seconds'))
  const primary = `${info('master_host')}:${info('master_port')}`
  return [`it is a replica without its primary ${primary}${since > 0 ? ` for ${since} s` : ''}`]
}
