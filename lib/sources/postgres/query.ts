import { CommandFailed } from '../../exec/command.ts'
import { run } from '../../exec/process.ts'
import type { Doing } from '../../plan/plan.ts'
import type { Server } from './address.ts'
import { psql } from './commands.ts'
import { toolTrouble } from './trouble.ts'

/** How long one question to the server may take, in milliseconds: counts of large tables come from the server's bookkeeping, and are fast. */
const ANSWER_MS = 60_000

/** The lines that psql prints for a script; throws what `toolTrouble` makes of a failure. */
export async function query(server: Server, database: string, sql: string, doing: Doing): Promise<string[]> {
  const { code, signal, stdout, stderr } = await run(psql(server, database), doing, { input: sql, budgetMs: ANSWER_MS })
  if (code !== 0)
    throw toolTrouble(
      new CommandFailed(`psql ${code === null ? `was ended by ${signal}` : `exited ${code}`}: ${stderr}`, code, signal, stderr),
      server,
    )
  return stdout.split('\n').filter(line => line !== '')
}

/** The same, where each line is a JSON value. */
export async function answers<T>(server: Server, database: string, sql: string, doing: Doing): Promise<T[]> {
  return (await query(server, database, sql, doing)).map(line => JSON.parse(line) as T)
}

/** A database as the server lists it. */
export type Listed = { readonly name: string; readonly comment: string; readonly version: number; readonly recovering: boolean }

/** Every database of a server, with its comment; each row repeats the server's version (150018) and whether it is a standby. */
export function databases(server: Server, maintenance: string, doing: Doing): Promise<Listed[]> {
  const sql = `SELECT json_build_object('name', datname, 'comment', coalesce(shobj_description(oid, 'pg_database'), ''),
    'version', current_setting('server_version_num')::int, 'recovering', pg_is_in_recovery()) FROM pg_database WHERE NOT datistemplate ORDER BY datname;`
  return answers<Listed>(server, maintenance, sql, doing)
}
