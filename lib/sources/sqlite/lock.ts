import type { DatabaseSync } from 'node:sqlite'
import { quote } from '../../exec/command.ts'
import { Trouble } from '../../plan/outcome.ts'
import type { Action, Json } from '../../plan/plan.ts'
import { type Spots, stands } from '../places.ts'
import type { Source } from '../source.ts'
import { connect, sqliteFault, sqliteTrouble } from './open.ts'
import { HOLD_PREFIX, quoted, tablesOf } from './schema.ts'

/** What the lock does, and what it cannot. */
const HOW_LOCKED =
  'triggers in the database refuse every insert, update and delete, also over connections that are open; they stay until released (virtual tables are not covered)'

function holdTriggers(database: DatabaseSync): readonly { readonly name: string; readonly sql: string }[] {
  const rows = database.prepare(`SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'`).all()
  return rows.map(row => ({ name: String(row.name), sql: String(row.sql) })).filter(row => row.name.startsWith(HOLD_PREFIX))
}

function atomically(database: DatabaseSync, work: () => void): void {
  database.exec('BEGIN IMMEDIATE')
  try {
    work()
    database.exec('COMMIT')
  } catch (error) {
    database.exec('ROLLBACK')
    throw error
  }
}

/** Removes the triggers of every lock from a database and returns how many there were; one without any is not written to. */
export function unlock(database: DatabaseSync): number {
  const triggers = holdTriggers(database)
  if (triggers.length > 0) {
    atomically(database, () => {
      for (const { name } of holdTriggers(database)) database.exec(`DROP TRIGGER ${quoted(name)}`)
    })
  }
  return triggers.length
}

/** The run that locked writers out, or null; also null where no database stands that could be written to. */
async function held(at: Spots): Promise<string | null> {
  const database = await openLive(at, 'read')
  if (!database) return null
  try {
    const [first] = holdTriggers(database)
    return first ? (/locked by restore ([^']+)'/.exec(first.sql)?.[1] ?? 'unknown') : null
  } finally {
    database.close()
  }
}

/** Locks writers out for a run. A missing or ruined database has no writers, and is left alone. */
function hold(at: Spots, run: string): Action {
  return {
    kind: 'call',
    prints: `refuse writes in ${at.live} (triggers ${HOLD_PREFIX}${run}_*)`,
    run: async () => {
      const database = await openLive(at, 'write')
      if (!database) return { held: false, triggers: 0 }
      try {
        return { held: true, triggers: makeTriggers(database, run) }
      } catch (error) {
        if (sqliteFault(error, at.live)?.kind !== 'busy') return sqliteTrouble(at.live)(error)
        throw new Trouble(4, `${at.live} cannot be locked: a writer keeps a transaction open`, { look: [`fuser -v ${quote(at.live)}`], cause: error })
      } finally {
        database.close()
      }
    },
  }
}

function makeTriggers(database: DatabaseSync, run: string): number {
  if (/[^\w.-]/.test(run)) throw new RangeError(`${run} is not the id of a run`)
  let made = 0
  atomically(database, () => {
    for (const { name } of holdTriggers(database)) database.exec(`DROP TRIGGER ${quoted(name)}`)
    for (const { name, shadow } of tablesOf(database)) {
      if (shadow) continue
      for (const event of ['insert', 'update', 'delete']) {
        const trigger = quoted(`${HOLD_PREFIX}${run}_${name}_${event}`)
        database.exec(`CREATE TRIGGER ${trigger} BEFORE ${event} ON ${quoted(name)} BEGIN SELECT RAISE(ABORT, 'locked by restore ${run}'); END`)
        made += 1
      }
    }
  })
  return made
}

/** Lets writers in again, whichever run locked them out: after a swap back the live file can carry an older run's lock, and the data lease admits one run. */
function release(at: Spots): Action {
  return {
    kind: 'call',
    prints: `allow writes in ${at.live} again (drop triggers ${HOLD_PREFIX}*)`,
    run: async (): Promise<Json> => {
      const database = await openLive(at, 'write')
      if (!database) return { released: 0 }
      try {
        return { released: unlock(database) }
      } catch (error) {
        return sqliteTrouble(at.live)(error)
      } finally {
        database.close()
      }
    },
  }
}

async function openLive(at: Spots, how: 'read' | 'write'): Promise<DatabaseSync | null> {
  if (!(await stands(at.live))) return null
  try {
    return await connect(at.live, how)
  } catch (error) {
    if (sqliteFault(error, at.live)?.kind === 'broken') return null
    return sqliteTrouble(at.live)(error)
  }
}

/** The lock of a database, as a source offers it. */
export function lockOf(at: Spots): NonNullable<Source['lock']> {
  return { how: HOW_LOCKED, held: () => held(at), hold: run => hold(at, run), release: () => release(at) }
}
