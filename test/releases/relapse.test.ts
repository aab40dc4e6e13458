import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ServiceState, SlotState } from '../../lib/platforms/platform.ts'
import { hasFallen, watchOf } from '../../lib/releases/relapse.ts'

const service = (more: Partial<ServiceState> = {}): ServiceState => ({
  version: '1.1.0',
  digest: null,
  wanted: 2,
  running: 2,
  healthy: 2,
  restarts: 0,
  ...more,
})
const slot = (more: Partial<ServiceState> = {}): SlotState => ({ release: 'r', is: 'running', services: { web: service(more), worker: service() } })

describe('a release under its traffic that is not settled', () => {
  test('has not fallen while an instance is not ready for less than five seconds', () => {
    const watch = watchOf(slot(), true)
    expect([0, 2_000, 4_999].map(ms => hasFallen(watch, slot({ healthy: 1 }), ms))).toEqual([false, false, false])
    expect(hasFallen(watch, slot({ healthy: 1 }), 5_000)).toBe(true)
  })

  test('has fallen at once when an instance has ended, is gone, or was started again', () => {
    expect(hasFallen(watchOf(slot(), true), slot({ restarts: 1 }), 0)).toBe(true)
    expect(hasFallen(watchOf(slot(), true), slot({ running: 1, healthy: 1 }), 0)).toBe(true)
  })

  test('has fallen when it was restarted between its being healthy and the first look', () => {
    expect(hasFallen(watchOf(slot({ restarts: 1 }), false), slot({ restarts: 1, healthy: 1 }), 0)).toBe(true)
  })

  test('is not held to restarts from before', () => {
    fc.assert(
      fc.property(fc.nat(20), fc.nat(4_999), (restarts, ms) => {
        expect(hasFallen(watchOf(slot({ restarts }), true), slot({ restarts, healthy: 1 }), ms)).toBe(false)
      }),
    )
  })
})
