import { describe, expect, test } from 'vitest'
import type { Cell, Store } from '../../../lib/stores/store.ts'
import { refusal } from '../recipes.ts'

/** Adds one to the number in a cell, however many others do the same. */
async function increment(cell: Cell): Promise<number> {
  for (;;) {
    const { body, version } = await cell.read()
    try {
      await cell.write(String(Number(body ?? '0') + 1), version)
      return Number(body ?? '0') + 1
    } catch (error) {
      if (!(error instanceof Error && 'fault' in error && error.fault === 'conflict')) throw error
    }
  }
}

/** Small documents change by compare-and-swap. */
export function cells(fresh: () => Promise<Store>): void {
  describe('cells', () => {
    test('a cell is empty at first, keeps what is written, and is no object', async () => {
      const store = await fresh()
      const cell = store.cell('state/lease')
      const empty = await cell.read()
      expect(empty.body).toBe(null)
      const text = 'line\n\n"ünï" \0 end\n'
      const first = await cell.write(text, empty.version)
      const read = await store.cell('state/lease').read()
      expect(read).toMatchObject({ body: text, version: first.version })
      await cell.write('', read.version)
      expect((await cell.read()).body).toBe('')
      expect(await store.list('')).toEqual([])
      expect(await store.leftovers('', 0)).toEqual([])
      expect(await store.head('state/lease')).toBe(null)
    })

    test('time is the store’s and near', async () => {
      const cell = (await fresh()).cell('lease')
      for (const { nowMs } of [await cell.read(), await cell.write('x', (await cell.read()).version), await cell.read()]) {
        expect(Math.abs(nowMs - Date.now())).toBeLessThan(2_500)
      }
    })

    test('a stale version is refused, also when the text is the same as it was then', async () => {
      const cell = (await fresh()).cell('lease')
      const none = (await cell.read()).version
      const first = await cell.write('A', none)
      const second = await cell.write('B', first.version)
      await cell.write('A', second.version)
      for (const stale of [none, first.version, second.version]) expect((await refusal(cell.write('A', stale))).fault).toBe('conflict')
      expect((await cell.read()).body).toBe('A')
    })

    test('of 20 writers on one version exactly one wins, though all write the same', async () => {
      const cell = (await fresh()).cell('lease')
      for (let round = 0; round < 3; round += 1) {
        const { version } = await cell.read()
        const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => cell.write('same', version)))
        expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
        for (const outcome of outcomes) if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ fault: 'conflict' })
      }
    })

    test('20 writers that each add one lose none, and no number is given twice', async () => {
      const store = await fresh()
      const given = await Promise.all(Array.from({ length: 20 }, () => increment(store.cell('counter'))))
      expect((await store.cell('counter').read()).body).toBe('20')
      expect(new Set(given).size).toBe(20)
    })

    test('cells beside each other do not mix', async () => {
      const store = await fresh()
      for (const path of ['lease', 'lease.000000001', 'lease2', 'x/lease'])
        await store.cell(path).write(path, (await store.cell(path).read()).version)
      for (const path of ['lease', 'lease.000000001', 'lease2', 'x/lease']) expect((await store.cell(path).read()).body).toBe(path)
    })
  })
}
