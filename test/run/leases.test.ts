import { describe, expect, it, onTestFinished, vi } from 'vitest'
import type { Entry } from '../../lib/plan/journal.ts'
import { step } from '../../lib/plan/nodes.ts'
import { acquire, LEASE_MS, type Lease, LeaseBusy, LeaseLost, readShared } from '../../lib/run/leases.ts'
import { type Cell, StoreError } from '../../lib/stores/store.ts'
import { asking, inside, newCell, plannedFact } from './engine/inside.ts'
import { toy } from './toys/verbs.ts'

const entry = (run: string) => ({ ...plannedFact(run, []), n: 1, t: new Date().toISOString() }) as Entry
const dead = async () => true

/** Changes the shared document as time or another program would. */
async function craft(cell: Cell, change: (shared: Awaited<ReturnType<typeof readShared>>['shared']) => unknown): Promise<void> {
  const { shared, version } = await readShared(cell)
  await cell.write(JSON.stringify(change(shared)), version)
}

const expire = (cell: Cell) => craft(cell, shared => ({ ...shared, holder: { ...shared.holder, untilMs: 1 } }))

describe('a lease', () => {
  it('has one holder among twenty that ask at once, and the others hear who it is', async () => {
    const cell = newCell()
    const asked = await Promise.allSettled(Array.from({ length: 20 }, (_, i) => acquire(cell, asking(`r${i}`))))
    const [winner, ...others] = asked.flatMap(one => (one.status === 'fulfilled' ? [one.value] : []))
    expect(others).toEqual([])
    const reasons = asked.flatMap(one => (one.status === 'rejected' ? [one.reason as LeaseBusy] : []))
    expect(reasons).toHaveLength(19)
    expect(reasons.every(reason => reason instanceof LeaseBusy && reason.holder.run === winner?.run)).toBe(true)
  })

  it('of a dead run has one new holder, although twenty resume that same run at once', async () => {
    const cell = newCell()
    await acquire(cell, asking('r1'))
    // Only the first holder is dead; whoever takes over lives.
    const isDead = async () => (await readShared(cell)).shared.token === 1
    const asked = await Promise.allSettled(Array.from({ length: 20 }, () => acquire(cell, asking('r1', isDead))))
    expect(asked.filter(one => one.status === 'fulfilled')).toHaveLength(1)
    expect((await readShared(cell)).shared.token).toBe(2)
  })

  it('is free again when its holder lets go', async () => {
    const cell = newCell()
    await (await acquire(cell, asking('r1'))).release()
    expect((await acquire(cell, asking('r2'))).token).toBe(2)
  })

  it('is not had while its holder is silent for less than a minute, and is had after that', async () => {
    const cell = newCell()
    await acquire(cell, asking('r1'))
    const { shared, nowMs } = await readShared(cell)
    expect((shared.holder?.untilMs ?? 0) - nowMs).toBeGreaterThan(LEASE_MS - 10_000)
    await expect(acquire(cell, asking('r2'))).rejects.toThrow(LeaseBusy)
    await expire(cell)
    expect((await acquire(cell, asking('r2'))).run).toBe('r2')
  })

  it('of a holder that is dead on this machine is had at once', async () => {
    const cell = newCell()
    await acquire(cell, asking('r1'))
    expect((await acquire(cell, asking('r2', dead))).token).toBe(2)
  })

  it('fences: after a takeover nothing of the paused holder gets in', async () => {
    const cell = newCell()
    const paused = await acquire(cell, asking('r1'))
    await paused.append(entry('r1'))
    await expire(cell)
    const next = await acquire(cell, asking('r2'))
    await expect(paused.append(entry('r1'))).rejects.toThrow(LeaseLost)
    await expect(paused.release({ run: 'r1', runbook: 'toy', outcome: { word: 'DONE', exit: 0, says: '', verified: '' } })).rejects.toThrow(LeaseLost)
    await next.append(entry('r2'))
    const { shared } = await readShared(cell)
    expect(shared.open.r1).toHaveLength(1)
    expect(shared.past).toEqual([])
    expect(shared.holder?.run).toBe('r2')
  })

  it('is re-entered by its pass, and given back by its owner only', async () => {
    const cell = newCell()
    const outer = await acquire(cell, asking('outer'))
    const inner = await acquire(cell, { ...asking('inner'), pass: outer.pass })
    await inner.append(entry('inner'))
    await inner.release({ run: 'inner', runbook: 'toy', outcome: { word: 'DONE', exit: 0, says: '', verified: '' } })
    await expect(acquire(cell, asking('r3'))).rejects.toThrow(LeaseBusy)
    await outer.append(entry('outer'))
    await outer.release()
    expect((await readShared(cell)).shared.holder).toBeNull()
  })

  it('is not re-entered by the pass of a token that is gone', async () => {
    const cell = newCell()
    const old = await acquire(cell, asking('r1'))
    await acquire(cell, asking('r2', dead))
    await expect(acquire(cell, { ...asking('inner'), pass: old.pass })).rejects.toThrow(LeaseBusy)
  })

  it('keeps all entries of a holder that appends many at once, in order', async () => {
    const cell = newCell()
    const lease = await acquire(cell, asking('r1'))
    await Promise.all(Array.from({ length: 20 }, (_, i) => lease.append({ ...entry('r1'), n: i + 1 })))
    expect((await readShared(cell)).shared.open.r1?.map(({ n }) => n)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1))
  })

  it.each([
    ['garbage', 'is damaged'],
    ['null', 'another version'],
    ['{"format":2}', 'another version'],
  ])('behind a document that says %s is refused in words', async (body, words) => {
    const cell = newCell()
    await cell.write(body, (await cell.read()).version)
    await expect(acquire(cell, asking('r1'))).rejects.toMatchObject({ exit: 3, message: expect.stringContaining(words) })
  })
})

