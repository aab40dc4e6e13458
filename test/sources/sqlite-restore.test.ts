import { existsSync, readdirSync } from 'node:fs'
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import { sqlite } from '../../lib/sources/sqlite/index.ts'
import { doing, dumped, streamOf, troubleOf } from './conformance.ts'
import { content, ROWS, sql } from './sqlite-made.ts'
import { temporary } from './temporary.ts'

const run = 'r7f3'

describe('sqlite, when restoring', () => {
  it('puts a live database aside with its log, and never lets the log meet the restored one', async () => {
    const file = join(await temporary(), 'shop.sqlite')
    sql(file, `PRAGMA journal_mode = WAL; ${ROWS}`)
    const source = sqlite('database', { file })
    const { bytes } = await dumped(source)
    const app = new DatabaseSync(file)
    app.exec(`INSERT INTO plain (a) VALUES ('only in the log')`)
    const reader = new DatabaseSync(file)
    reader.exec('BEGIN; SELECT count(*) FROM plain')
    app.exec(`INSERT INTO plain (a) VALUES ('after the reader began')`)
    await source.load('beside', run).take(streamOf(bytes), doing())
    await source.swap(run, []).run(doing())
    expect(sql(file, database => database.prepare('SELECT count(*) AS n FROM plain').get()?.n)).toBe(3000)
    expect(app.prepare('SELECT count(*) AS n FROM plain').get()?.n).toBe(3002)
    await source.swapBack(run, []).run(doing())
    expect(sql(file, database => database.prepare('SELECT count(*) AS n FROM plain').get()?.n)).toBe(3002)
    app.exec(`INSERT INTO plain (a) VALUES ('written over the old connection')`)
    expect(sql(file, database => database.prepare('SELECT count(*) AS n FROM plain').get()?.n)).toBe(3003)
    reader.close()
    app.close()
  })

  it('refuses writes over connections that were open before, says by whom, and keeps refusing in the file put aside', async () => {
    const file = join(await temporary(), 'shop.sqlite')
    sql(file, `PRAGMA journal_mode = WAL; ${ROWS}`)
    const source = sqlite('database', { file })
    const app = new DatabaseSync(file)
    const insert = app.prepare('INSERT OR IGNORE INTO plain (a) VALUES (1)')
    insert.run()
    await source.lock!.hold(run).run(doing())
    for (const write of [
      'INSERT OR REPLACE INTO plain (id) VALUES (1)',
      'UPDATE OR IGNORE plain SET a = 2',
      'DELETE FROM plain',
      `INSERT INTO "odd ""name'" VALUES ('n', 1)`,
    ]) {
      expect(() => app.exec(write), write).toThrow('locked by restore r7f3')
    }
    expect(() => insert.run()).toThrow('locked by restore r7f3')
    const { bytes } = await dumped(source)
    const byHand = join(file, '..', 'by hand.sqlite')
    await writeFile(byHand, bytes)
    sql(byHand, 'DELETE FROM plain')
    await source.load('beside', run).take(streamOf(bytes), doing())
    await source.swap(run, []).run(doing())
    await source.lock!.release(run).run(doing())
    expect(() => insert.run(), 'still open on the file put aside').toThrow('locked by restore r7f3')
    sql(file, 'INSERT INTO plain (a) VALUES (3)')
    app.close()
  })

  it('lets writers in again after an undo by another run, which found the old lock in the file put aside', async () => {
    const file = join(await temporary(), 'shop.sqlite')
    sql(file, ROWS)
    const source = sqlite('database', { file })
    const { bytes } = await dumped(source)
    await source.load('beside', run).take(streamOf(bytes), doing())
    await source.lock!.hold(run).run(doing())
    await source.swap(run, []).run(doing())
    await source.lock!.release(run).run(doing())
    await source.lock!.hold('r8un').run(doing('r8un'))
    await source.swapBack(run, []).run(doing('r8un'))
    expect(() => sql(file, 'DELETE FROM plain')).toThrow('locked by restore r7f3')
    await source.lock!.release('r8un').run(doing('r8un'))
    sql(file, 'DELETE FROM plain')
  })

  it('does not lock while a writer keeps a transaction open, and says so', async () => {
    const file = join(await temporary(), 'shop.sqlite')
    sql(file, ROWS)
    const app = new DatabaseSync(file)
    app.exec('BEGIN IMMEDIATE')
    const trouble = await troubleOf(sqlite('database', { file }).lock!.hold(run).run(doing()))
    expect(trouble).toMatchObject({ exit: 4, message: `${file} cannot be locked: a writer keeps a transaction open` })
    app.close()
  })

  it('unlocks a restored database whose dump was made by hand while it was locked', async () => {
    const file = join(await temporary(), 'shop.sqlite')
    sql(file, ROWS)
    const source = sqlite('database', { file })
    await source.lock!.hold('r0ld').run(doing())
    await source.load('beside', run).take(streamOf(await readFile(file)), doing())
    await source.swap(run, []).run(doing())
    sql(file, 'INSERT INTO plain (a) VALUES (1)')
  })

  it('finishes a swap, or takes it back, after a kill between any two renames', async () => {
    const folder = await temporary()
    const file = join(folder, 'shop.sqlite')
    const open: DatabaseSync[] = []
    for (const verb of ['swap', 'swapBack'] as const) {
      for (let renames = 0; renames < 3; renames += 1) {
        for (const name of readdirSync(folder)) await rm(join(folder, name), { recursive: true })
        sql(file, `PRAGMA journal_mode = WAL; CREATE TABLE t (v); INSERT INTO t VALUES ('old')`)
        const source = sqlite('database', { file })
        const { bytes } = await dumped(source)
        const app = new DatabaseSync(file)
        open.push(app)
        app.exec(`INSERT INTO t VALUES ('newer')`)
        await source.load('beside', run).take(streamOf(bytes), doing())
        if (renames > 0) await rename(file, `${file}__aside_${run}`)
        if (renames > 1) for (const sidecar of ['-wal', '-shm']) await rename(file + sidecar, `${file}__aside_${run}${sidecar}`)
        if (renames > 1) await rename(`${file}__restore_${run}`, file)
        if (renames === 1) for (const sidecar of ['-wal', '-shm']) await link(file + sidecar, `${file}__aside_${run}${sidecar}`)
        await source[verb](run, []).run(doing())
        const wanted = verb === 'swap' ? ['old'] : ['old', 'newer']
        expect(
          sql(file, database =>
            database
              .prepare('SELECT v FROM t')
              .all()
              .map(row => row.v),
          ),
          `${verb} after ${renames} renames`,
        ).toEqual(wanted)
        expect(existsSync(`${file}__restore_${run}`)).toBe(verb === 'swapBack')
      }
    }
    for (const app of open) app.close()
  })

  it('clears the second names of sidecars that a kill left after the last rename', async () => {
    const file = join(await temporary(), 'shop.sqlite')
    sql(file, `PRAGMA journal_mode = WAL; ${ROWS}`)
    await writeFile(`${file}__restore_${run}`, '')
    const app = new DatabaseSync(file)
    app.exec(`INSERT INTO plain (a) VALUES ('newer')`)
    for (const sidecar of ['-wal', '-shm']) await link(file + sidecar, `${file}__aside_${run}${sidecar}`)
    const source = sqlite('database', { file })
    await source.swapBack(run, []).run(doing())
    expect(await source.remains(doing())).toEqual([{ run, place: 'beside' }])
    expect(sql(file, database => database.prepare('SELECT count(*) AS n FROM plain').get()?.n)).toBe(3001)
    app.close()
  })

  it('swaps into an empty place and back out of it', async () => {
    const file = join(await temporary(), 'shop.sqlite')
    sql(file, ROWS)
    const source = sqlite('database', { file })
    const { bytes } = await dumped(source)
    await rm(file)
    await source.load('beside', run).take(streamOf(bytes), doing())
    await source.swap(run, []).run(doing())
    await source.swap(run, []).run(doing())
    expect(existsSync(file)).toBe(true)
    await source.swapBack(run, []).run(doing())
    await source.swapBack(run, []).run(doing())
    expect(existsSync(file)).toBe(false)
    expect(await source.presence(run, doing())).toMatchObject({ live: 0, beside: 1 })
  })

  it('does not overwrite what a stranger made in the middle of a swap', async () => {
    const file = join(await temporary(), 'shop.sqlite')
    sql(file, ROWS)
    const source = sqlite('database', { file })
    const { bytes } = await dumped(source)
    await source.load('beside', run).take(streamOf(bytes), doing())
    await rename(file, `${file}__aside_${run}`)
    sql(file, `CREATE TABLE stray (v)`)
    for (const verb of ['swap', 'swapBack'] as const) expect((await troubleOf(source[verb](run, []).run(doing()))).exit).toBe(5)
    await rename(file, `${file}.stray`)
    await source.swap(run, []).run(doing())
    expect(sql(file, database => database.prepare('SELECT count(*) AS n FROM plain').get()?.n)).toBe(3000)
  })

  it.each(['swap', 'swapBack'] as const)('goes on with a %s over the empty file that a client made by opening the name in between', async verb => {
    const file = join(await temporary(), 'shop.sqlite')
    sql(file, ROWS)
    const source = sqlite('database', { file })
    const { bytes } = await dumped(source)
    await source.load('beside', run).take(streamOf(bytes), doing())
    await rename(file, `${file}__aside_${run}`)
    new DatabaseSync(file).close()
    await writeFile(file, '')
    await source[verb](run, []).run(doing())
    expect(sql(file, database => database.prepare('SELECT count(*) AS n FROM plain').get()?.n)).toBe(3000)
    expect(existsSync(`${file}.hollow`)).toBe(false)
  })

  it('restores over a ruined file, which cannot be locked or read', async () => {
    const file = join(await temporary(), 'shop.sqlite')
    sql(file, ROWS)
    const before = content(file)
    const source = sqlite('database', { file })
    const { bytes } = await dumped(source)
    await writeFile(file, Buffer.alloc(8192, 'x'))
    expect(await source.facts(doing())).toMatchObject({ state: 'denied', because: `${file} is not an SQLite database` })
    expect((await troubleOf(dumped(source))).exit).toBe(7)
    expect(await source.lock!.hold(run).run(doing())).toEqual({ held: false, triggers: 0 })
    await source.load('beside', run).take(streamOf(bytes), doing())
    await source.swap(run, []).run(doing())
    expect(content(file)).toEqual(before)
  })
})
