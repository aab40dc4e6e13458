import { expect, test } from 'vitest'
import type { Outcome } from '../../../lib/plan/journal.ts'
import { EXITS } from '../../../lib/plan/outcome.ts'
import { Secret } from '../../../lib/plan/secrets.ts'
import { type About, lastLine, printOutcome } from '../../../lib/run/show/outcome.ts'
import { newStory, tell } from '../../../lib/run/show/story.ts'
import { expectGolden } from '../golden.ts'
import { samples } from '../samples.ts'

function ending(name: keyof typeof samples): { outcome: Outcome; about: About } {
  const story = newStory()
  for (const entry of samples[name]) tell(story, entry)
  const { stack, environment, runbook, run } = story.planned!
  const about = {
    subject: `${stack}/${environment}`,
    runbook,
    run,
    timezone: 'Europe/Paris',
    report: `.runbooks/runs/${run}-${stack}-${environment}/report.html`,
  }
  return { outcome: story.outcome!, about }
}

for (const name of Object.keys(samples) as (keyof typeof samples)[]) {
  test(`the end of ${name} is as reviewed, on both streams and as JSON`, () => {
    const { outcome, about } = ending(name)
    const { stdout, stderr } = printOutcome(outcome, about)
    const json = printOutcome(outcome, about, { json: true })
    expectGolden(`end-${name}`, `== stderr\n${stderr}== stdout\n${stdout}== stdout with --json\n${json.stdout}`)
  })
}

test('the labels stand in the order Why, Stands, Next, Look, Report, and the last line is last', () => {
  const { outcome, about } = ending('failedBackup')
  const { stdout, stderr } = printOutcome(outcome, about)
  expect((stderr + stdout).match(/^(Why|Stands|Next|Look|Report|NOT DONE)/gm)).toEqual(['Why', 'Stands', 'Next', 'Look', 'Report', 'NOT DONE'])
  expect(stdout).toBe('NOT DONE shop/production: no new backup; the newest is Mon 18:00, VERIFIED, verified 03:00:34 (exit 4)\n')
})

test('with --json stdout holds one object on one line and nothing else', () => {
  const { outcome, about } = ending('failedBackup')
  const { stdout, stderr } = printOutcome(outcome, { ...about, result: { bytes: 0 }, summary: ['a table'] }, { json: true })
  expect(stdout.trimEnd()).not.toContain('\n')
  expect(JSON.parse(stdout)).toMatchObject({ word: 'NOT DONE', exit: 4, subject: 'shop/production', result: { bytes: 0 }, warnings: [] })
  expect(stderr).toContain(lastLine(outcome, about))
})

test('with --quiet a success says nothing, a warning and a failure say everything', () => {
  const good = ending('restoreWithGate')
  expect(printOutcome(good.outcome, good.about, { quiet: true })).toEqual({ stdout: '', stderr: '' })
  const warned = ending('goodBackup')
  expect(printOutcome(warned.outcome, warned.about, { quiet: true }).stderr).toMatch(/^Warning .*AccessDenied/s)
  const bad = ending('halfDone')
  expect(printOutcome(bad.outcome, bad.about, { quiet: true })).toEqual(printOutcome(bad.outcome, bad.about))
})

test('"verified" is said only where something was observed to hold', () => {
  const said = EXITS.filter(({ exit, word }) =>
    lastLine({ word, exit, says: 'x', verified: '2025-12-09T02:00:34.000Z' }, { subject: 'a/b', timezone: 'UTC' }).includes('verified'),
  )
  expect(said.map(row => row.exit)).toEqual([0, 4, 7, 130, 143])
})

test('the last line stays one line, and every line is free of secrets and escape sequences', () => {
  const secret = new Secret('password', 'hunter2-in-the-url')
  const text = `one\ntwo \u001b[2Jmongodb://u:${secret.reveal()}@db`
  const outcome: Outcome = {
    word: 'NOT DONE',
    exit: 4,
    says: text,
    why: text,
    stands: [text],
    next: [text],
    look: [text],
    warnings: [text],
    verified: '',
  }
  const { stdout, stderr } = printOutcome(outcome, { subject: 'a/b', runbook: 'backup', timezone: 'UTC' })
  expect(stdout).toBe('NOT DONE a/b: one | two mongodb://u:***@db (exit 4)\n')
  expect(stderr).not.toContain('hunter2')
  expect(stderr).not.toContain('\u001b')
})

test('a command in Next is never broken', () => {
  const command = `npx zx runbooks/restore.ts --stack=check-in --environment=production --backup=20251209T000000Z --part=${'media'.repeat(10)}`
  const { stderr } = printOutcome(
    { word: 'NOT DONE', exit: 4, says: 'x', next: [command], verified: '' },
    { subject: 'a/b', runbook: 'restore', timezone: 'UTC' },
    { width: 60 },
  )
  expect(stderr).toBe(`Next    ${command}\n`)
})
