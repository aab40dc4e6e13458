import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { deadman, pingOf } from '../../lib/notify/deadman.ts'
import { type Ended, eventsOf, severityOf } from '../../lib/notify/events.ts'
import { EVENTS, type Event, isWanted, type Message, type Notifier, type On } from '../../lib/notify/notify.ts'
import { pagerduty } from '../../lib/notify/pagerduty.ts'
import { EXITS } from '../../lib/plan/outcome.ts'
import { Secret } from '../../lib/plan/secrets.ts'
import { sample } from './samples.ts'

const ended = (exit: number, more: Partial<Ended> = {}) => eventsOf({ outcome: { exit }, ...more })

test('each exit code means what the table in docs/runbooks/alerts.md says', () => {
  expect(Object.fromEntries(EXITS.map(({ exit }) => [exit, ended(exit)]))).toEqual({
    0: ['done'],
    1: ['failed'],
    2: ['failed'],
    3: ['failed'],
    4: ['failed', 'undone'],
    5: ['human needed', 'failed'],
    6: ['failed'],
    7: ['failed'],
    8: ['failed'],
    130: ['undone'],
    143: ['failed', 'undone'],
  })
})

test('that table is true: every exit code with its events, its severities and its ping', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/runbooks/alerts.md'), 'utf8')
  const rows = [...page.matchAll(/^\| (\d+) \| [^|]+ \| (`[^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$/gm)].map(row =>
    row.slice(1).map(cell => cell.trim()),
  )
  const failures = rows.filter(([exit]) => exit !== '0')
  expect(failures.map(([exit]) => Number(exit))).toEqual(EXITS.map(({ exit }) => exit).filter(exit => exit !== 0))
  for (const [exit, events, here, elsewhere, ping] of failures) {
    const found = ended(Number(exit))
    const severities = [true, false].map(isProtected => severityOf(found[0] as Event, isProtected, Number(exit)))
    expect([exit, events, here, elsewhere, ping]).toEqual([exit, found.map(event => `\`${event}\``).join(', '), ...severities, '`/fail`'])
  }
})

test('a success after a failure is a recovery, and one whose data shrank speaks of that first', () => {
  expect(ended(0, { failedBefore: true })).toEqual(['recovered', 'done'])
  expect(ended(0, { failedBefore: true, tells: ['shrunk'] })).toEqual(['shrunk', 'recovered', 'done'])
})

test('taking back or closing an unfinished run is no success of its work; resuming it is', () => {
  expect(ended(0, { settled: 'revert' })).toEqual(['undone'])
  expect(ended(0, { settled: 'close', failedBefore: true })).toEqual(['undone'])
  expect(ended(0, { settled: 'resume' })).toEqual(['done'])
})

test('severity follows from the event and from the protection of the environment; a busy lease wakes nobody', () => {
  const severities = EVENTS.map(event => [event, severityOf(event, true), severityOf(event, false)])
  expect(severities).toEqual([
    ['human needed', 'critical', 'warning'],
    ['failed', 'critical', 'warning'],
    ['unhealthy', 'critical', 'warning'],
    ['stale', 'critical', 'warning'],
    ['shrunk', 'warning', 'warning'],
    ['undone', 'warning', 'info'],
    ['recovered', 'info', 'info'],
    ['done', 'info', 'info'],
    ['start', 'info', 'info'],
  ])
  expect(severityOf('failed', true, 6)).toBe('warning')
})

const channel = (...on: On[]): Notifier => ({ name: 'x', kind: 'x', on, send: async () => undefined })
const failure: Message = { ...sample('failed'), events: ['failed', 'undone'] }

test('a channel is told by event or by severity, of any event that is true; a test goes everywhere', () => {
  expect(isWanted(channel('undone'), failure)).toBe(true)
  expect(isWanted(channel('critical'), failure)).toBe(true)
  expect(isWanted(channel('warning', 'done'), failure)).toBe(false)
  expect(isWanted(channel('done'), sample('test'))).toBe(true)
})

test('who listens for failures hears of a run that stands half-way', () => {
  expect(isWanted(channel('failed'), { ...sample('human needed'), events: ended(5) })).toBe(true)
})

test('the dead man is pinged for its own runbook only, and a refusal counts as a failure', () => {
  const watch = deadman({ url: new Secret('PING', 'https://hc.example/uuid-1') })
  expect(isWanted(watch, sample('start'))).toBe(true)
  expect(isWanted(watch, { ...sample('done'), runbook: 'restore' })).toBe(false)
  const refused = (exit: number) => pingOf({ ...sample('failed'), outcome: { word: '', exit, says: '', verified: '' } })
  expect([1, 2, 3, 4, 5, 6, 7, 8, 130, 143].map(refused)).toEqual(Array(10).fill('/fail'))
  expect(pingOf(sample('done'))).toBe('')
})

test('settling an earlier run neither feeds the dead man nor wakes anybody through it', () => {
  const watch = deadman({ url: new Secret('PING', 'https://hc.example/uuid-1') })
  expect(isWanted(watch, { ...sample('done'), events: ['undone'], event: 'undone' })).toBe(false)
})

test('PagerDuty hears of every success, because that is what ends an incident, and never of a start', () => {
  const pager = pagerduty({ key: new Secret('KEY', 'key-1'), on: ['human needed', 'info'] })
  expect([sample('recovered'), sample('done'), sample('start')].map(message => isWanted(pager, message))).toEqual([true, true, false])
})
