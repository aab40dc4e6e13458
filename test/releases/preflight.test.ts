import { describe, expect, test } from 'vitest'
import { parseLocalTime } from '../../lib/plan/local-time.ts'
import {
  approved,
  askedRight,
  frozenNow,
  imagesThere,
  notFrozen,
  passed,
  platformAnswers,
  roomThere,
  sickNow,
  versionsKnown,
} from '../../lib/releases/preflight.ts'
import { schemaFits, stillThere } from '../../lib/releases/rollback.ts'
import { bundle, facts, image, recordOf, running, site } from './made.ts'

type Holding = { readonly holds: boolean; readonly because: string; readonly mend?: string; readonly exit?: number }
const broken = (all: readonly Holding[]) => all.filter(({ holds }) => !holds)

test.each([
  [0, undefined, true, /^$/],
  [1, undefined, false, /needs the approval of 1 other person/],
  [1, '', false, /needs the approval/],
  [1, 'grace', true, /^$/],
  [1, 'ada', false, /Whoever deploys \(ada\) cannot approve it: 1 other person must/],
  [1, ' ADA ', false, /cannot approve it/],
  [1, 'ada, grace', true, /^$/],
  [2, 'grace', false, /needs the approval of 2 other people/],
  [2, 'grace, Grace', false, /needs the approval of 2 other people/],
  [2, 'ada, grace', false, /Whoever deploys \(ada\) cannot approve it: 2 other people must/],
  [2, 'grace,linus', true, /^$/],
  [2, ',, grace ,', false, /needs the approval of 2/],
])('%i approvals, by %s: %s', (approvals, by, holds, because) => {
  const found = broken(approved(site({ approvals }), by))
  expect(found.length === 0).toBe(holds)
  expect(found[0]?.because ?? '').toMatch(because)
})

test.each([
  [{ version: 'v1.2.3' }, 0],
  [{ version: '1.2.3' }, 1],
  [{ set: ['web=latest', 'api=v1.2.3'] }, 1],
])('where versions have a form, %j breaks it %i times', (given, times) => {
  const strict = { ...site(), deploy: { ...site().deploy, versions: '^v\\d+\\.\\d+\\.\\d+$' } }
  expect(broken(askedRight(strict, { version: undefined, set: [], service: [], ...given }))).toHaveLength(times)
})

describe('what is asked for', () => {
  const asked = (more: { version?: string; set?: string[]; service?: string[] }) =>
    broken(askedRight(site(), { version: undefined, set: [], service: [], ...more }))
  test.each([
    [{}, []],
    [{ version: '1', service: ['web'] }, []],
    [{ set: ['web=1', 'api=2'] }, []],
    [{ version: '1', service: ['wbe'] }, [/There is no service "wbe"; there are web, api/]],
    [{ set: ['wbe=1'] }, [/There is no service "wbe"/]],
    [{ set: ['web'] }, [/--set=web is written --set <service>=<version>/]],
    [{ set: ['web='] }, [/--set=web= is written/]],
    [{ service: ['web'] }, [/no --version says which/]],
    [{ set: ['web=1', 'web=2'] }, [/web gets two versions/]],
  ])('%j', (given, because) => {
    const found = asked(given)
    expect(found).toHaveLength(because.length)
    for (const [i, one] of found.entries()) expect([one.because, one.exit]).toEqual([expect.stringMatching(because[i] as RegExp), 2])
  })

  test('a service without a version is named, with what to type', () => {
    expect(broken(versionsKnown({ web: '1', api: undefined }))).toEqual([
      expect.objectContaining({ because: expect.stringContaining('api'), mend: expect.stringContaining('--set api=<version>'), exit: 2 }),
    ])
    expect(broken(versionsKnown({ web: '1' }))).toEqual([])
  })
})

