import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { deadman, ridOf } from '../../lib/notify/deadman.ts'
import { discord } from '../../lib/notify/discord.ts'
import { email } from '../../lib/notify/email.ts'
import { EVENTS, isWanted, type Notifier } from '../../lib/notify/notify.ts'
import { pagerduty } from '../../lib/notify/pagerduty.ts'
import { slack } from '../../lib/notify/slack.ts'
import { webhook } from '../../lib/notify/webhook.ts'
import { Secret } from '../../lib/plan/secrets.ts'
import { expectGolden } from './golden.ts'
import { type Mailbox, mailbox } from './mailbox.ts'
import { type Recorder, recorder } from './recorder.ts'
import { KINDS, sample } from './samples.ts'

let server: Recorder
let box: Mailbox

beforeAll(async () => {
  server = await recorder()
  box = await mailbox()
})
beforeEach(() => {
  server.requests.length = 0
  box.mails.length = 0
})
afterAll(async () => {
  await server.end()
  await box.end()
})

const at = (path: string) => new Secret('WEBHOOK_URL', `${server.url}${path}`)
const key = () => new Secret('PAGERDUTY_KEY', 'R0UT1NGKEY0123456789abcdef')
const on = EVENTS
const never = new AbortController().signal

const MEMBERS: Readonly<Record<string, () => Notifier>> = {
  slack: () => slack({ webhook: at('/services/T00/B00/xyzzy'), on }),
  discord: () => discord({ webhook: at('/api/webhooks/1/xyzzy'), on }),
  pagerduty: () => pagerduty({ key: key(), on, url: `${server.url}/v2/enqueue` }),
  webhook: () => webhook({ url: at('/hooks/runbooks'), authorization: new Secret('HOOK_AUTH', 'Bearer hook-token-1'), on }),
  deadman: () => deadman({ url: at('/0b1c2d3e-aaaa-bbbb-cccc-000000000001') }),
}

/** What went over the wire, without what differs between machines. */
function wire() {
  return server.requests.map(({ method, path, query, headers, body }) => {
    const type = headers['content-type'] ?? ''
    const { authorization } = headers
    return {
      method,
      path,
      query,
      type,
      ...(authorization ? { authorization } : {}),
      body: type.startsWith('application/json') ? JSON.parse(body) : body,
    }
  })
}

describe.each(Object.keys(MEMBERS))('%s', kind => {
  test.each(KINDS)('a message of the kind "%s" goes out as in its golden file', async event => {
    const notifier = (MEMBERS[kind] as () => Notifier)()
    const message = sample(event)
    if (isWanted(notifier, message)) await notifier.send(message, never)
    expectGolden(`${kind}-${event.replace(' ', '-')}`, wire())
  })
})

describe('email', () => {
  test.each(KINDS)('a message of the kind "%s" arrives as in its golden file, as text and as HTML', async event => {
    const notifier = email({
      smtp: new Secret('SMTP_URL', `smtp://127.0.0.1:${box.port}`),
      to: ['ops@immo.example', 'night@immo.example'],
      from: 'runbooks@ops-1',
      on,
    })
    await notifier.send(sample(event), never)
    const [mail] = box.mails
    const boundary = /boundary="([^"]+)"/.exec(mail?.source ?? '')?.[1] ?? 'none'
    const kept = (mail?.source ?? '').replaceAll(boundary, 'BOUNDARY').replaceAll(/^(Message-ID|Date): .*$/gm, '$1: …')
    expectGolden(`email-${event.replace(' ', '-')}`, { from: mail?.from, to: mail?.to, source: kept.split('\r\n') })
  })
})

test('a success resolves in PagerDuty what its failure opened, and a test leaves nothing open', async () => {
  const pager = (MEMBERS.pagerduty as () => Notifier)()
  for (const event of ['failed', 'recovered', 'test'] as const) await pager.send(sample(event), never)
  const sent = wire().map(({ body }) => [body.event_action, body.dedup_key, body.routing_key])
  expect(sent).toEqual([
    ['trigger', 'immo-express/production/backup', key().reveal()],
    ['resolve', 'immo-express/production/backup', key().reveal()],
    ['trigger', 'immo-express/production/backup', key().reveal()],
    ['resolve', 'immo-express/production/backup', key().reveal()],
  ])
})

test('a start and its end carry the same rid, which is a UUID and differs between runs', () => {
  const rid = ridOf('20251209T023005Z-backup-r7f31c2')
  expect(rid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/)
  expect(ridOf('20251209T023005Z-backup-r7f31c3')).not.toBe(rid)
})

test('what is in a message can mention nobody and link nowhere', async () => {
  const message = { ...sample('failed'), line: '<!channel> @everyone <https://evil.example|click>' }
  await (MEMBERS.slack as () => Notifier)().send(message, never)
  await (MEMBERS.discord as () => Notifier)().send(message, never)
  const [toSlack, toDiscord] = server.requests
  expect(toSlack?.body).toContain('&lt;!channel&gt; @everyone &lt;https://evil.example|click&gt;')
  expect(JSON.parse(toDiscord?.body ?? '').allowed_mentions).toEqual({ parse: [] })
})
