import type { Action, Doing } from '../../plan/plan.ts'
import type { Source } from '../source.ts'
import { marksOf, withMarks } from './marks.ts'
import { identifier, literal } from './names.ts'
import { databases, query } from './query.ts'
import { olderSessionsEnded } from './sessions.ts'
import type { Site } from './site.ts'

/** What the lock does, and what it cannot. A limit of connections would not stop a superuser, as which many applications run; refusing all connections would stop dumps too. */
const HOW =
  'the database makes new sessions read only (default_transaction_read_only), and sessions that were open are ended; readers go on, and it stays until released (a session that sets itself to read write is not stopped)'

/** The lock of a database; its comment says which run holds it, and both move with it when it is renamed. */
export function lockOf(site: Site): NonNullable<Source['lock']> {
  const name = identifier(site.database)
  return {
    how: HOW,
    held: async doing => marksOf((await comment(site, doing)) ?? '').lock ?? null,
    hold: run =>
      call(`ALTER DATABASE ${name} SET default_transaction_read_only = on`, async doing => {
        const found = await comment(site, doing)
        if (found === undefined) return { held: false }
        if (/[^\w-]/.test(run)) throw new RangeError(`${run} is not the id of a run`)
        await query(
          site.live,
          site.maintenance,
          `${change(name, 'SET default_transaction_read_only = on', { ...marksOf(found), lock: run })}\n${olderSessionsEnded(site.database)}`,
          doing,
        )
        return { held: true }
      }),
    release: () =>
      call(`ALTER DATABASE ${name} RESET default_transaction_read_only`, async doing => {
        const found = await comment(site, doing)
        if (found === undefined || marksOf(found).lock === undefined) return { released: 0 }
        // Sessions that began under the lock stay read only, and a pool would keep them for hours.
        const sql = `${change(name, 'RESET default_transaction_read_only', { ...marksOf(found), lock: undefined })}\n${olderSessionsEnded(site.database)}`
        await query(site.live, site.maintenance, sql, doing)
        return { released: 1 }
      }),
  }
}

/** Setting and comment change together, or not at all. */
function change(name: string, setting: string, marks: Parameters<typeof withMarks>[0]): string {
  const text = withMarks(marks)
  return `BEGIN;\nALTER DATABASE ${name} ${setting};\nCOMMENT ON DATABASE ${name} IS ${text === '' ? 'NULL' : literal(text)};\nCOMMIT;`
}

/** The database's comment; undefined where there is no such database, which has no writers. */
async function comment(site: Site, doing: Doing): Promise<string | undefined> {
  return (await databases(site.live, site.maintenance, doing)).find(({ name }) => name === site.database)?.comment
}

function call(prints: string, run: Action['run']): Action {
  return { kind: 'call', prints, run }
}