describe('images', () => {
  test.each(['missing', 'denied', 'wrong platform', 'unreachable'] as const)('one that is %s is refused, by its name', state => {
    const [found] = broken(imagesThere(site(), [image('1.4.2', { state, because: 'so it is', mend: 'do this' })]))
    expect(found).toMatchObject({ because: `shop/web:1.4.2 is ${state}: so it is`, mend: 'do this' })
  })

  test.each([
    [199, true],
    [200, true],
    [201, false],
    [null, true],
  ])('one of %s bytes where 200 are allowed: %s', (sizeBytes, holds) => {
    const limited = site({ deploy: { ...site().deploy, imageBytes: 200 } })
    expect(broken(imagesThere(limited, [image('1', { sizeBytes })])).length === 0).toBe(holds)
  })

  test.each([
    [500_000_000, 'present', true],
    [499_999_999, 'present', false],
    [699_999_999, 'pullable', false],
    [700_000_000, 'pullable', true],
    [null, 'pullable', true],
  ] as const)('%s bytes left for one that is %s: %s', (freeBytes, state, holds) => {
    const look = facts(null)
    const found = broken(roomThere({ ...look, platform: { ...look.platform, freeBytes } }, [image('1', { state, sizeBytes: 100_000_000 })]))
    expect(found.length === 0).toBe(holds)
  })
})

test('a platform that cannot be looked at, and a tool that is missing, say what to do', () => {
  const look = facts(null)
  const found = broken(
    platformAnswers({
      ...look,
      platform: {
        ...look.platform,
        state: 'unreachable',
        because: 'does not answer',
        mend: 'ssh there',
        tools: [
          { name: 'docker', version: null, mend: 'install it' },
          { name: 'sh', version: '1' },
        ],
      },
    }),
  )
  expect(found.map(({ because, mend }) => [because, mend])).toEqual([
    ['/srv/shop does not answer', 'ssh there'],
    ['docker is missing at /srv/shop', 'install it'],
  ])
})

test('what serves and is down is named with its cause; where it is watched, running is not enough', () => {
  const services = { web: running('1', { running: 0, wanted: 2, because: 'exited 137 (OOM)' }), api: running('1') }
  const now = (of: typeof services) => facts({ release: 'r', is: 'running', services: of })
  expect(sickNow(site(), now(services))).toEqual(['web: 0 of 2 run, exited 137 (OOM)'])
  const looping = now({ web: running('1', { healthy: 0, because: 'restarted 7 times' }), api: running('1') })
  expect(sickNow(site(), looping)).toEqual([])
  const watched = site({
    services: new Map([['web', { name: 'web', image: 'shop/web', port: 1, health: '/health', traffic: 'split', twice: 'allowed' }]]),
  })
  expect(sickNow(watched, looping)).toEqual(['web: 0 of 1 are healthy, restarted 7 times'])
})

describe('a freeze', () => {
  const at = (text: string) => parseLocalTime(text, 'Europe/Paris') ?? Number.NaN
  const window = (from: string, to: string) => [{ kind: 'window', fromMs: at(from), toMs: at(to), why: 'event day' }] as const
  const [winter, summer] = [window('2026-10-24 20:00', '2026-10-25 06:00'), window('2026-03-28 20:00', '2026-03-29 06:00')]
  test.each([
    ['a second before it begins', winter, '2026-10-24T17:59:59Z', false],
    ['as it begins', winter, '2026-10-24T18:00:00Z', true],
    ['in the hour that happens twice, the first time', winter, '2026-10-25T00:30:00Z', true],
    ['in the hour that happens twice, the second time', winter, '2026-10-25T01:30:00Z', true],
    ['in its last second, by winter time', winter, '2026-10-25T04:59:59Z', true],
    ['as it ends', winter, '2026-10-25T05:00:00Z', false],
    ['in its last second, by summer time', summer, '2026-03-29T03:59:59Z', true],
    ['as it ends, by summer time', summer, '2026-03-29T04:00:00Z', false],
  ])('%s', (_, freezes, iso, frozen) => {
    expect(frozenNow(freezes, Date.parse(iso)) !== undefined).toBe(frozen)
  })

  test('by a setting counts as long as that is so, whatever the time is', () => {
    const set = (is: boolean) => frozenNow([{ kind: 'set', name: 'EVENT_DAY_FREEZE', set: is, why: 'the match' }], 0)
    expect(set(true)).toBe('the match (EVENT_DAY_FREEZE is set)')
    expect(set(false)).toBeUndefined()
  })

  test('is overridden by DEPLOY alone, and says until when', () => {
    const frozen = site({ freezes: winter })
    const now = Date.parse('2026-10-24T20:00:00Z')
    expect(notFrozen(frozen, true, now).holds).toBe(true)
    expect(notFrozen(frozen, false, now)).toMatchObject({
      holds: false,
      because: expect.stringContaining('event day, until 2026-10-25'),
      mend: expect.stringContaining('DEPLOY'),
    })
  })
})

