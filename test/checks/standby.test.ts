import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { postgres } from '../../lib/checks/postgres.ts'
import { Secret } from '../../lib/plan/secrets.ts'
import { describeWith, type Postgres, postgres as postgresServer } from '../testbed/index.ts'
import { launch, type Server } from '../testbed/server.ts'
import { lookAt } from './kit.ts'

/** PostgreSQL does not run as root. */
const NOBODY = 65_534
const unprivileged = (file: string, argv: readonly string[]) =>
  process.getuid?.() === 0 ? { file: 'setpriv', argv: [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', file, ...argv] } : { file, argv }

/** A standby of a primary, made by pg_basebackup. */
function standbyOf(primary: Postgres): Promise<Server> {
  return launch({
    name: 'postgres',
    command(port, folder) {
      const data = join(folder, 'data')
      if (!existsSync(data)) {
        chmodSync(folder, 0o777)
        const copy = unprivileged(join(primary.bin, 'pg_basebackup'), [
          '-D',
          data,
          '-R',
          '-c',
          'fast',
          '-d',
          `${primary.url}?application_name=replica1`,
        ])
        execFileSync(copy.file, copy.argv, { stdio: 'pipe', cwd: '/' })
      }
      const settings = {
        port: String(port),
        listen_addresses: '127.0.0.1',
        unix_socket_directories: '',
        fsync: 'off',
        wal_receiver_status_interval: '1s',
      }
      const argv = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
      return unprivileged(join(primary.bin, 'postgres'), ['-D', data, ...argv])
    },
    ready: async port => sql(primary, port, 'SELECT 1'),
    patienceMs: 3_000,
  })
}

const sql = (primary: Postgres, port: number, text: string) =>
  execFileSync(join(primary.bin, 'psql'), ['-XqAt', '-h', '127.0.0.1', '-p', String(port), '-U', 'root', '-d', 'postgres', '-c', text], {
    env: { ...process.env, PGPASSWORD: primary.password },
    stdio: ['ignore', 'pipe', 'pipe'],
  })

describeWith('postgres', 'a primary and its standby', () => {
  let primary: Postgres
  let standby: Server
  beforeAll(async () => {
    primary = await postgresServer()
    standby = await standbyOf(primary)
  })
  afterAll(async () => {
    await standby?.stop()
    await primary?.stop()
  })
  const at = (port: number, more: object = {}) =>
    lookAt(postgres({ url: new Secret('DB_URL', primary.url.replace(String(primary.port), String(port))), bin: primary.bin, ...more }))

  test('that follows are both healthy, each in its role', async () => {
    await expect.poll(async () => (await at(primary.port, { standbys: 1 })).is, { timeout: 20_000 }).toBe('healthy')
    expect((await at(primary.port, { standbys: 1 })).says).toContain('primary of 1 standby')
    expect(await at(standby.port)).toMatchObject({ is: 'healthy', says: expect.stringMatching(/standby, [\d.]+ s behind/) })
    expect(await at(primary.port, { standbys: 2 })).toMatchObject({ is: 'unhealthy', says: '1 of 2 standbys attached' })
  })

  test('that falls behind is unhealthy by its lag, until it has caught up', async () => {
    sql(primary, standby.port, 'SELECT pg_wal_replay_pause()')
    primary.sql('postgres', 'CREATE TABLE late AS SELECT generate_series(1, 1000) AS n')
    await expect.poll(async () => (await at(standby.port, { lag: '1s' })).says, { timeout: 20_000 }).toMatch(/s behind its primary, more than 1 s/)
    expect((await at(standby.port, { lag: '1h' })).is).toBe('healthy')
    sql(primary, standby.port, 'SELECT pg_wal_replay_resume()')
    await expect.poll(async () => (await at(standby.port, { lag: '1s' })).is, { timeout: 20_000 }).toBe('healthy')
  })

  test('that has lost its primary is unhealthy, though it answers and has replayed all that it has', async () => {
    await primary.kill()
    await expect.poll(async () => (await at(standby.port)).says, { timeout: 20_000 }).toContain('not attached to its primary')
    expect(await at(primary.port)).toMatchObject({ is: 'unhealthy', says: expect.stringContaining('Connection refused') })
  })
})
