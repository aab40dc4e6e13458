import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { appendFile, chmod, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { timeOf } from '../../lib/sources/sqlite/facts.ts'
import { sqlite } from '../../lib/sources/sqlite/index.ts'
import { conforms, doing, dumped, streamOf, troubleOf } from './conformance.ts'
import { content, ROWS, sql } from './sqlite-made.ts'
import { temporary } from './temporary.ts'

const run = 'r7f3'

for (const mode of ['wal', 'delete']) {
  conforms(`sqlite (journal mode ${mode})`, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'runbooks-sqlite-'))
    const file = join(folder, 'it’s a shop.sqlite')
    return {
      source: sqlite('database', { file }),
      fill: async () => void sql(file, `PRAGMA journal_mode = ${mode}; ${ROWS}`),
      mutate: async () => void sql(file, `INSERT INTO plain (a) VALUES ('later'); UPDATE "odd ""name'" SET v = 'later' WHERE k = 'b'`),
      destroy: async () => void sql(file, 'DELETE FROM plain WHERE id > 10; DROP TABLE "odd ""name\'"; DROP TABLE empty'),
      read: async () => content(file),
      end: () => rm(folder, { recursive: true, force: true }),
    }
  })
}

describe('sqlite', () => {
  it('tells NULL, empty text, zeros of both types and an empty blob apart', async () => {
    const folder = await temporary()
    const digests = new Set<string>()
    const values = [
      'NULL',
      "''",
      '0',
      '0.0',
      "x''",
      "'0'",
      "x'30'",
      '1',
      '1.0',
      "'1'",
      "'a' || char(0)",
      "'a'",
      '9007199254740993',
      '9007199254740992',
      "x'00'",
      "x'0000'",
    ]
    for (const [n, value] of values.entries()) {
      const file = join(folder, `${n}.sqlite`)
      sql(file, `CREATE TABLE t (v); INSERT INTO t VALUES (${value})`)
      digests.add((await sqlite('x', { file }).content('live', run, doing())).items.t!.digest)
    }
    expect(digests.size).toBe(values.length)
  })

  it('dumps one moment of a database that a writer hammers', async () => {
    const file = join(await temporary(), 'bank.sqlite')
    sql(
      file,
      `PRAGMA journal_mode = WAL; CREATE TABLE accounts (id INTEGER PRIMARY KEY, cents INTEGER); CREATE TABLE moves (n INTEGER);
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) INSERT INTO accounts SELECT i, 100 FROM n`,
    )
    const writer = new Worker(
      `const { DatabaseSync } = require('node:sqlite'); const { workerData, parentPort } = require('node:worker_threads')
       const database = new DatabaseSync(workerData, { timeout: 5000 }); let n = 0
       parentPort.on('message', () => { database.close(); parentPort.postMessage(n); process.exit() })
       const go = () => { for (let i = 0; i < 20; i += 1) { n += 1; database.exec(\`BEGIN IMMEDIATE; UPDATE accounts SET cents = cents - 1 WHERE id = \${n % 20000 + 1};
         UPDATE accounts SET cents = cents + 1 WHERE id = \${(n * 7919) % 20000 + 1}; INSERT INTO moves VALUES (\${n}); COMMIT\`) } if (n === 20) parentPort.postMessage('going'); setImmediate(go) }
       go()`,
      { eval: true, workerData: file },
    )
    await new Promise(resolve => writer.once('message', resolve))
    const source = sqlite('bank', { file })
    const moves: number[] = []
    for (let n = 0; n < 5; n += 1) {
      const { bytes, content: held } = await dumped(source)
      expect((await source.examine(streamOf(bytes), doing())).items).toEqual(held.items)
      await source.load('scratch', run).take(streamOf(bytes), doing())
      const copy = readdirSync(join(file, '..', '.bank.sqlite.scratch')).find(name => name.includes('drill'))!
      expect(
        sql(join(file, '..', '.bank.sqlite.scratch', copy), database => database.prepare('SELECT sum(cents) AS cents FROM accounts').get()?.cents),
      ).toBe(2_000_000)
      moves.push(held.items.moves!.count)
      await source.unload('scratch', run).run(doing())
    }
    const written = new Promise<number>(resolve => writer.once('message', resolve))
    writer.postMessage('stop')
    expect(new Set(moves).size).toBe(5)
    expect(moves.at(-1)).toBeLessThanOrEqual(await written)
  })

  it('finds a flipped bit in a row by its digest, and one in the structure by what SQLite says', async () => {
    const file = join(await temporary(), 'shop.sqlite')
    sql(file, ROWS)
    const source = sqlite('database', { file })
    const { bytes, content: held } = await dumped(source)
    const flipped = (at: number) => {
      const copy = Buffer.from(bytes)
      copy[at]! ^= 0x10
      return streamOf(copy)
    }
    const seen = await source.examine(flipped(bytes.indexOf('row 1500') + 5), doing()).catch((error: unknown) => error)
    expect(seen).toSatisfy(it => it.exit === 7 || it.items.plain.digest !== held.items.plain!.digest)
    for (let page = 1; page < 12; page += 1) {
      const trouble = await troubleOf(source.examine(flipped(page * 4096), doing()))
      expect(trouble, `page ${page + 1}`).toMatchObject({ exit: 7, message: expect.stringMatching(/damage/) })
    }
  })

  it('reads a database whose writer was killed in the middle of a transaction', async () => {
    const file = join(await temporary(), 'shop.sqlite')
    sql(file, `${ROWS} PRAGMA cache_size = 1`)
    const app = new DatabaseSync(file)
    app.exec(`PRAGMA cache_size = 1; BEGIN; UPDATE plain SET b = 'half', d = zeroblob(900)`)
    const crashed = join(file, '..', 'crashed.sqlite')
    for (const end of ['', '-journal']) await writeFile(crashed + end, await readFile(file + end))
    app.close()
    expect((await stat(`${crashed}-journal`)).size).toBeGreaterThan(0)
    const source = sqlite('database', { file: crashed })
    expect((await source.facts(doing())).state).toBe('answers')
    await dumped(source)
    expect(content(crashed)).toEqual(content(file))
  })

  it('keeps the mode of the live file, and its own copies to itself', async () => {
    const file = join(await temporary(), 'shop.sqlite')
    sql(file, ROWS)
    await chmod(file, 0o640)
    const source = sqlite('database', { file })
    const stream = source.dump().open(doing())
    const first = await stream[Symbol.asyncIterator]().next()
    expect(first.done).toBe(false)
    const scratch = join(file, '..', '.shop.sqlite.scratch')
    expect((await stat(scratch)).mode & 0o777).toBe(0o700)
    for (const name of readdirSync(scratch)) expect((await stat(join(scratch, name))).mode & 0o777).toBe(0o600)
    expect(await source.remains(doing()), 'as after a crash').toEqual([{ run, place: 'scratch' }])
    await source.unload('scratch', run).run(doing())
    expect(existsSync(scratch)).toBe(false)
    const { bytes } = await dumped(source)
    await source.load('beside', run).take(streamOf(bytes), doing())
    expect((await stat(`${file}__restore_${run}`)).mode & 0o777).toBe(0o640)
  })

  it('dumps and restores a database without tables', async () => {
    const file = join(await temporary(), 'none.sqlite')
    await appendFile(file, '')
    const source = sqlite('database', { file })
    const { bytes, content: held } = await dumped(source)
    expect(bytes.length).toBeGreaterThan(0)
    expect(Object.keys(held.items)).toEqual(['sqlite_schema'])
    expect((await source.examine(streamOf(bytes), doing())).items).toEqual(held.items)
  })

  it('is restored by the command that is named for it', async () => {
    const folder = await temporary()
    const file = join(folder, "the crew's shop.sqlite")
    sql(file, ROWS)
    const source = sqlite('database', { file })
    const { bytes } = await dumped(source)
    await mkdir(join(folder, 'out'))
    execFileSync('sh', ['-c', source.byHand.join('; ')], { cwd: join(folder, 'out'), input: bytes })
    expect(content(join(folder, 'out', "the crew's shop.sqlite"))).toEqual(content(file))
  })

  it('says what a path that is no database is', async () => {
    const folder = await temporary()
    expect(await sqlite('x', { file: folder }).facts(doing())).toMatchObject({ state: 'denied', because: `${folder} is not a file` })
    await symlink('nowhere', join(folder, 'link'))
    expect(await sqlite('x', { file: join(folder, 'link') }).facts(doing())).toMatchObject({ state: 'missing' })
  })

  it('takes only what is certainly a time for one', () => {
    const now = Date.parse('2025-12-09T12:00:00Z')
    expect(timeOf('2025-12-09T03:11:58Z', now)).toBe(Date.parse('2025-12-09T03:11:58Z'))
    expect(timeOf('2025-12-09 03:11:58', now)).toBe(Date.parse('2025-12-09T03:11:58Z'))
    expect(timeOf(1_765_249_918, now)).toBe(1_765_249_918_000)
    expect(timeOf(1_765_249_918_123, now)).toBe(1_765_249_918_123)
    for (const not of ['2025-12-09T03:11:58+01:00', '9999-12-31T00:00:00Z', 'yesterday', 17, null, '20251209'])
      expect(timeOf(not, now), String(not)).toBeUndefined()
  })
})
