import { afterAll, beforeAll } from 'vitest'
import { postgres as source } from '../../../lib/sources/postgres/index.ts'
import { describeWith, type Postgres, postgres } from '../../testbed/index.ts'
import { conforms } from '../conformance.ts'
import { everything, fill, secret } from './shop.ts'

describeWith('postgres', 'one PostgreSQL server, a database for each test', () => {
  let server: Postgres
  let made = 0

  beforeAll(async () => {
    server = await postgres()
  }, 60_000)
  afterAll(() => server?.stop())

  conforms('postgres', async () => {
    const name = `shop${made++}`
    return {
      source: source('database', { url: secret(server.url), database: name, bin: server.bin }),
      fill: async () => fill(server, name),
      mutate: async () => {
        try {
          server.sql(name, `INSERT INTO orders (name, note) VALUES ('a', 'new'); DELETE FROM orders WHERE id = 7;`)
        } catch (error) {
          throw new Error(
            `${error}; ${server.sql('postgres', `SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = '${name}'`)}`,
          )
        }
      },
      destroy: async () => void server.sql(name, `DROP TABLE orders CASCADE; TRUNCATE "Shop Floor"."odd ""name"""; DROP EXTENSION pgcrypto;`),
      read: async () => everything(server, name),
      end: async () => {
        const left = server
          .sql('postgres', `SELECT datname FROM pg_database WHERE datname LIKE '${name}%' AND datname !~ '^${name}[0-9]'`)
          .split('\n')
          .filter(Boolean)
        for (const database of left) server.sql('postgres', `DROP DATABASE "${database}" WITH (FORCE)`)
      },
    }
  })
})
