import { expect, test } from 'vitest'
import type { Entry } from '../../../lib/plan/journal.ts'
import type { Gate, Group } from '../../../lib/plan/plan.ts'
import { plainLog } from '../../../lib/run/show/plain-log.ts'
import { lineOf, newStory, type Story, tell, took } from '../../../lib/run/show/story.ts'
import { plain } from '../../../lib/run/show/style.ts'
import { tree } from '../../../lib/run/show/tree.ts'
import { failed, halfDone, intent, journal, planned, step, verified } from '../samples.ts'

function told(entries: readonly Entry[]): Story {
  const story = newStory()
  for (const entry of entries) tell(story, entry)
  return story
}

const START = '2025-12-09T02:00:00Z'

test('what ran when the run turned was cut off then, and its time stops', () => {
  const nodes = [step('copy/a', 'Copy a'), step('copy/b', 'Copy b')]
  const story = told(
    journal(START, [
      planned('backup', 'r', 's', 'e', nodes),
      intent('copy/a', 'Copy a'),
      intent('copy/b', 'Copy b'),
      failed('copy/b', 5, 'no'),
      { at: 'turned', why: 'Copy b failed', to: 'undo', after: 1 },
    ]),
  )
  expect([lineOf(story, 'copy/a')?.state, lineOf(story, 'copy/b')?.state]).toEqual(['stopped', 'failed'])
  expect(took(lineOf(story, 'copy/a')!, Date.parse('2026-01-01'))).toBe(6100)
})

test('an attempt that a crash cut ends with the last sign of life, not with the resume', () => {
  const swap = told(halfDone).lines.find(line => line.id === 'swap/database')
  expect(swap?.spans.map(span => Date.parse(span.to ?? '') - Date.parse(span.from))).toEqual([0, 5000])
  expect(swap?.attempt).toBe(2)
})

const guarded: Group = {
  kind: 'group',
  title: 'Move the traffic',
  nodes: [step('traffic/green', 'Send everything to green')],
  watch: { verb: 'answers', of: 'front-door', args: null },
}
const breach = journal(START, [
  planned('deploy', 'r', 's', 'e', [guarded]),
  intent('traffic/green', 'Send everything to green'),
  failed('answers/front-door', 3, '4 of 10 answers failed'),
])

test('the breach of a watch is a line of its own in log, tree and story', async () => {
  expect(lineOf(told(breach), 'answers/front-door')).toMatchObject({
    title: 'Watch: Move the traffic',
    state: 'failed',
    why: '4 of 10 answers failed',
  })
  let logged = ''
  const log = plainLog(text => {
    logged += text
  })
  let screen = ''
  const out = {
    isTTY: true,
    columns: 80,
    rows: 24,
    write: (text: string) => {
      screen += text
    },
  }
  const drawing = await tree({ out, style: plain })
  for (const entry of breach) {
    log.saw(entry)
    drawing.saw(entry)
  }
  await drawing.end()
  expect(logged).toContain('FAILED   Watch: Move the traffic: 4 of 10 answers failed')
  expect(screen).toMatch(/✖ Watch: Move the traffic .*4 of 10 answers failed/)
})

test('a question that a late step asks has its title', () => {
  const late: Gate = { kind: 'gate', id: 'hold', title: 'Wait longer?', shows: [], answer: 'yes', unattended: 'undo', deadlineMs: 1000 }
  const story = told(
    journal(START, [
      planned('canary', 'r', 's', 'e', [step('judge/it', 'Judge it', { late })]),
      { at: 'asked', of: 'hold', shows: [], since: START },
      { at: 'answered', of: 'hold', answer: 'late' },
    ]),
  )
  expect(story.asked).toMatchObject([{ title: 'Wait longer?', answer: 'late' }])
})

test('an undo that bears the id of its step does not overwrite what the step did', () => {
  const story = told(
    journal(START, [
      planned('x', 'r', 's', 'e', [step('a/b', 'Do it')]),
      intent('a/b', 'Do it'),
      verified('a/b', 1),
      intent('a/b', 'Take it back', { undoes: 'a/b' }),
      failed('a/b', 1, 'no'),
    ]),
  )
  expect(story.lines.map(line => [line.title, line.kind, line.state])).toEqual([
    ['Do it', 'step', 'done'],
    ['Take it back', 'undo', 'failed'],
  ])
})

test('steps that wait are expected again when a stopped run is resumed, but not when it was undoing', () => {
  const by = { user: 'mia', host: 'desk', pid: 1, started: '1', boot: 'b' }
  const until = (to: 'undo' | 'stop', how: 'resume' | 'revert'): boolean =>
    told(journal(START, [planned('x', 'r', 's', 'e', [step('a/b', 'Do it')]), { at: 'turned', why: 'no answer', to }, { at: 'settling', by, how }]))
      .turned
  expect([until('stop', 'resume'), until('undo', 'resume'), until('stop', 'revert')]).toEqual([false, true, true])
})
