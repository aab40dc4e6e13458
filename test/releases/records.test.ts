import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { keptOf, namedRelease, type ReleaseRecord, targetOf } from '../../lib/releases/records.ts'
import { bundle, recordOf } from './made.ts'

/** What people do: deploy something new, roll back, or roll to one of those there were. */
type Deed = { readonly kind: 'deploy' } | { readonly kind: 'back' } | { readonly kind: 'to'; readonly n: number }

const deeds = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.constant<Deed>({ kind: 'deploy' }) },
    { weight: 2, arbitrary: fc.constant<Deed>({ kind: 'back' }) },
    { weight: 1, arbitrary: fc.nat(20).map((n): Deed => ({ kind: 'to', n })) },
  ),
  { minLength: 1, maxLength: 25 },
)

/** The records that these deeds leave, newest first, and what serves then. */
function lived(all: readonly Deed[]): { records: ReleaseRecord[]; serving: string | null } {
  let records: ReleaseRecord[] = []
  let serving: string | null = null
  let made = 0
  for (const [i, deed] of all.entries()) {
    const to: string | undefined =
      deed.kind === 'deploy'
        ? `r${String(++made).padStart(3, '0')}`
        : deed.kind === 'back'
          ? targetOf(records, serving)?.release
          : records[deed.n]?.release
    if (to === undefined || to === serving) continue
    records = [recordOf(to, { run: `run ${i}`, how: deed.kind === 'deploy' ? 'deploy' : 'rollback', previous: serving }), ...records]
    serving = to
  }
  return { records, serving }
}

const historic = deeds.map(lived)

describe('what a rollback goes back to', () => {
  test('is never what serves, nor anything that was verified for the first time after it', () => {
    fc.assert(
      fc.property(historic, ({ records, serving }) => {
        const target = targetOf(records, serving)
        if (target) expect(target.release < (serving ?? 'z')).toBe(true)
      }),
    )
  })

  test('is always there when something was verified before what serves', () => {
    fc.assert(
      fc.property(historic, ({ records, serving }) => {
        const older = records.some(({ release }) => serving !== null && release < serving)
        expect(targetOf(records, serving) !== undefined).toBe(older)
      }),
    )
  })

  test('is two back after two, and in the end the first release of all', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), n => {
        let { records, serving } = lived(Array.from({ length: n }, () => ({ kind: 'deploy' })))
        for (let back = n - 1; back >= 1; back -= 1) {
          const target = targetOf(records, serving)
          expect(target?.release).toBe(`r${String(back).padStart(3, '0')}`)
          records = [recordOf(target?.release ?? '', { run: `back ${back}`, how: 'rollback' }), ...records]
          serving = target?.release ?? null
        }
        expect(targetOf(records, serving)).toBeUndefined()
      }),
    )
  })

  test('is not what a rollback has left, although something new came since', () => {
    const { records, serving } = lived([{ kind: 'deploy' }, { kind: 'deploy' }, { kind: 'back' }, { kind: 'deploy' }])
    expect([serving, targetOf(records, serving)?.release]).toEqual(['r003', 'r001'])
  })

  test('is the one before in the order of verification, where what served then was put there by hand', () => {
    expect(targetOf([recordOf('c', { previous: 'by hand' }), recordOf('b'), recordOf('a')], 'c')?.release).toBe('b')
  })

  test('is the newest verified one where nobody knows what serves', () => {
    const records = [recordOf('b'), recordOf('a')]
    expect(targetOf(records, 'put there by hand')?.release).toBe('b')
    expect(targetOf(records, null)?.release).toBe('b')
    expect(targetOf([], 'a')).toBeUndefined()
  })

  test('comes with the newest record of that release, whose slot and door are those of the last time', () => {
    const again = recordOf('a', { run: 'again', how: 'rollback', bundle: bundle('a', { slot: 'green' }) })
    expect(targetOf([recordOf('c'), again, recordOf('b'), recordOf('a')], 'b')).toBe(again)
  })
})

describe('what is kept', () => {
  test('has what serves and what it would go back to, whatever the number is', () => {
    fc.assert(
      fc.property(historic, fc.integer({ min: 0, max: 6 }), ({ records, serving }, keep) => {
        const kept = keptOf(records, serving, keep).map(({ release }) => release)
        if (serving) expect(kept).toContain(serving)
        const target = targetOf(records, serving)
        if (target) expect(kept).toContain(target.release)
        expect(new Set(kept).size).toBe(kept.length)
        expect(kept.length).toBeLessThanOrEqual(keep + 2)
      }),
    )
  })

  test('are the newest ones, and only verified ones count: what serves without a record takes nobody’s place', () => {
    const records = ['e', 'd', 'c', 'b', 'a'].map(release => recordOf(release))
    expect(keptOf(records, 'by hand', 2).map(({ release }) => release)).toEqual(['e', 'd'])
    expect(keptOf(records, 'e', 3).map(({ release }) => release)).toEqual(['e', 'd', 'c'])
    expect(keptOf(records, 'b', 2).map(({ release }) => release)).toEqual(['e', 'd', 'b', 'a'])
  })

  test('a release that was rolled back to is one release, not two', () => {
    const records = [recordOf('a', { how: 'rollback' }), recordOf('c'), recordOf('b'), recordOf('a')]
    expect(keptOf(records, 'a', 2).map(({ release }) => release)).toEqual(['c', 'b', 'a'])
  })
})

test('a release is named by its id or an end of it that no other has', () => {
  const records = [recordOf('20261121t100000zr1111ab'), recordOf('20261121t090000zr2222ab'), recordOf('20261121t100000zr1111ab')]
  expect(namedRelease(records, '20261121t090000zr2222ab')?.release).toBe('20261121t090000zr2222ab')
  expect(namedRelease(records, '1111ab')).toBe(records[0])
  expect(namedRelease(records, 'ab')).toBeUndefined()
  expect(namedRelease(records, 'ffff')).toBeUndefined()
})
