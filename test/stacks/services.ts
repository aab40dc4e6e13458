import { copyFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Docker } from '../testbed/index.ts'
import { linksOf } from '../testbed/rootfs.ts'
import { find } from '../testbed/tools.ts'
import type { Cli, Sql } from './data.ts'

/** The services of ecosyste as its stack file names them, and how to work in them without the toolkit. */
export type Services = { readonly directory: string; readonly sql: Sql; readonly cli: Cli }

/** PostgreSQL's own local socket alone, and a password even there. */
const POSTGRES = `printf %s "$PW" > /tmp/pw && initdb -D /tmp/data -U "$DB_USER" -A scram-sha-256 --pwfile=/tmp/pw -E UTF8 --locale=C --no-sync >/dev/null &&
exec postgres -D /tmp/data -c listen_addresses= -c fsync=off 2>&1`

/** Programs of this machine with their libraries, as they are mounted into a container. */
function mounted(...programs: readonly string[]): string[] {
  const files = programs.map(name => find(name) ?? name)
  const libraries = files.flatMap(linksOf)
  return [...new Set([...files, ...libraries])].map(file => `${file}:${file}:ro`)
}

/** Starts both in a Compose project that publishes no port; its file is compose.yaml in `directory`, where `docker compose` looks for it. */
export async function services(engine: Docker, user: string, password: string): Promise<Services> {
  const image = engine.postgresImage()
  const own = { image, network_mode: 'none', user: '65534:65534' }
  const file = engine.up('ecosyste', {
    postgres: { ...own, environment: { DB_USER: user, PW: password }, command: ['sh', '-c', POSTGRES.replaceAll('$', '$$$$')] },
    redis: { ...own, volumes: mounted('redis-server', 'redis-cli'), command: ['redis-server', '--save', '', '--dir', '/tmp'] },
  })
  const directory = join(engine.folder, 'srv')
  mkdirSync(directory)
  copyFileSync(file, join(directory, 'compose.yaml'))
  const exec = (...argv: string[]) => engine.docker('compose', '-p', 'ecosyste', '-f', file, 'exec', '-T', ...argv)
  const found: Services = {
    directory,
    sql: (database, text) =>
      exec('-e', `PGPASSWORD=${password}`, 'postgres', 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-U', user, '-d', database, '-c', text),
    cli: (...words) => exec('redis', 'redis-cli', '-e', ...words),
  }
  await answers(() => found.sql('postgres', 'SELECT 1'))
  await answers(() => found.cli('PING'))
  return found
}

/** Waits until a question is answered; throws its last refusal after twenty seconds. */
async function answers(ask: () => string): Promise<void> {
  for (let left = 100; ; left--) {
    try {
      return void ask()
    } catch (error) {
      if (left === 0) throw error
      await sleep(200)
    }
  }
}