test('a command of the stack passes by exiting 0, and what it said is said', () => {
  const ran = { argv: ['npm', 'test'], code: 1, said: '3 failed' }
  expect(passed('tests', undefined)).toEqual([])
  expect(broken(passed('tests', { ...ran, code: 0 }))).toEqual([])
  expect(broken(passed('tests', ran, '--skip-tests'))).toMatchObject([
    { because: 'npm test exited 1: 3 failed', mend: expect.stringContaining('--skip-tests') },
  ])
  expect(broken(passed('tests', { ...ran, code: null }))).toHaveLength(1)
})

describe('whether the data fits a release that is gone back to', () => {
  const moved = (reversible: boolean, before = 'm1', after = 'm2') => ({ before, after, reversible })
  const a = recordOf('a')
  const fits = (records: ReturnType<typeof recordOf>[], keep = false, target = a) => schemaFits(site(), facts(null, records), target, keep)
  test.each([
    ['nothing was migrated', [recordOf('b'), a], true, undefined],
    ['a migration with nothing to do', [recordOf('b', { migration: moved(false, 'm1', 'm1') }), a], true, undefined],
    ['there is a way back', [recordOf('b', { migration: moved(true) }), a], true, 'the data stays at migration m2'],
    ['there is none', [recordOf('b', { migration: moved(false) }), a], false, 'the data stays at migration m2'],
    [
      'there is none for an older one of several',
      [recordOf('c', { migration: moved(true, 'm2', 'm3') }), recordOf('b', { migration: moved(false) }), a],
      false,
      'the data stays at migration m3',
    ],
  ])('%s', (_, records, holds, note) => {
    expect(fits(records)).toMatchObject({ holds, ...(note ? { note } : {}) })
    expect(fits(records, true).holds).toBe(true)
  })

  test('a release that ran since on the migrated data is no risk', () => {
    const again = recordOf('a', { how: 'rollback' })
    expect(fits([recordOf('c'), again, recordOf('b', { migration: moved(false) }), a], false, again).holds).toBe(true)
  })

  test('says with which backup to go back, where one was taken', () => {
    expect(fits([recordOf('b', { migration: moved(false), backup: '20261121T100000Z-rabc123' }), a]).mend).toContain(
      '--backup=20261121T100000Z-rabc123',
    )
    expect(fits([recordOf('b', { migration: moved(false) }), a]).mend).toContain('--keep-schema=KEEP')
  })
})

test.each([
  ['as they were', { 'app.yaml': 'aa' }, true, ''],
  ['with others beside them', { 'app.yaml': 'aa', more: 'x' }, true, ''],
  ['altered', { 'app.yaml': 'bb' }, false, 'app.yaml is not as it was'],
  ['missing', {}, false, 'app.yaml is not as it was'],
  ['gone altogether', null, false, 'app.yaml is gone'],
])('files of a release that are %s', (_, kept, holds, because) => {
  const [found] = stillThere(bundle('1.0.0', { files: { 'app.yaml': 'aa' } }), kept)
  expect(found?.holds).toBe(holds)
  if (!holds) expect(found?.because).toContain(because)
})
