import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ridOf } from '../../lib/notify/deadman.ts'
import { journal } from '../run/toys/invoke.ts'
import { type Hooked, type Watched, watched } from './watched.ts'

let toy: Watched
beforeEach(async () => {
  toy = await watched()
})
afterEach(() => toy.end())

const events = () => toy.hooked().map(({ event }) => event)

describe('a run that ends', () => {
  test('well is told at its begin and its end, with the same words as --json, and the dead man is fed', async () => {
    const ran = await toy.run(['--yes', '--json'])
    expect(ran.code).toBe(0)
    const [start, done] = toy.hooked()
    expect(start).toMatchObject({ event: 'start', severity: 'info', word: null, exit: null })
    const { event, severity, at, by, ...same } = done as Hooked
    expect([event, severity, typeof at, typeof by]).toEqual(['done', 'info', 'string', 'string'])
    expect(same).toEqual(JSON.parse(ran.stdout))
    expect(toy.pings()).toEqual(['/start', ''])
    const rids = toy.server.requests.flatMap(({ query }) => query.rid ?? [])
    expect(rids).toEqual(Array(2).fill(ridOf(String(same.run))))
  })

  test('badly is told with the reason, and the dead man gets the end of the log', async () => {
    const ran = await toy.run(['--yes'], { TOY_FAIL: 'put/e' })
    expect(ran.code).toBe(4)
    expect(toy.hooked()[1]).toMatchObject({ event: 'failed', severity: 'warning', exit: 4, why: 'it was told to fail' })
    expect(toy.pings()).toEqual(['/start', '/fail'])
    const log = toy.server.requests.find(({ path }) => path.endsWith('/fail'))?.body ?? ''
    expect(log).toMatch(/FAILED +Put e: it was told to fail/)
    expect(log.trimEnd().split('\n').at(-1)).toBe(ran.last)
  })

  test('badly on a protected environment is critical', async () => {
    await toy.run(['--yes', '--environment=guarded'], { TOY_FAIL: 'put/e' })
    expect(toy.hooked()[1]).toMatchObject({ event: 'failed', severity: 'critical' })
  })

  test('well after one that failed is told as a recovery, once', async () => {
    await toy.run(['--yes'], { TOY_FAIL: 'put/e' })
    await toy.run()
    await toy.run()
    expect(events()).toEqual(['start', 'failed', 'start', 'recovered', 'start', 'done'])
  })

  test('leaves its figures for Prometheus, good or bad', async () => {
    await toy.run()
    await toy.run(['--yes'], { TOY_FAIL: 'put/e' })
    await toy.run(['--yes', '--dry-run'])
    const text = readFileSync(join(toy.world.home, 'metrics/toy.prom'), 'utf8')
    const labels = 'stack="toy",environment="local",runbook="toy"'
    expect(text).toContain(`runbooks_last_run_exit_code{${labels}} `)
    expect(text).toMatch(new RegExp(`runbooks_last_success_timestamp_seconds\\{${labels}\\} \\d+`))
    expect(text).toContain('runbooks_data_loss_objective_seconds{stack="toy",environment="local",runbook="backup"} 21600\n')
  })
})

describe('nothing is told', () => {
  test('of dry runs, shown settings, and mistakes made before a stack is known', async () => {
    const all = [['--yes', '--dry-run'], ['--show-config'], ['--yes', '--stack=nobody'], ['--help'], ['--nonsense']]
    const codes = await Promise.all(all.map(async flags => (await toy.run(flags)).code))
    expect(codes).toEqual([0, 0, 2, 0, 2])
    expect(toy.server.requests).toEqual([])
  })
})

describe('a run that nobody sat at and that could not begin', () => {
  test('is told as a failure, whether a requirement or a consent is missing; the next good one is a recovery', async () => {
    expect((await toy.run(['--yes'], { TOY_REFUSE: '1' })).code).toBe(3)
    expect((await toy.run([])).code).toBe(2)
    expect(toy.hooked().map(({ event, exit, run }) => [event, exit, run])).toEqual([
      ['failed', 3, null],
      ['failed', 2, null],
    ])
    expect(toy.pings()).toEqual(['/fail', '/fail'])
    await toy.run()
    expect(events().at(-1)).toBe('recovered')
  })

  test('because a member cannot be built is told, too: there is no session then', async () => {
    const ran = await toy.run(['--yes'], { TOY_STORE: '' })
    expect(ran.code).toBe(2)
    expect(toy.hooked()).toMatchObject([{ event: 'failed', exit: 2, why: 'TOY_STORE is not set' }])
  })

  test('because another is at work is told as a warning, and counts as a failure for the dead man', async () => {
    const first = toy.begin(['--yes'], { TOY_SLOW: 'a' })
    await toy.server.heard(2)
    expect((await toy.run(['--yes', '--environment=local'])).code).toBe(6)
    expect(toy.hooked().at(-1)).toMatchObject({ event: 'failed', severity: 'warning', exit: 6 })
    expect(toy.pings()).toEqual(['/start', '/fail'])
    first.child.kill('SIGTERM')
    await first.ran
  })
})

describe('a run that is ended from outside', () => {
  test.each([
    ['SIGTERM', 143, 'failed'],
    ['SIGINT', 130, 'undone'],
  ] as const)('by %s undoes, and its message still goes out', async (signal, exit, event) => {
    const { child, ran } = toy.begin(['--yes'], { TOY_SLOW: 'b' })
    await toy.server.heard(2)
    // The slow step is at work once its intent is journaled.
    while (!journal(toy.world).some(entry => entry.at === 'intent' && entry.of === 'put/b')) await new Promise(resolve => setTimeout(resolve, 20))
    child.kill(signal)
    expect((await ran).code).toBe(exit)
    expect(toy.hooked().at(-1)).toMatchObject({ event, exit })
    expect(toy.pings()).toEqual(['/start', '/fail'])
  })

  test('by kill -9 leaves the dead man with a start and no end; what cannot begin after it needs a person', async () => {
    const { child, ran } = toy.begin(['--yes'], { TOY_SLOW: 'b' })
    await toy.server.heard(2)
    while (!journal(toy.world).some(entry => entry.at === 'intent' && entry.of === 'put/b')) await new Promise(resolve => setTimeout(resolve, 20))
    child.kill('SIGKILL')
    await ran
    expect([events(), toy.pings()]).toEqual([['start'], ['/start']])
    expect((await toy.run()).code).toBe(5)
    expect(toy.hooked().at(-1)).toMatchObject({ event: 'human needed', exit: 5 })
    expect((await toy.run(['--yes', '--revert'])).code).toBe(0)
    expect(toy.hooked().at(-1)).toMatchObject({ event: 'undone', exit: 0, word: 'REVERTED' })
    // Taking it back is no backup: the dead man was told of the failure only.
    expect(toy.pings()).toEqual(['/start', '/fail'])
    await toy.run()
    expect(events().at(-1)).toBe('recovered')
  })
})
