import { join } from 'node:path'
import type { Command } from '../../exec/command.ts'
import { inService } from '../../exec/place.ts'
import { conninfo, passwordFile, type Server } from './address.ts'

/** The client programs. */
export type Tool = 'psql' | 'pg_dump' | 'pg_dumpall' | 'pg_restore'

/** A tool as it runs for a server: here with its password on a descriptor, or inside the service with the password as first line of stdin. */
export function command(server: Server, tool: Tool, argv: readonly string[], input: boolean): Command {
  const { within, bin, password } = server
  const file = bin === undefined ? tool : join(bin, tool)
  if (within) return inService(within, { file, argv }, { input, ...(password ? { secrets: { PGPASSWORD: password } } : {}) })
  return { file, argv, ...(password ? { secret: passwordFile(password) } : {}) }
}

/** `psql` that reads SQL from stdin, ends at the first error, and prints bare values. */
export function psql(server: Server, database: string): Command {
  const argv = ['-X', '-q', '-A', '-t', '-w', '-v', 'ON_ERROR_STOP=1', `--dbname=${conninfo(server, database, { client_encoding: 'UTF8' })}`]
  return command(server, 'psql', argv, true)
}

/** One database as an archive on stdout, uncompressed: the zstd of the store does better in less time, and rows can be counted on the way. */
export function dumpCommand(server: Server, database: string, lockWaitMs: number): Command {
  const argv = ['-Fc', '-Z0', '-w', `--lock-wait-timeout=${lockWaitMs}`, `--dbname=${conninfo(server, database)}`]
  return command(server, 'pg_dump', argv, false)
}

/** Roles and tablespaces; without passwords, which would need a superuser and would lie in every backup. */
export function globalsCommand(server: Server, database: string): Command {
  return command(server, 'pg_dumpall', ['--globals-only', '--no-role-passwords', '-w', `--dbname=${conninfo(server, database)}`], false)
}

/** An archive from stdin into an empty database, all of it or nothing. */
export function restoreCommand(server: Server, database: string): Command {
  return command(server, 'pg_restore', ['-1', '--exit-on-error', '-w', `--dbname=${conninfo(server, database)}`], true)
}
