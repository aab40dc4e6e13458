import { literal } from './names.ts'

/** SQL that asks every session of a database to end; those that begin meanwhile are not its business. */
export function sessionsEnded(database: string): string {
  return `SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity WHERE ${of(database)};`
}

/**
 * SQL that ends every session of a database that began before now, and fails when one of them still stands after 10 s:
 * a setting of a database is read when a session begins, so only older ones do not know of it.
 */
export function olderSessionsEnded(database: string): string {
  return `DO $runbooks$
DECLARE
  since timestamptz := clock_timestamp();
  others int;
BEGIN
  -- When the sessions of another role began is hidden from an ordinary user, who may not end them either, and hears so.
  FOR attempt IN 1..200 LOOP
    PERFORM pg_stat_clear_snapshot();
    SELECT count(pg_terminate_backend(pid)) INTO others FROM pg_stat_activity WHERE ${of(database)} AND coalesce(backend_start, since) <= since;
    IF others = 0 THEN RETURN; END IF;
    PERFORM pg_sleep(0.05);
  END LOOP;
  RAISE EXCEPTION '% sessions of the database do not end', others;
END $runbooks$;`
}

/** Autovacuum has no user, gives way by itself, and only a superuser may end it. */
const of = (database: string) => `datname = ${literal(database)} AND pid <> pg_backend_pid() AND usesysid IS NOT NULL`
