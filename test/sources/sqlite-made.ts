import { DatabaseSync } from 'node:sqlite'
import type { Json } from '../../lib/plan/plan.ts'

/** Runs SQL on a database file, or work with it open. */
export function sql<T = undefined>(file: string, work: string | ((database: DatabaseSync) => T)): T | undefined {
  const database = new DatabaseSync(file, { timeout: 2000 })
  try {
    if (typeof work !== 'string') return work(database)
    database.exec(work)
    return undefined
  } finally {
    database.close()
  }
}

/** Tables with every type of value, a name that needs quoting, a virtual table, a view; 3,000 rows in `plain`. */
export const ROWS = `
  CREATE TABLE plain (id INTEGER PRIMARY KEY, a, b TEXT, c REAL, d BLOB, created_at TEXT);
  CREATE TABLE "odd ""name'" (k TEXT PRIMARY KEY, v) WITHOUT ROWID;
  CREATE TABLE empty (id INTEGER);
  CREATE VIRTUAL TABLE words USING fts5(body);
  CREATE VIEW few AS SELECT id FROM plain LIMIT 3;
  CREATE INDEX plain_b ON plain (b);
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
    INSERT INTO plain SELECT i, i % 7, 'row ' || i, i * 0.5, zeroblob(i % 40), '2025-12-0' || (1 + i % 9) || 'T10:00:00Z' FROM n;
  INSERT INTO "odd ""name'" VALUES ('ключ', 9223372036854775807), ('b', NULL), ('c', -1e300);
  INSERT INTO words VALUES ('hello world'), ('good morning');
`

/** All that a restore of `ROWS` must bring back, without the triggers of a lock. */
export function content(file: string): Json {
  return sql(file, database => {
    const tables = database.prepare(`SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE '@_@_runbooks%' ESCAPE '@' ORDER BY name`).all()
    const rows = ['plain', `odd ""name'`, 'words'].map(name => database.prepare(`SELECT * FROM "${name}"`))
    for (const statement of rows) statement.setReadBigInts(true)
    return JSON.parse(
      JSON.stringify([tables, rows.map(statement => statement.all())], (_, value) => (typeof value === 'bigint' ? String(value) : value)),
    )
  }) as Json
}