describe('a heartbeat', () => {
  /** Time that the test moves on; the files are real. */
  function clock() {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] })
    onTestFinished(() => void vi.useRealTimers())
  }
  const lost = (lease: Lease) => new Promise<LeaseLost>(resolve => lease.keep(resolve))

  it('tells of a takeover', async () => {
    clock()
    const cell = newCell()
    const told = lost(await acquire(cell, asking('r1')))
    await acquire(cell, asking('r2', dead))
    vi.advanceTimersByTime(LEASE_MS / 3)
    expect(await told).toMatchObject({ name: 'LeaseLost', message: expect.stringContaining('taken over') })
  })

  it('renews, so that the lease outlives its minute', async () => {
    const cell = newCell()
    clock()
    const lease = await acquire(cell, asking('r1'))
    lease.keep(() => undefined)
    await expire(cell)
    vi.advanceTimersByTime(LEASE_MS / 3)
    await lease.append(entry('r1'))
    const { shared, nowMs } = await readShared(cell)
    expect(shared.holder?.untilMs).toBeGreaterThan(nowMs)
  })

  it('that cannot be written tells only when the lease has run out', async () => {
    clock()
    const real = newCell()
    let down = false
    const cell: Cell = { ...real, read: () => (down ? Promise.reject(new StoreError('unreachable', 'no way there')) : real.read()) }
    const lease = await acquire(cell, asking('r1'))
    let told: unknown
    lease.keep(error => {
      told = error
    })
    down = true
    for (const expected of [undefined, undefined]) {
      await vi.advanceTimersByTimeAsync(LEASE_MS / 3)
      await new Promise(resolve => setTimeout(resolve, 20))
      expect(told).toBe(expected)
    }
    vi.advanceTimersByTime(LEASE_MS)
    await new Promise(resolve => setTimeout(resolve, 20))
    expect(told).toBeInstanceOf(LeaseLost)
  })
})

describe('a run whose lease was taken over', () => {
  it('stands: it neither goes on nor undoes', async () => {
    const e = await inside()
    const nodes = [step('a', toy('put', e.world, 'a')), step('b', toy('put', e.world, 'b', '1', { nap: 0.5 })), step('c', toy('put', e.world, 'c'))]
    const ending = e.carry(nodes)
    while (!e.told().includes('spawned put/b')) await new Promise(resolve => setTimeout(resolve, 10))
    await acquire(e.cell, asking('r2', dead))
    expect(await ending).toMatchObject({ how: 'stands', why: expect.stringContaining('taken over') })
    expect(e.effects()).toEqual(['a 1', 'b 1'])
    expect(e.context.journal.entries.some(one => one.at === 'turned')).toBe(false)
  })

  it('is stopped in the middle of a step when the heartbeat tells of it', async () => {
    const e = await inside()
    const ending = e.carry([step('a', toy('put', e.world, 'a')), step('b', toy('put', e.world, 'b', '1', { nap: 20 }))])
    while (!e.told().includes('spawned put/b')) await new Promise(resolve => setTimeout(resolve, 10))
    e.abort.abort(new LeaseLost('there', null))
    expect(await ending).toMatchObject({ how: 'stands', stands: [expect.stringContaining('a: was'), expect.stringContaining('b: was')] })
    expect(e.effects()).toEqual(['a 1'])
  })
})
