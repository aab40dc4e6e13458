import { expect, test } from 'vitest'
import { acquire, failedBefore, type Past, readShared, remember } from '../../lib/run/leases.ts'
import type { Cell } from '../../lib/stores/store.ts'
import { asking, newCell } from '../run/engine/inside.ts'

const past = (run: string, exit: number, runbook = 'backup', word = 'x'): Past => ({ run, runbook, outcome: { word, exit, says: '', verified: '' } })

/** A run that took the lease and ended. */
async function ran(cell: Cell, ended: Past): Promise<void> {
  await (await acquire(cell, asking(ended.run))).release(ended)
}

test('the run before this one is the last of the same runbook, and this one does not count', async () => {
  const cell = newCell()
  expect(await failedBefore(cell, 'backup')).toBe(false)
  await ran(cell, past('r1', 4))
  await ran(cell, past('r2', 0, 'restore'))
  await ran(cell, past('r3', 0))
  expect(await failedBefore(cell, 'backup', 'r3')).toBe(true)
  expect(await failedBefore(cell, 'backup')).toBe(false)
})

test('a run that was only taken back or closed was no success', async () => {
  for (const word of ['REVERTED', 'CLOSED']) {
    const cell = newCell()
    await ran(cell, past('r1', 0, 'backup', word))
    expect(await failedBefore(cell, 'backup', 'r2')).toBe(true)
  }
})

test('refusals in a row are remembered once, so that they push no other run out', async () => {
  const cell = newCell()
  await ran(cell, past('r0', 0, 'restore'))
  for (let n = 1; n <= 40; n++) await remember(cell, past(`r${n}`, 3))
  expect((await readShared(cell)).shared.past.map(({ run }) => run)).toEqual(['r1', 'r0'])
})

test('remembering a refusal leaves the lease with whoever holds it', async () => {
  const cell = newCell()
  const holder = await acquire(cell, asking('r1'))
  await remember(cell, past('r2', 6))
  const { shared } = await readShared(cell)
  expect([shared.holder?.run, shared.token]).toEqual(['r1', holder.token])
  await holder.release(past('r1', 0))
  expect(await failedBefore(cell, 'backup', 'r1')).toBe(true)
})
