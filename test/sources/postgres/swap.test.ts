import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { postgres as source } from '../../../lib/sources/postgres/index.ts'
import { doing } from '../../exec/doing.ts'
import { describeWith, type Postgres, postgres } from '../../testbed/index.ts'
import { dumped, streamOf } from '../conformance.ts'
import { secret } from './shop.ts'

describeWith('postgres', 'a swap of PostgreSQL databases', () => {
  let server: Postgres
  let shop: ReturnType<typeof source>
  const run = 'r1'

  beforeAll(async () => {
    server = await postgres()
    shop = source('database', { url: secret(server.url), database: 'shop', bin: server.bin })
  }, 60_000)
  afterAll(() => server?.stop())

  /** One row live, two beside. */
  beforeEach(async () => {
    for (const name of names()) server.sql('postgres', `DROP DATABASE "${name}" WITH (FORCE)`)
    server.sql('postgres', 'CREATE DATABASE shop')
    server.sql('shop', 'CREATE TABLE t (a int); INSERT INTO t VALUES (1), (2)')
    const { bytes } = await dumped(shop)
    server.sql('shop', 'DELETE FROM t WHERE a = 2')
    await shop.load('beside', run).take(streamOf(bytes), doing())
  })

  const names = () => server.sql('postgres', `SELECT datname FROM pg_database WHERE datname LIKE 'shop%' ORDER BY 1`).split('\n').filter(Boolean)
  const count = () => server.sql('shop', 'SELECT count(*) FROM t')
  const swap = () => shop.swap(run, []).run(doing())
  const back = () => shop.swapBack(run, []).run(doing())

  /** A client that asks again and again, with a new connection each time, and one more that never lets go of its own. */
  function clients(): { answers: () => string[]; stop: () => Promise<void> } {
    const env = { ...process.env, PGPASSWORD: server.password, PSQL: join(server.bin, 'psql') }
    const psql = `"$PSQL" -XqAt -h 127.0.0.1 -p ${server.port} -U root shop`
    const said: string[] = []
    const start = (script: string): ChildProcess => {
      const child = spawn('sh', ['-c', script], { env, stdio: ['pipe', 'pipe', 'pipe'] })
      child.stdout.on('data', chunk => said.push(...String(chunk).split('\n').filter(Boolean)))
      child.stderr.on('data', chunk =>
        said.push(
          ...String(chunk)
            .split('\n')
            .filter(line => /does not exist/.test(line)),
        ),
      )
      child.stdin.on('error', () => {})
      return child
    }
    const asking = [1, 2, 3].map(() => start(`while :; do ${psql} -c 'SELECT count(*) FROM t'; done`))
    const sitting = start(`exec ${psql}`)
    sitting.stdin?.write('BEGIN; SELECT count(*) FROM t;\n')
    return {
      answers: () => said,
      async stop() {
        for (const child of [...asking, sitting]) child.kill('SIGKILL')
        await Promise.all(
          [...asking, sitting].filter(child => child.exitCode === null && child.signalCode === null).map(child => once(child, 'exit')),
        )
      },
    }
  }

  test('goes through under clients that come back at once, who see the old data or the new, or are told to come again', {
    timeout: 60_000,
  }, async () => {
    const busy = clients()
    try {
      while (busy.answers().length < 5) await new Promise(resolve => setTimeout(resolve, 20))
      for (const [way, wanted] of [
        [swap, '2'],
        [back, '1'],
        [swap, '2'],
      ] as const) {
        await way()
        expect(count()).toBe(wanted)
      }
    } finally {
      await busy.stop()
    }
    // PostgreSQL looks the name up once more when the renaming lets it go on, and sends those away who came in that very moment.
    const answers = busy.answers().filter(answer => !/FATAL: {2}database "shop" does not exist/.test(answer))
    expect(new Set(answers)).toEqual(new Set(['1', '2']))
    expect(busy.answers().length - answers.length).toBeLessThan(answers.length)
  })

  test('that is killed at any moment leaves the old data or the new, and can go on', { timeout: 60_000 }, async () => {
    for (const waitMs of [0, 10, 20, 30, 40, 60]) {
      const ours = doing()
      const going = shop.swap(run, []).run(ours)
      setTimeout(() => ours.started.forEach(({ pid }) => void kill(pid)), waitMs)
      await going.catch(() => undefined)
      const after = names()
      expect([
        ['shop', 'shop__restore_r1'],
        ['shop', 'shop__aside_r1'],
      ]).toContainEqual(after.sort((a, b) => (a === 'shop' ? -1 : b === 'shop' ? 1 : 0)))
      await swap()
      expect(count(), `killed after ${waitMs} ms`).toBe('2')
      await back()
      expect(count()).toBe('1')
    }
  })

  test('where nothing stood is taken back too, until it is forgotten', { timeout: 60_000 }, async () => {
    server.sql('postgres', `DROP DATABASE shop WITH (FORCE); COMMENT ON DATABASE shop__restore_r1 IS NULL`)
    await swap()
    await swap()
    expect(await shop.presence(run, doing())).toEqual({ live: 1, beside: 0, aside: 0, scratch: 0 })
    await back()
    await back()
    expect(await shop.presence(run, doing())).toEqual({ live: 0, beside: 1, aside: 0, scratch: 0 })
    await swap()
    await shop.forget(run).run(doing())
    await back()
    expect(count()).toBe('2')
    expect(server.sql('postgres', `SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = 'shop'`)).toBe('')
  })

  test('stops before it changes anything when somebody made the live database again', async () => {
    await swap()
    server.sql('postgres', 'ALTER DATABASE shop RENAME TO shop__restore_r1; CREATE DATABASE shop')
    for (const way of [swap, back])
      await expect(way()).rejects.toMatchObject({ exit: 5, message: expect.stringContaining('was made again by somebody else') })
    expect(names()).toEqual(['shop', 'shop__aside_r1', 'shop__restore_r1'])
  })

  test('never forgets the only copy of the present, and has nothing to do without what was loaded', async () => {
    await swap()
    server.sql('postgres', 'DROP DATABASE shop WITH (FORCE)')
    await expect(shop.forget(run).run(doing())).rejects.toMatchObject({ exit: 5, message: expect.stringContaining('Nothing was dropped') })
    await expect(swap()).rejects.toMatchObject({ exit: 5 })
    await back()
    expect(count()).toBe('1')
  })

  test('a name that PostgreSQL would cut is refused', () => {
    const long = source('database', { url: secret(server.url), database: 'a'.repeat(50) })
    expect(() => long.load('beside', '20261121t095658z-b2fa')).toThrow('is longer than the 63 bytes')
  })
})

function kill(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It has ended already.
  }
}
