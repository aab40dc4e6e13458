import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { discordPayload } from '../../lib/notify/discord.ts'
import { emailContent } from '../../lib/notify/email.ts'
import { cut, endOf, pageOf, sendable } from '../../lib/notify/message.ts'
import { LOG_BYTES, type Message } from '../../lib/notify/notify.ts'
import { pagerdutyPayload } from '../../lib/notify/pagerduty.ts'
import { slackPayload } from '../../lib/notify/slack.ts'
import { webhookPayload } from '../../lib/notify/webhook.ts'
import { Secret } from '../../lib/plan/secrets.ts'
import { KINDS, sample } from './samples.ts'

const text = fc.string({ unit: 'grapheme', maxLength: 400 })

test('the end of a text is at most that many bytes, a suffix of it, and whole characters', () => {
  fc.assert(
    fc.property(text, fc.nat(300), (whole, bytes) => {
      const end = endOf(whole, bytes)
      expect(Buffer.byteLength(end)).toBeLessThanOrEqual(bytes)
      expect(whole.endsWith(end)).toBe(true)
      // A character takes four bytes at most: no more than three are given up.
      expect(Buffer.byteLength(end)).toBeGreaterThanOrEqual(Math.min(Buffer.byteLength(whole), bytes - 3))
    }),
  )
})

test('a cut text is no longer than allowed, and is well-formed', () => {
  fc.assert(
    fc.property(text, fc.integer({ min: 1, max: 300 }), (whole, most) => {
      const short = cut(whole, most)
      expect(short.length).toBeLessThanOrEqual(most)
      expect(short.isWellFormed()).toBe(true)
    }),
  )
})

/** A message in which everything is far too long. */
function huge(long: string): Message {
  const lines = Array(50).fill(long)
  const outcome = { word: 'NOT DONE', exit: 4, says: long, why: long, stands: lines, next: lines, look: lines, warnings: lines, verified: '' }
  return { ...sample('failed'), stack: long.slice(0, 300), runbook: long.slice(0, 300), key: long, line: long, outcome, report: long, log: long }
}

type Block = { type: string; text?: { text: string } }

test('however long its texts are, a message stays within what Slack, Discord and PagerDuty take', () => {
  for (const long of ['x'.repeat(5_000), '&<>`'.repeat(2_000), '🔥'.repeat(3_000)]) {
    const { attachments } = slackPayload(huge(long)) as { attachments: [{ blocks: Block[] }] }
    const lengths = attachments[0].blocks.map(({ type, text }) => [type, text?.text.length ?? 0] as const)
    expect(lengths.filter(([type, length]) => length > (type === 'header' ? 150 : 3_000))).toEqual([])

    const { embeds } = discordPayload(huge(long)) as {
      embeds: [{ title: string; description: string; fields: { name: string; value: string }[]; footer: { text: string } }]
    }
    const [{ title, description, fields, footer }] = embeds
    expect(fields.filter(({ value }) => value.length > 1_024)).toEqual([])
    expect([title, description, footer.text, ...fields.flatMap(({ name, value }) => [name, value])].join('').length).toBeLessThanOrEqual(6_000)

    const { payload, dedup_key } = pagerdutyPayload(huge(long)) as { payload: { summary: string }; dedup_key: string }
    expect(payload.summary.length).toBeLessThanOrEqual(1_024)
    expect(dedup_key.length).toBeLessThanOrEqual(255)
    expect(Buffer.byteLength(JSON.stringify({ payload, dedup_key }))).toBeLessThanOrEqual(512 * 1024)
  }
})

test('no secret is left in any text of a message, in any form that a tool may give it, and none at the cut of the log', () => {
  const value = `p@ss/"w0rd" & ${'s'.repeat(20)}`
  new Secret('MONGODB_URI', value)
  const says = `connecting to ${encodeURIComponent(value)} failed: ${JSON.stringify(value)} | ${value}`
  const outcome = { word: 'NOT DONE', exit: 4, says, why: says, stands: [says], next: [says], look: [says], warnings: [says], verified: '' }
  // Cut in the middle of the secret, were it not redacted before.
  const log = `${value}${'.'.repeat(LOG_BYTES - 10)}`
  const message = sendable({ ...sample('failed'), line: says, outcome, report: says, result: { a: [says, { b: says }] }, log })
  const all =
    [slackPayload, discordPayload, pagerdutyPayload, webhookPayload, emailContent].map(make => JSON.stringify(make(message))).join('') + message.log
  expect(all).not.toMatch(/w0rd|ssssssss/)
  expect(all).toContain('***')
  expect(Buffer.byteLength(message.log)).toBeLessThanOrEqual(LOG_BYTES)
})

test('HTML in a message stays text in an e-mail, and a subject is one line', () => {
  const { html, subject } = emailContent({ ...sample('failed'), stack: 'a\r\nBcc: x@evil.example', line: '<script>alert("1")</script>' })
  expect(html).not.toContain('<script>')
  expect(subject).not.toMatch(/[\r\n]/)
})

test('every kind of message names a place in the page that says what to do', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/runbooks/alerts.md'), 'utf8')
  const headings = [...page.matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replace(/[^a-z0-9 -]/g, '')
      .replaceAll(' ', '-'),
  )
  const named = KINDS.map(kind => pageOf(sample(kind)).split('#')[1])
  expect(named.filter(name => !headings.includes(name ?? ''))).toEqual([])
})
