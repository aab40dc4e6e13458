import { expect, test } from 'vitest'
import type { Entry, Fact } from '../../../lib/plan/journal.ts'
import { Secret } from '../../../lib/plan/secrets.ts'
import { renderReport } from '../../../lib/run/report/render.ts'
import { ticks } from '../../../lib/run/report/timeline.ts'
import { failed, intent, journal, planned, samples, step, together, verified } from '../samples.ts'

const meta = { timezone: 'Europe/Paris' }

/** Puts `evil` into every string of an entry except those that say what it is, when it was and which step it is of. */
function poisoned<T>(value: T, evil: string): T {
  if (typeof value === 'string') return `${evil}${value}` as T
  if (Array.isArray(value)) return value.map(item => poisoned(item, evil)) as T
  if (value === null || typeof value !== 'object') return value
  const kept = new Set(['at', 't', 'kind', 'role', 'how', 'id', 'of', 'undoes', 'since', 'verified', 'word'])
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, kept.has(key) && typeof inner === 'string' ? inner : poisoned(inner, evil)]),
  ) as T
}

test('a script in every field is text, in the page and in its attributes', () => {
  const evil = '<script>alert(1)</script>"\' onmouseover=x '
  for (const entries of Object.values(samples)) {
    const page = renderReport(poisoned(entries, evil), meta)
    expect(page).not.toContain('<script')
    expect(page).toContain('&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39; onmouseover=x')
    expect(page).not.toMatch(/="[^"]*<[^"]*"/)
  }
})

test('the page needs neither network nor script', () => {
  for (const entries of Object.values(samples)) {
    const page = renderReport(entries, meta)
    expect(page).toContain("default-src 'none'")
    expect(page).not.toMatch(/<(script|link|img|iframe|object)\b|url\(|@import|\b(src|href)=/)
  }
})

test('the page says the outcome as the last line does, with complete commands', () => {
  const page = renderReport(samples.failedBackup, meta)
  expect(page).toContain('<span class="word">NOT DONE</span>')
  expect(page).toContain('exit 4')
  expect(page).toContain('<h1>no new backup; the newest is Mon 18:00, VERIFIED</h1>')
  expect(page).toContain('<pre class="copy">npx zx runbooks/backup.ts --stack=shop --environment=production</pre>')
  expect(page).toContain('<p>look at the server, then</p>')
  expect(page).toContain('socket was unexpectedly closed: EOF')
  expect(page).toContain('<span class="soft">812 MB · taken back</span>')
  expect(page).toContain('observed 03:00:34')
})

test('of a failed rollout the cause comes first; its events and the last words of what died stand as they were written', () => {
  const look = ['Deployment/web, pod web-1', 'what happened:', '  10:00:01 Pod/web-1 BackOff: Back-off', 'last lines of web:', 'app --port 1', 'boom']
  const outcome = { word: 'NOT DONE', exit: 4, says: '1.0.0 still serves', verified: '', why: 'web: it crashed 2 times', look } as const
  const facts = [
    planned('deploy', 'run', 'shop', 'local', [step('one', 'Wait')]),
    intent('one', 'Wait'),
    failed('one', 1, outcome.why),
    { at: 'ended', outcome } as const,
  ]
  const page = renderReport(journal('2025-12-09T02:00:00Z', facts), meta)
  expect(page).toContain(`<pre class="error">${look.join('\n')}</pre>`)
  const [why, words, timeline] = ['crashed 2 times', 'boom', '<h2>Timeline</h2>'].map(text => page.indexOf(text))
  expect([why! > 0, why! < words!, words! < timeline!]).toEqual([true, true, true])
})

test('a failed undo, a cut attempt and the time without a runner are told apart', () => {
  const page = renderReport(samples.halfDone, meta)
  for (const kind of ['bar undo failed', 'bar stopped', 'bar gate']) expect(page).toContain(`class="${kind}"`)
  expect(page).toContain('silent for 2 min 00 s')
  expect(page).toContain('resume by mia@desk')
})

test('secrets do not reach the page', () => {
  const secret = new Secret('uri', `mongodb://u:p<&"'w@db`)
  const facts = [
    planned('backup', 'r', 's', 'e', [step('copy/db', 'Copy db')]),
    intent('copy/db', 'Copy db', { prints: [`x ${secret.reveal()}`] }),
    failed('copy/db', 1, `cannot reach ${secret.reveal()}`, secret.reveal()),
  ]
  const page = renderReport(journal('2025-12-09T02:00:00Z', facts), meta)
  expect(page).toContain('cannot reach ***')
  expect(page).not.toContain('@db')
})

test('a journal cut after any entry still gives a page, which does not claim an end', () => {
  for (const entries of Object.values(samples)) {
    for (let length = 0; length < entries.length; length += 1) {
      const page = renderReport(entries.slice(0, length), meta)
      expect(page).toContain('<span class="word">UNFINISHED</span>')
      expect(page).not.toMatch(/NaN|undefined|Invalid|Infinity/)
    }
  }
})

test('every bar lies within its track', () => {
  for (const entries of Object.values(samples)) {
    const page = renderReport(entries, meta)
    const bars = [...page.matchAll(/class="bar [^"]*" style="left:([\d.-]+)%;width:([\d.-]+)%"/g)]
    expect(bars.length).toBeGreaterThan(3)
    for (const [, left, width] of bars) {
      expect(Number(left)).toBeGreaterThanOrEqual(0)
      expect(Number(width)).toBeGreaterThanOrEqual(0)
      expect(Number(left) + Number(width)).toBeLessThanOrEqual(100.01)
    }
  }
})

test('a time axis has between two and eight ticks for any length from a tenth of a second to a month', () => {
  for (let length = 100; length < 30 * 86_400_000; length *= 1.7) {
    expect(ticks(length).length).toBeGreaterThanOrEqual(2)
    expect(ticks(length).length).toBeLessThanOrEqual(8)
  }
})

test('two thousand steps are all drawn', () => {
  const nodes = [
    together(
      'Copy',
      Array.from({ length: 2000 }, (_, i) => step(`copy/${i}`, `Copy ${i}`)),
    ),
  ]
  const facts: (Fact & { after?: number | undefined })[] = [planned('backup', 'r', 's', 'e', nodes)]
  for (let i = 0; i < 2000; i += 1) facts.push(intent(`copy/${i}`, `Copy ${i}`), verified(`copy/${i}`, 1, { bytes: i }))
  const entries: Entry[] = journal('2025-12-09T02:00:00Z', facts)
  const page = renderReport(entries, meta)
  for (const n of [0, 999, 1999]) expect(page).toContain(`Copy ${n}<`)
})
