import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { postgres as source } from '../../../lib/sources/postgres/index.ts'
import { collect, doing } from '../../exec/doing.ts'
import { describeWith, type Postgres, postgres } from '../../testbed/index.ts'
import { dumped, streamOf } from '../conformance.ts'
import { fill, secret } from './shop.ts'

describeWith('postgres', 'a PostgreSQL database in trouble', () => {
  let server: Postgres
  let folder: string
  let bytes: Buffer

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'postgres-faults-'))
    server = await postgres()
    fill(server, 'shop', 50)
    bytes = (await dumped(shop())).bytes
  }, 60_000)
  afterAll(async () => {
    await server?.stop()
    await rm(folder, { recursive: true })
  })

  const shop = (more: Partial<Parameters<typeof source>[1]> = {}) =>
    source('database', { url: secret(server.url), database: 'shop', bin: server.bin, ...more })
  const dumping = (from: ReturnType<typeof source>) => collect(from.dump().open(doing()))
  const at = (address: string) => shop({ url: secret(address) })

  /** A folder with fake tools, which say what they are told, and otherwise are the real ones. */
  async function fake(tools: Readonly<Record<string, string>>): Promise<string> {
    const bin = await mkdtemp(join(folder, 'bin-'))
    for (const name of ['psql', 'pg_dump', 'pg_dumpall', 'pg_restore']) {
      await writeFile(join(bin, name), `#!/bin/sh\n${tools[name] ?? `exec ${join(server.bin, name)} "$@"`}\n`)
      await chmod(join(bin, name), 0o755)
    }
    return bin
  }

  test('a wrong password is told as denied, at once, and not repeated', async () => {
    const wrong = at(`postgres://root:wrong-password@127.0.0.1:${server.port}/`)
    const facts = await wrong.facts(doing())
    expect(facts).toMatchObject({ state: 'denied', because: expect.stringContaining('PostgreSQL refuses the user or password of DATABASE_URL') })
    await expect(dumping(wrong)).rejects.toMatchObject({ exit: 3, next: ['correct DATABASE_URL'] })
    expect(JSON.stringify([facts, wrong.where, wrong.dump().prints, wrong.load('beside', 'r1').prints])).not.toContain('wrong-password')
  })

  test('the password is on no command line while the tools run', async () => {
    const seen = doing()
    await collect(shop().dump().open(seen))
    expect(seen.started.length).toBeGreaterThan(2)
    for (const { prints } of seen.started) expect(prints).not.toContain(server.password.slice(-8))
  })

  test('an unknown database is missing, with the names that there are, and its dump is refused', async () => {
    const unknown = shop({ database: 'shpo' })
    expect(await unknown.facts(doing())).toMatchObject({ state: 'missing', because: 'shpo does not exist; the server has postgres, shop' })
    await expect(dumping(unknown)).rejects.toMatchObject({ exit: 7, message: expect.stringContaining('There is nothing to dump') })
    await expect(dumping(shop({ database: 'postgres' }))).rejects.toMatchObject({ exit: 7, message: expect.stringContaining('has no tables') })
  })

  test('a server that refuses or never answers is known as unreachable within 8 s', async () => {
    const silent = createServer(() => {}).listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const { port } = silent.address() as { port: number }
    const begun = Date.now()
    for (const address of ['postgres://a:bbbb@127.0.0.1:1/', `postgres://a:bbbb@127.0.0.1:${port}/`]) {
      expect(await at(address).facts(doing())).toMatchObject({ state: 'unreachable', because: expect.stringContaining('does not answer') })
    }
    await expect(dumping(at('postgres://a:bbbb@127.0.0.1:1/'))).rejects.toMatchObject({ exit: 8 })
    expect(Date.now() - begun).toBeLessThan(8_000)
    silent.close()
  })

  test('an address that is none is refused without repeating it', () => {
    for (const wrong of ['mysql://a:pass-word@h/', 'postgres://a:pass-word@h1,h2/', 'pass-word', 'postgres://a:pass%word@h/']) {
      expect(() => at(wrong)).toThrow('DATABASE_URL is not the address of one PostgreSQL server.')
    }
    expect(() => shop({ host: 'h' })).toThrow('has an address twice')
  })

  test('tools that are missing or older than the server are named with what to type, and a dump is refused', async () => {
    const bin = await fake({ pg_dump: 'echo "pg_dump (PostgreSQL) 11.3"', pg_restore: 'exit 127' })
    const { tools } = await shop({ bin }).facts(doing())
    const mend = expect.stringMatching(/^install the PostgreSQL client \d+ or newer: apt-get install postgresql-client-\d+$/)
    expect(tools.filter(tool => tool.mend)).toEqual([
      { name: 'pg_dump', version: '11.3', mend },
      { name: 'pg_restore', version: null, mend },
    ])
    await expect(dumping(shop({ bin }))).rejects.toMatchObject({
      exit: 3,
      message: expect.stringContaining('pg_dump 11.3 is older than its server'),
      next: [mend],
    })
  })

  async function* all(pieces: readonly Buffer[]) {
    yield* pieces
  }

  test('a dump that fails, or exits 0 without being whole, never ends well', async () => {
    const real = join(server.bin, 'pg_dump')
    const whole = await fake({ pg_dump: `[ "$1" = --version ] && exec ${real} "$@"; ${real} "$@"; exit 1` })
    await expect(dumping(shop({ bin: whole }))).rejects.toMatchObject({ exit: 4, message: expect.stringContaining('pg_dump exited 1') })
    const cut = await fake({ pg_dump: `[ "$1" = --version ] && exec ${real} "$@"; ${real} "$@" | head -c 20000` })
    await expect(dumping(shop({ bin: cut }))).rejects.toMatchObject({ exit: 7, message: expect.stringContaining('is cut off') })
    const none = await fake({ pg_dump: `[ "$1" = --version ] && exec ${real} "$@"; exit 0` })
    await expect(dumping(shop({ bin: none }))).rejects.toMatchObject({ exit: 7, message: 'The archive is broken: byte 0: is empty.' })
  })

  test('a table that is locked for long fails the dump in time, and says where to look', async () => {
    const env = { ...process.env, PGPASSWORD: server.password }
    const holder = spawn(join(server.bin, 'psql'), ['-h', '127.0.0.1', '-p', String(server.port), '-U', 'root', 'shop'], {
      env,
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    holder.stdin.write('BEGIN; LOCK TABLE orders IN ACCESS EXCLUSIVE MODE;\n')
    while (server.sql('postgres', `SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation IS NOT NULL`) === '0')
      await sleep(50)
    const begun = Date.now()
    await expect(dumping(shop({ lockWaitMs: 300 }))).rejects.toMatchObject({
      exit: 4,
      message: expect.stringMatching(/^public\.orders is locked by another session/),
      look: [expect.stringContaining('pg_locks')],
    })
    expect(Date.now() - begun).toBeLessThan(5_000)
    holder.stdin.end()
    await once(holder, 'exit')
  })

  test('a truncated archive is not loaded, and unload leaves nothing of it', async () => {
    for (const length of [bytes.length - 1, bytes.length >> 1, 1000]) {
      const half = shop()
        .load('beside', 'r1')
        .take(streamOf(bytes.subarray(0, length)), doing())
      await expect(half, `${length} bytes`).rejects.toMatchObject({ exit: 7 })
      expect(server.sql('postgres', `SELECT count(*) FROM pg_stat_activity WHERE datname = 'shop__restore_r1' AND state = 'active'`)).toBe('0')
      await shop().unload('beside', 'r1').run(doing())
    }
    expect(await shop().remains(doing())).toEqual([])
  })

  test('a flipped bit in the rows changes the digest of their table, or breaks the archive', async () => {
    const { items } = await shop().examine(streamOf(bytes), doing())
    const rows = bytes.indexOf('\ta\topen\tline')
    expect(rows).toBeGreaterThan(0)
    for (let at = rows; at < rows + 600; at += 7) {
      const flipped = Buffer.from(bytes)
      flipped[at]! ^= 1 << (at % 8)
      const found = await shop()
        .examine(streamOf(flipped), doing())
        .then(
          content => content.items['public.orders'],
          error => error.exit,
        )
      expect(found, `byte ${at}`).not.toEqual(items['public.orders'])
    }
  })

  test('chunks of any size say the same', async () => {
    const { items } = await shop().examine(streamOf(bytes), doing())
    for (const size of [1, 3, 4096, 70_001]) {
      const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) => bytes.subarray(at * size, (at + 1) * size))
      expect((await shop().examine(all(pieces), doing())).items, `${size} bytes`).toEqual(items)
    }
  })

  test('a role that is missing is named; on a throw-away server it is made', { timeout: 60_000 }, async () => {
    server.sql('postgres', 'CREATE ROLE "App Owner"; CREATE ROLE reader; CREATE DATABASE owned')
    server.sql('owned', `CREATE TABLE t (a int); ALTER TABLE t OWNER TO "App Owner"; GRANT SELECT ON t TO reader; INSERT INTO t VALUES (1)`)
    const drills = await postgres()
    try {
      const owned = shop({ database: 'owned', scratch: secret(drills.url, 'SCRATCH_URL') })
      const { bytes: archive, content } = await dumped(owned)
      expect(archive.toString('latin1')).toContain('CREATE ROLE reader')
      expect(archive.toString('latin1')).not.toMatch(/SCRAM-SHA-256\$/)
      const other = source('database', { url: secret(drills.url, 'OTHER_URL'), database: 'owned', bin: server.bin })
      await expect(other.load('beside', 'r1').take(streamOf(archive), doing())).rejects.toMatchObject({
        exit: 4,
        message: expect.stringMatching(/role "(App Owner|reader)" does not exist/),
        next: [expect.stringContaining('CREATE ROLE')],
      })
      await other.unload('beside', 'r1').run(doing())
      await owned.load('scratch', 'r1').take(streamOf(archive), doing())
      expect((await owned.content('scratch', 'r1', doing())).items).toEqual(content.items)
      expect(await owned.presence('r1', doing())).toEqual({ live: 1, beside: 0, aside: 0, scratch: 1 })
      await owned.unload('scratch', 'r1').run(doing())
    } finally {
      await drills.stop()
    }
  })
})
