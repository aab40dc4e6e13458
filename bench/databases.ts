import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { generateX25519Identity, identityToRecipient } from 'age-encryption'
import { type Postgres, postgres } from '../test/testbed/postgres.ts'
import { type Redis, redis } from '../test/testbed/redis.ts'
import { contest, measure } from './measure.ts'
import { type Bench, fresh } from './pipelines.ts'
import { peakRow, type Row, ratioRow } from './rows.ts'

const PART = join(import.meta.dirname, 'part.ts')

/** Our backup and restore of a PostgreSQL database of the documents, against its own tools, with encryption and without. */
export async function againstPostgres(bench: Bench): Promise<Row[]> {
  const server = await postgres()
  try {
    await fillPostgres(server, bench.data)
    const env = { PATH: `${server.bin}:${process.env.PATH}`, BENCH_URL: server.url }
    const tool = { ...env, PGHOST: '127.0.0.1', PGPORT: String(server.port), PGUSER: 'root', PGPASSWORD: server.password }
    const ours = (folder: string, more = {}) => measure(process.execPath, [PART, 'backup', 'postgres', fresh(bench, folder)], { ...env, ...more })
    const shell = (script: string) => measure('bash', ['-o', 'pipefail', '-c', script, 'bash', fresh(bench, 'pg')], tool)
    const custom = await contest(
      bench.rounds,
      () => ours('ours'),
      () => shell('pg_dump -Fc bench > "$1/dump"'),
    )
    const piped = await contest(
      bench.rounds,
      () => ours('ours'),
      () => shell('pg_dump -Fc -Z0 bench | zstd -q -3 -T2 > "$1/dump.zst"'),
    )
    const identity = await generateX25519Identity()
    const key = { BENCH_RECIPIENT: await identityToRecipient(identity), BENCH_IDENTITY: identity }
    const locked = await contest(
      bench.rounds,
      () => ours('locked', key),
      () => ours('ours'),
    )
    const back = await againstRestore(bench, { env, tool, key })
    return [
      ratioRow('postgres: backup against pg_dump -Fc', custom, null, bench.mib),
      ratioRow('postgres: backup against pg_dump -Fc -Z0, zstd -3 -T2', piped, null, bench.mib),
      ratioRow('postgres: backup with age against without', locked, null, bench.mib),
      ...back,
      peakRow('postgres: peak memory of a backup with age', locked.ours),
    ]
  } finally {
    await server.stop()
  }
}

type Env = Readonly<Record<string, string>>

async function againstRestore(bench: Bench, { env, tool, key }: { env: Env; tool: Env; key: Env }): Promise<Row[]> {
  await measure('bash', ['-c', 'pg_dump -Fc bench > "$1/dump"', 'bash', fresh(bench, 'pg')], tool)
  const into = (folder: string, more: Env) => async () => {
    await measure(process.execPath, [PART, 'drop', 'postgres', join(bench.folder, folder)], env)
    return measure(process.execPath, [PART, 'load', 'postgres', join(bench.folder, folder)], { ...env, ...more })
  }
  const theirs = async () => {
    await measure('dropdb', ['--if-exists', 'back'], tool)
    return measure(
      'bash',
      ['-c', 'createdb --template=template0 back && pg_restore -1 --dbname=back "$1"', 'bash', join(bench.folder, 'pg/dump')],
      tool,
    )
  }
  const open = await contest(bench.rounds, into('ours', {}), theirs)
  const locked = await contest(bench.rounds, into('locked', key), into('ours', {}))
  return [
    ratioRow('postgres: restore against pg_restore of -Fc', open, null, bench.mib),
    ratioRow('postgres: restore with age against without', locked, null, bench.mib),
  ]
}

async function fillPostgres(server: Postgres, data: string): Promise<void> {
  server.sql('postgres', 'CREATE DATABASE bench')
  server.sql('bench', 'CREATE TABLE documents (id bigserial PRIMARY KEY, document text)')
  // A line is a value as it stands: the quote and the delimiter are characters that no document has.
  const copy = `\\copy documents(document) FROM '${data}' WITH (FORMAT csv, QUOTE e'\\x01', DELIMITER e'\\x02')`
  server.sql('bench', `${copy}\nVACUUM ANALYZE documents;`)
}

/** Our backup of a Redis of the documents, against redis-cli and zstd. */
export async function againstRedis(bench: Bench): Promise<Row[]> {
  const server = await redis()
  try {
    await fillRedis(server, bench.data)
    const rival = () =>
      measure(
        'bash',
        ['-o', 'pipefail', '-c', 'redis-cli -p "$2" --rdb - | zstd -q -3 -T2 > "$1/dump.zst"', 'bash', fresh(bench, 'rdb'), String(server.port)],
        {
          REDISCLI_AUTH: server.password,
        },
      )
    const ours = () => measure(process.execPath, [PART, 'backup', 'redis', fresh(bench, 'ours')], { BENCH_URL: server.url })
    const result = await contest(bench.rounds, ours, rival)
    return [
      ratioRow('redis: backup against redis-cli --rdb, zstd -3 -T2', result, null, bench.mib),
      peakRow('redis: peak memory of a backup', result.ours),
    ]
  } finally {
    await server.stop()
  }
}

async function fillRedis(server: Redis, data: string): Promise<void> {
  const env = { ...process.env, REDISCLI_AUTH: server.password }
  const pipe = spawn('redis-cli', ['-p', String(server.port), '--pipe'], { env, stdio: ['pipe', 'ignore', 'inherit'] })
  let n = 0
  for await (const line of createInterface({ input: createReadStream(data) })) {
    const words = ['SET', `document:${n++}`, line]
    const text = `*3\r\n${words.map(word => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`
    if (!pipe.stdin.write(text)) await once(pipe.stdin, 'drain')
  }
  pipe.stdin.end()
  const [code] = await once(pipe, 'close')
  if (code !== 0) throw new Error(`redis-cli --pipe exited ${code}`)
}
