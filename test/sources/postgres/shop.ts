import { Secret } from '../../../lib/plan/secrets.ts'
import type { Postgres } from '../../testbed/index.ts'

/** What PostgreSQL databases hold besides rows: sequences, views, checks, an extension, large objects, owners, rights, settings, odd names and values. */
const SHOP = `
CREATE SCHEMA "Shop Floor";
CREATE EXTENSION IF NOT EXISTS pgcrypto;
CREATE TYPE state AS ENUM ('open', 'paid');
CREATE TABLE orders (id serial PRIMARY KEY, name varchar(20) CHECK (name IN ('a', 'b')), state state DEFAULT 'open',
  note text, photo bytea, created_at timestamptz NOT NULL DEFAULT now());
INSERT INTO orders (name, note, photo) SELECT 'a', E'line\\none\\ttab \\\\. ' || i, decode(md5(i::text), 'hex') FROM generate_series(1, :rows) i;
INSERT INTO orders (name, note) VALUES ('b', NULL), ('b', ''), ('b', '\\.'), ('b', repeat('ä', 100000));
CREATE TABLE "Shop Floor"."odd ""name""" (key text);
INSERT INTO "Shop Floor"."odd ""name""" VALUES ('x'), ('x');
CREATE TABLE empty ();
CREATE VIEW paid AS SELECT * FROM orders WHERE name IN ('a', 'b');
CREATE MATERIALIZED VIEW totals AS SELECT state, count(*) FROM orders GROUP BY state;
CREATE INDEX ON orders (created_at) WHERE name IN ('a', 'b');
SELECT lo_from_bytea(0, '\\x0011'), lo_from_bytea(0, decode(repeat('ab', 100000), 'hex'));
SELECT setval('orders_id_seq', 4711);
`

/** Makes a database with all kinds of objects and `rows` orders. */
export function fill(server: Postgres, database: string, rows = 500): void {
  server.sql('postgres', `CREATE DATABASE ${database} TEMPLATE template0;`)
  server.sql(
    'postgres',
    `ALTER DATABASE ${database} SET work_mem = '8MB'; COMMENT ON DATABASE ${database} IS 'the shop''s'; REVOKE CONNECT ON DATABASE ${database} FROM PUBLIC;`,
  )
  server.sql(database, `\\set rows ${rows}\n${SHOP}`)
}

/** Everything that a restore must bring back, as text. */
export function everything(server: Postgres, database: string): string[] {
  return server
    .sql(
      database,
      `SELECT * FROM orders ORDER BY id; SELECT * FROM "Shop Floor"."odd ""name""" ORDER BY key; SELECT * FROM totals; SELECT last_value, is_called FROM orders_id_seq;
      SELECT oid, md5(lo_get(oid)) FROM pg_largeobject_metadata ORDER BY oid; SELECT indexname FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1;
      SELECT relname, relkind, relowner::regrole FROM pg_class WHERE relnamespace IN ('public'::regnamespace, '"Shop Floor"'::regnamespace) ORDER BY 1;
      SELECT extname FROM pg_extension ORDER BY 1; SELECT setconfig FROM pg_db_role_setting s JOIN pg_database d ON d.oid = setdatabase WHERE datname = current_database();
      SELECT (SELECT array_agg(acl::text ORDER BY acl::text) FROM unnest(datacl) acl), encoding, datcollate FROM pg_database WHERE datname = current_database();`,
    )
    .split('\n')
}

/** A text that is a secret. */
export const secret = (value: string, name = 'DATABASE_URL') => new Secret(name, value)
