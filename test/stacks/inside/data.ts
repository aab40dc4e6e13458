import { DAMAGE, damageRedis, fillRedis, lookRedis, lookSql, TABLES } from '../data.ts'
import type { Inside } from './conformance.ts'

/** Passwords that break careless quoting. */
export const PASSWORDS = { database: 'p w"\\%41', cache: 'r:$HOME%"s' } as const

/** PostgreSQL's own local socket alone, and a password even there; `$1` is the password. */
export const POSTGRES = `printf %s "$1" > /tmp/pw && initdb -D /tmp/data -U shop -A scram-sha-256 --pwfile=/tmp/pw -E UTF8 --locale=C --no-sync >/dev/null &&
exec postgres -D /tmp/data -k /tmp -c unix_socket_directories=/tmp,/var/run/postgresql -c listen_addresses= -c fsync=off 2>&1`

/** Rows of 50 MB that no compression makes smaller than half. */
const BIG = `CREATE TABLE IF NOT EXISTS big (id int PRIMARY KEY, says text);
ALTER TABLE big ALTER says SET STORAGE EXTERNAL; TRUNCATE big;
INSERT INTO big SELECT i, (SELECT string_agg(md5((i * 2000 + n)::text), '') FROM generate_series(1, 2000) n) FROM generate_series(1, 820) i;`

const MEDIA = `mkdir -p "$1/a b/empty" && cd "$1" && printf hello > plain && printf x > 'a b/-rf' && ln -s ../plain 'a b/link' && cat /bin/sh > program`
const LOOK_MEDIA = `cd "$1" && find . -exec stat -c '%n %f %s' {} + | sort; cat plain 'a b/-rf' 2>/dev/null; :`
const DAMAGE_MEDIA = `cd "$1" && printf damaged > plain && rm -r 'a b' && printf new > later`

const named = `export "$1"; shift; exec "$@"`

/** SQL in the database's service, without the toolkit. */
function sql({ exec }: Inside, database: string, text: string): string {
  const psql = ['psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-U', 'shop', '-d', database, '-c', text]
  return exec('postgres', ['sh', '-c', named, 'sh', `PGPASSWORD=${PASSWORDS.database}`, ...psql])
}

const cli = ({ exec }: Inside, ...words: string[]) =>
  exec('redis', ['sh', '-c', named, 'sh', `REDISCLI_AUTH=${PASSWORDS.cache}`, 'redis-cli', '-e', ...words])

/** Waits until both servers answer, and fills everything. */
export async function fill(inside: Inside): Promise<void> {
  await answers(() => sql(inside, 'postgres', 'SELECT 1'))
  await answers(() => cli(inside, 'PING'))
  sql(inside, 'postgres', 'CREATE DATABASE shop')
  sql(inside, 'shop', `${TABLES} ${BIG}`)
  fillRedis((...words) => cli(inside, ...words))
  inside.exec('media', ['sh', '-c', MEDIA, 'sh', '/srv/media'])
}

/** Makes the large table what it was at first. */
export const fillBig = (inside: Inside): string => sql(inside, 'shop', BIG)

/** Every record of each part, as text. */
export async function look(inside: Inside): Promise<Readonly<Record<string, string>>> {
  const big = `SELECT count(*), sum(length(says)), md5(string_agg(md5(says), '' ORDER BY id)) FROM big`
  return {
    database: `${lookSql((database, text) => sql(inside, database, text), 'shop')}\n${sql(inside, 'shop', big)}`,
    cache: lookRedis((...words) => cli(inside, ...words)),
    media: inside.exec('media', ['sh', '-c', LOOK_MEDIA, 'sh', '/srv/media']),
  }
}

export async function damage(inside: Inside): Promise<void> {
  sql(inside, 'shop', `${DAMAGE}; DELETE FROM big WHERE id > 9`)
  damageRedis((...words) => cli(inside, ...words))
  inside.exec('media', ['sh', '-c', DAMAGE_MEDIA, 'sh', '/srv/media'])
}

/** Waits until a question is answered; throws its last refusal after a minute. */
async function answers(ask: () => string): Promise<void> {
  for (let left = 120; ; left--) {
    try {
      return void ask()
    } catch (error) {
      if (left === 0) throw error
      await new Promise(resolve => setTimeout(resolve, 500))
    }
  }
}
