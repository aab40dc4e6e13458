import { describe, expect, test } from 'vitest'
import { Trouble } from '../../../lib/plan/outcome.ts'
import type { Doing } from '../../../lib/plan/plan.ts'
import type { Platform } from '../../../lib/platforms/platform.ts'
import { rehearsedAlone } from '../../../lib/releases/rehearse/words.ts'
import { otherSecrets } from '../../../lib/releases/rollback.ts'
import { bundle, site } from '../made.ts'

const on = (platform: Partial<Platform>) => site({ platform: platform as Platform })

test.each([
  [{ rehearse: true }, true],
  [{ rehearse: true, backup: 'latest' }, true],
  [{ keepSchema: true }, true],
  [{ service: ['prometheus'] }, true],
  [{ rehearse: true, keepSchema: true }, false],
  [{ rehearse: true, service: ['prometheus'] }, false],
  [{ backup: 'latest' }, false],
])('%j goes together: %s', (given, holds) => {
  expect(rehearsedAlone({ rehearse: false, keepSchema: false, service: [], ...given }).holds).toBe(holds)
})

describe('secrets that a release would come back with', () => {
  const then = bundle('1.0.0', { secrets: { token: 'a', key: 'b', gone: 'c' } })
  const drafted = async () => ({ files: {}, secrets: { token: 'a', key: 'B', new: 'd' } })
  const doing = { signal: new AbortController().signal } as Doing

  test('are named where they are others than it had, and are those of today', async () => {
    const notes = await otherSecrets(on({ secretsOfToday: true, draft: drafted }), then, doing)
    expect(notes).toEqual(['it comes back with the secrets of today, and these were others then: gone, key, new'])
  })

  test('are no matter where it brings its own, or where they are the same', async () => {
    expect(await otherSecrets(on({ draft: drafted }), then, doing)).toEqual([])
    expect(await otherSecrets(on({ secretsOfToday: true, draft: async () => then }), then, doing)).toEqual([])
  })

  test('may be unknown: files of today that are not valid keep nobody from going back', async () => {
    const draft = () => Promise.reject(new Trouble(3, 'the overlay is not valid'))
    const [note] = await otherSecrets(on({ secretsOfToday: true, draft }), then, doing)
    expect(note).toBe('whether the secrets of today are those that it had is not known: the overlay is not valid')
  })
})
