import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { type Store, text } from '../../../lib/stores/store.ts'
import type { Fresh } from '../conformance.ts'
import { bytes, digest, doing, open, refusal, said } from '../recipes.ts'

const MIB = 1024 * 1024

/** Nothing is overwritten, and what fails leaves nothing. */
export function refusals(fresh: () => Promise<Store>, recipe: Fresh): void {
  const nothingLeft = async (store: Store) => {
    expect(await store.list('')).toEqual([])
    expect(await store.leftovers('', 0)).toEqual([])
  }

  describe('refusals', () => {
    test('an object is never overwritten, and the body of a taken path is not even read', async () => {
      const store = await fresh()
      await store.put('object', said('first'), doing())
      let read = 0
      const counted = async function* () {
        read += 1
        yield Buffer.from('second')
      }
      expect((await refusal(store.put('object', counted(), doing()))).fault).toBe('exists')
      expect(read).toBe(0)
      expect(await text(store, 'object', doing())).toBe('first')
    })

    test.each([
      [20, 'small', 1_000],
      [4, 'large', 20 * MIB],
    ])('of %i %s puts to one path at once exactly one wins', async (writers, _, total) => {
      const store = await fresh()
      const bodies = Array.from({ length: writers }, (__, n) =>
        (async function* () {
          yield Buffer.from([n])
          yield* bytes(total, [MIB])
        })(),
      )
      const outcomes = await Promise.allSettled(bodies.map(body => store.put('object', body, doing())))
      const winners = outcomes.flatMap((outcome, n) => (outcome.status === 'fulfilled' ? [n] : []))
      expect(winners).toHaveLength(1)
      for (const outcome of outcomes) if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ fault: 'exists' })
      expect((await store.head('object'))?.bytes).toBe(total + 1)
      for await (const chunk of store.get('object', doing(), { start: 0, end: 1 })) expect(chunk[0]).toBe(winners[0])
      expect(await store.leftovers('', 0)).toEqual([])
    })

    test.each([
      ['before its first byte', 0],
      ['after a kilobyte', 1_000],
      ['after 40 MiB', 40 * MIB],
    ])('a body that throws %s leaves nothing, and its own error comes out', async (_, total) => {
      const store = await fresh()
      const why = Object.assign(new Error('mongodump exited 1'), { code: 'ENOENT' })
      const failing = async function* () {
        yield* bytes(total, [MIB])
        throw why
      }
      expect(await refusal(store.put('a/object', failing(), doing()))).toBe(why)
      await nothingLeft(store)
    })

    test('a put that fails has closed its body before it says so', async () => {
      const store = await fresh()
      const stop = new AbortController()
      let closed = false
      const body = async function* () {
        try {
          for (let sent = 0; ; sent += 1) {
            if (sent === 100) stop.abort(new Error('Ctrl-C'))
            yield* bytes(MIB)
          }
        } finally {
          await delay(50)
          closed = true
        }
      }
      await refusal(store.put('object', body(), doing(stop.signal)))
      expect(closed).toBe(true)
    })

    test('a put that is stopped before it begins reads no body', async () => {
      const store = await fresh()
      const reason = new Error('Ctrl-C')
      expect(await refusal(store.put('object', bytes(10), doing(AbortSignal.abort(reason))))).toBe(reason)
      await nothingLeft(store)
    })

    test.each([
      ['flows', 5],
      ['is silent', 600_000],
    ])('a put that is stopped while its body %s leaves nothing and ends soon', async (_, pauseMs) => {
      const store = await fresh()
      const stop = new AbortController()
      const reason = new Error('Ctrl-C')
      const body = async function* () {
        yield* bytes(36 * MIB, [MIB])
        setTimeout(() => stop.abort(reason), 100)
        yield* bytes(900 * MIB, [MIB], pauseMs)
      }
      const began = Date.now()
      expect(await refusal(store.put('a/object', body(), doing(stop.signal)))).toBe(reason)
      expect(Date.now() - began).toBeLessThan(8_000)
      await nothingLeft(store)
    })

    test('a get that is stopped throws the reason', async () => {
      const store = await fresh()
      await store.put('object', bytes(8 * MIB), doing())
      const stop = new AbortController()
      const reason = new Error('Ctrl-C')
      const reading = async () => {
        for await (const _ of store.get('object', doing(stop.signal))) stop.abort(reason)
      }
      expect(await refusal(reading())).toBe(reason)
    })

    test('a process killed while uploading leaves no object, and its remains are found by age and prefix, and cleared', async () => {
      const plain = await recipe()
      const store = open(plain)
      const child = spawn(process.execPath, [new URL('../uploading.ts', import.meta.url).pathname, 'hang', JSON.stringify(plain)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      await once(child.stdout, 'data')
      expect(await store.head('killed/object')).toBe(null)
      child.kill('SIGKILL')
      await once(child, 'exit')
      expect(await store.list('')).toEqual([])
      expect(await store.leftovers('', 3_600_000)).toEqual([])
      expect(await store.leftovers('elsewhere', 0)).toEqual([])
      const found = await store.leftovers('killed', 0)
      expect(found).toHaveLength(1)
      expect(found[0]?.path).toMatch(/^killed\//)
      expect(Math.abs(Date.parse(found[0]!.begun) - Date.now())).toBeLessThan(30_000)
      await store.put('killed/object', bytes(100), doing())
      await store.clear(found[0]!)
      await store.clear(found[0]!)
      expect(await store.leftovers('', 0)).toEqual([])
      expect(await digest(store.get('killed/object', doing()))).toBe(await digest(bytes(100)))
    })

    test('a put and the removal of its neighbours do not disturb each other', async () => {
      const store = await fresh()
      for (let round = 0; round < 10; round += 1) {
        await Promise.all([store.remove(`folder/${round - 1}`), store.put(`folder/${round}`, said('x'), doing()), delay(1)])
      }
      expect((await store.list('')).map(({ path }) => path)).toEqual(['folder/9'])
    })
  })
}
