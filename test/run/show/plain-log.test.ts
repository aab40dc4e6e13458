import { expect, test } from 'vitest'
import { plainLog } from '../../../lib/run/show/plain-log.ts'
import { expectGolden } from '../golden.ts'
import { failed, intent, journal, planned, samples, step } from '../samples.ts'

for (const [name, entries] of Object.entries(samples)) {
  test(`the log of ${name} is as reviewed`, async () => {
    let text = ''
    const log = plainLog(line => {
      text += line
    })
    for (const entry of entries) log.saw(entry)
    await log.end()
    expectGolden(`log-${name}`, text)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what must not be there.
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/)
    for (const line of text.trimEnd().split('\n')) expect(line).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ \S/)
  })
}

test('progress is logged at most every 10 s, with rate and time left', () => {
  let text = ''
  let t = Date.parse('2025-12-09T02:00:00Z')
  const log = plainLog(
    line => {
      text += line
    },
    () => t,
  )
  const start = journal('2025-12-09T02:00:00Z', [
    planned('backup', 'r1', 'shop', 'local', [step('copy/db', 'Copy db')]),
    intent('copy/db', 'Copy db', { after: 0 }),
  ])
  for (const entry of start) log.saw(entry)
  for (let tenth = 1; tenth <= 300; tenth += 1) {
    t += 100
    log.moved('copy/db', { done: tenth * 1e7, total: 4e9 })
  }
  const at = text.split('\n').filter(line => line.includes(' at '))
  expect(at).toEqual([
    '2025-12-09T02:00:10Z at       Copy db: 1.0 GB of 4.0 GB, 100 MB/s, 30 s left',
    '2025-12-09T02:00:20Z at       Copy db: 2.0 GB of 4.0 GB, 100 MB/s, 20 s left',
    '2025-12-09T02:00:30Z at       Copy db: 3.0 GB of 4.0 GB, 100 MB/s, 10 s left',
  ])
})

test('an error with line ends, colours and cursor moves stays one plain line', () => {
  let text = ''
  const log = plainLog(line => {
    text += line
  })
  const entries = journal('2025-12-09T02:00:00Z', [
    planned('backup', 'r1', 'shop', 'local', [step('copy/db', 'Copy db')]),
    intent('copy/db', 'Copy db'),
    failed('copy/db', 1, 'first\r\nsecond \u001b[31mred\u001b[0m\u001b[2J\u0007 \u202eevil'),
  ])
  for (const entry of entries) log.saw(entry)
  expect(text.split('\n')[2]).toBe('2025-12-09T02:00:01Z FAILED   Copy db: first | second red evil')
  expect(text.split('\n')).toHaveLength(4)
})

test('a second attempt and the turn to undoing are said', () => {
  let text = ''
  const log = plainLog(line => {
    text += line
  })
  const nodes = [step('copy/a', 'Copy a'), step('copy/b', 'Copy b')]
  const entries = journal('2025-12-09T02:00:00Z', [
    planned('backup', 'r1', 'shop', 'local', nodes),
    intent('copy/a', 'Copy a', { attempt: 2 }),
    { at: 'turned', why: 'Ctrl-C', to: 'undo' },
  ])
  for (const entry of entries) log.saw(entry)
  expect(text).toContain('start    Copy a, attempt 2')
  expect(text).toContain('turned   Ctrl-C: undoing what was done')
})
