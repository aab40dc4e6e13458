import { cannotBeEntered, looksAt } from '../../exec/place.ts'
import { CommandFailed } from '../../exec/process.ts'
import { Trouble } from '../../plan/outcome.ts'
import type { Server } from './address.ts'

const DENIED =
  /password authentication failed|no password supplied|role "[^"]*" does not exist|no pg_hba\.conf entry|permission denied for database|authentication failed/
const UNREACHABLE =
  /could not connect|connection to server .* failed|connection refused|could not translate host name|timeout expired|starting up|shutting down|server closed the connection|terminating connection|in recovery mode/i

/**
 * The failure of a tool as a foreseen one, told by its own error lines: Trouble(3) denied or not fitting, Trouble(8) not reached,
 * Trouble(4) anything else; other errors stay themselves.
 */
export function toolTrouble(error: unknown, server: Server): unknown {
  if (!(error instanceof CommandFailed)) return error
  const said = saidIn(error.stderr) || error.message
  if (server.within && cannotBeEntered(error.stderr)) {
    return new Trouble(8, `The service ${server.within.service} cannot be entered: ${said}`, { look: [looksAt(server.within)], cause: error })
  }
  if (DENIED.test(error.stderr) && /connection to server|FATAL/.test(error.stderr)) {
    return new Trouble(3, `PostgreSQL refuses the user or password of ${server.setting}: ${said}`, {
      next: [`correct ${server.setting}`],
      cause: error,
    })
  }
  if (/server version mismatch|unsupported version/.test(error.stderr)) {
    return new Trouble(3, `The tools are older than the server or the dump: ${said}`, { cause: error })
  }
  // pg_dump waits for a table's lock under a limit for statements.
  const table = /LOCK TABLE (.+?) IN /.exec(error.stderr)?.[1]
  if (/lock timeout|could not obtain lock/.test(error.stderr) || (table !== undefined && /statement timeout/.test(error.stderr))) {
    return new Trouble(4, `${table ?? 'What is needed'} is locked by another session, and did not become free in time: ${said}`, {
      look: [LOCKS],
      cause: error,
    })
  }
  if (error.code !== null && UNREACHABLE.test(error.stderr)) return new Trouble(8, `PostgreSQL does not answer: ${said}`, { cause: error })
  const role = /role "([^"]*)" does not exist/.exec(error.stderr)?.[1]
  const next = [
    ...(role === undefined ? [] : [`make the role first: CREATE ROLE "${role}"; its definition stands at the end of the dump`]),
    ...(/permission denied|must be (?:owner|superuser|a superuser|a member|member)/.test(error.stderr)
      ? [`put a superuser's address into ${server.setting} for this`]
      : []),
  ]
  return new Trouble(4, `${error.message.split(':')[0]?.replace(/^.*\//, '')}: ${said}`, { next, cause: error })
}

const LOCKS = `psql -c "SELECT pid, usename, state, xact_start, left(query, 60) FROM pg_stat_activity WHERE pid IN (SELECT pid FROM pg_locks WHERE granted AND mode ~ 'Exclusive')"`

/** The first error line, without the place in the script, and what the tool adds to it. */
function saidIn(stderr: string): string {
  const lines = stderr.split('\n').filter(line => /\b(error|ERROR|FATAL|fatal|PANIC):|failed:/.test(line))
  return (lines[0] ?? stderr.split('\n').find(Boolean) ?? '').replace(/^psql:<stdin>:\d+: /, '').trim()
}
