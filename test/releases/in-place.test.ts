import { expect, test } from 'vitest'
import type { Bundle } from '../../lib/platforms/platform.ts'
import { replaced } from '../../lib/releases/verbs/slots.ts'

const bundle = (release: string): Bundle => ({ release, slot: 'live', services: {}, files: {}, secrets: {} })
const args = (back: Bundle | null) => ({ bundle: bundle('new'), without: [], back })

test('what replaces a verified release is taken back to it', () => {
  const undo = replaced.undo(args(bundle('old')), { release: 'old', is: 'running' })
  expect(undo).toMatchObject({ verb: 'release.return', args: { bundle: { release: 'old' } } })
})

test('the first release is removed again', () => {
  expect(replaced.undo(args(null), { release: null, is: 'absent' })).toMatchObject({ verb: 'slot.remove' })
})

test('what somebody put there by hand is never removed, and only a person can say how to go back', () => {
  expect(replaced.undo(args(null), { release: 'by hand', is: 'running' })).toMatchObject({ person: true })
})
