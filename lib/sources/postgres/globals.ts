/** First line after an archive: from here on it is SQL for psql. pg_restore stops before it, so the whole file is still one that it reads. */
export const GLOBALS_START = '-- Roles and tablespaces of the server (pg_dumpall --globals-only --no-role-passwords)\n'

/** Last line; without it the file was cut. */
export const GLOBALS_END = '-- End of roles and tablespaces\n'

/** A server with more roles than fit in here, in bytes, is not known to exist. */
export const MOST_GLOBALS = 64 * 1024 * 1024

/** What follows an archive. */
export function globalsOf(sql: string): Buffer {
  return Buffer.from(`${GLOBALS_START}${sql.endsWith('\n') ? sql : `${sql}\n`}${GLOBALS_END}`)
}
