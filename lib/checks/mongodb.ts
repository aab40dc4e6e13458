import type { Db } from 'mongodb'
import type { ServicePlace } from '../exec/place.ts'
import { type Duration, ms } from '../plan/durations.ts'
import type { Secret } from '../plan/secrets.ts'
import { connected } from '../sources/mongodb/client.ts'
import { type Check, LIMIT_MS, type Look } from './check.ts'
import { spokenFault } from './reach.ts'

/** What a team writes of a MongoDB server or replica set. */
export type MongodbCheckOptions = {
  readonly name?: string
  readonly uri: Secret
  /** The service that the server is reached through, where it publishes no port. */
  readonly in?: ServicePlace
  /** How far a secondary may be behind; 60s unless said. */
  readonly lag?: Duration
}

/** The answer of `replSetGetStatus`, as far as it is judged: https://www.mongodb.com/docs/manual/reference/command/replSetGetStatus/ */
export type ReplicaSet = {
  readonly set: string
  readonly members: readonly {
    readonly name: string
    readonly stateStr: string
    readonly optimeDate?: Date
    readonly lastHeartbeatMessage?: string
  }[]
}

const LAG: Duration = '60s'

/** What a member of a set may be; the others (RECOVERING, STARTUP2, DOWN, ROLLBACK …) have no or old data. */
const FIT = new Set(['PRIMARY', 'SECONDARY', 'ARBITER'])

/** Whether MongoDB answers and, where it is a replica set, whether it has a primary and its members follow. */
export function mongodb({ name = 'mongodb', uri, lag = LAG, in: within }: MongodbCheckOptions): Check {
  return {
    name,
    kind: 'mongodb',
    // A way into a service takes longer.
    limitMs: within ? 2 * LIMIT_MS : LIMIT_MS,
    async look(doing) {
      try {
        return await connected({ uri, within }, doing, client => stateOf(client.db('admin'), ms(lag)))
      } catch (error) {
        doing.signal.throwIfAborted()
        return spokenFault(error)
      }
    },
  }
}

async function stateOf(admin: Db, lagMs: number): Promise<Look> {
  const began = performance.now()
  await admin.command({ ping: 1 })
  const pingMs = Math.round(performance.now() - began)
  const hello = await admin.command({ hello: 1 })
  const set: unknown = hello.setName
  if (typeof set !== 'string') return { is: 'healthy', says: 'answers; no replica set', measured: { pingMs } }
  try {
    const found = replicaSetVerdict((await admin.command({ replSetGetStatus: 1 })) as unknown as ReplicaSet, lagMs)
    return { ...found, measured: { pingMs, ...(found.measured as object) } }
  } catch (error) {
    return partly(set, hello.isWritablePrimary === true, error, pingMs)
  }
}

/** Without clusterMonitor the members cannot be seen; that there is a primary was seen, as it is the one that was asked. */
function partly(set: string, primary: boolean, error: unknown, pingMs: number): Look {
  const why = error instanceof Error ? error.message : String(error)
  const measured = { pingMs, set }
  if (!primary) return { is: 'unknown', says: `could not look: it answers, is no primary, and the state of ${set} cannot be read: ${why}`, measured }
  return { is: 'healthy', says: `answers as primary of ${set}; its members cannot be read: ${why}`, measured }
}

/** The verdict on a replica set. */
export function replicaSetVerdict({ set, members }: ReplicaSet, lagMs: number): Look {
  const primary = members.find(({ stateStr }) => stateStr === 'PRIMARY')
  const newest = primary?.optimeDate?.getTime() ?? 0
  const behind = members
    .filter(({ stateStr }) => stateStr === 'SECONDARY')
    .map(({ name, optimeDate }) => ({ name, lagMs: newest === 0 || !optimeDate ? 0 : Math.max(0, newest - optimeDate.getTime()) }))
  const lagSeconds = Math.round(Math.max(0, ...behind.map(one => one.lagMs)) / 1000)
  const measured = { set, members: members.length, lagSeconds }
  const bad = [
    ...(primary ? [] : [`${set} has no primary, so nothing can be written`]),
    ...members
      .filter(({ stateStr }) => !FIT.has(stateStr))
      .map(({ name, stateStr, lastHeartbeatMessage: said }) => `${name} is ${stateStr}${said ? ` (${said})` : ''}`),
    ...behind.filter(one => one.lagMs > lagMs).map(one => `${one.name} is ${Math.round(one.lagMs / 1000)} s behind`),
  ]
  if (bad.length > 0) return { is: 'unhealthy', says: bad.join('; '), measured }
  return { is: 'healthy', says: `${set}: ${members.length} members, primary ${primary?.name}, at most ${lagSeconds} s behind`, measured }
}
