import { createServer, type Server } from 'node:net'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { deadman } from '../../lib/notify/deadman.ts'
import { email } from '../../lib/notify/email.ts'
import type { Notifier } from '../../lib/notify/notify.ts'
import { slack } from '../../lib/notify/slack.ts'
import { tellAll, untold } from '../../lib/notify/tell.ts'
import { webhook } from '../../lib/notify/webhook.ts'
import { Secret } from '../../lib/plan/secrets.ts'
import { type Mailbox, mailbox } from './mailbox.ts'
import { type Recorder, recorder } from './recorder.ts'
import { sample } from './samples.ts'

let server: Recorder
let box: Mailbox
let silent: Server
beforeAll(async () => {
  server = await recorder()
  box = await mailbox({
    authOptional: false,
    onAuth: ({ username = '', password }, _, done) =>
      password === 'right pass/word' ? done(null, { user: username }) : done(new Error(`no: ${password}`)),
  })
  silent = createServer(() => undefined)
  await new Promise<void>(resolve => silent.listen(0, '127.0.0.1', resolve))
})
beforeEach(() => {
  server.requests.length = 0
  server.answer({ status: 200 })
})
afterAll(async () => {
  await server.end()
  await box.end()
  silent.close()
})

const never = new AbortController().signal
const on = ['failed'] as const
const hook = (path = '/services/T0/B0/t0ps3cr3t') => slack({ webhook: new Secret('SLACK_WEBHOOK_URL', server.url + path), on })
const mail = (smtp: string) => email({ smtp: new Secret('SMTP_URL', smtp), to: 'ops@immo.example', on })
const told = async (notifier: Notifier, limitMs?: number) => untold(await tellAll([notifier], sample('failed'), never, limitMs))

test('a server that recovers within two more tries is told', async () => {
  server.answer(n => ({ status: n < 3 ? 503 : 200 }))
  expect(await told(hook())).toEqual([])
  expect(server.requests.length).toBe(3)
})

test('a connection that is cut is tried again, and after three tries given up', async () => {
  server.answer('drop')
  expect(await told(hook())).toEqual([expect.stringMatching(/^slack could not be told: 127\.0\.0\.1:\d+ could not be reached: \S+/)])
  expect(server.requests.length).toBe(3)
})

test('a refusal is not tried again, and its text is told without the secret', async () => {
  server.answer({ status: 403, body: 'invalid_token for /services/T0/B0/t0ps3cr3t' })
  expect(await told(hook())).toEqual([`slack could not be told: ${server.host} answered 403: invalid_token for ***`])
  expect(server.requests.length).toBe(1)
})

test('a redirect is not followed, because it would carry secrets elsewhere', async () => {
  server.answer({ status: 307, headers: { location: '/elsewhere' } })
  const guarded = webhook({ url: new Secret('HOOK', `${server.url}/hooks/runbooks`), authorization: new Secret('HOOK_AUTH', 'Bearer t0k3n-9'), on })
  expect(await told(guarded)).toEqual([`webhook could not be told: ${server.host} answered 307`])
  expect(server.requests.map(({ path }) => path)).toEqual(['/hooks/runbooks'])
})

test('a server that takes the connection and says nothing costs no more than the limit', async () => {
  server.answer('hang')
  const began = performance.now()
  const [why] = await told(hook(), 300)
  expect(why).toMatch(/^slack could not be told: no answer/)
  expect(performance.now() - began).toBeLessThan(2_000)
})

test('a channel that does not listen to its signal is not waited for, and does not keep the others from being told', async () => {
  const deaf: Notifier = { name: 'deaf', kind: 'slack', on, send: () => new Promise(() => undefined) }
  const both = await tellAll([deaf, hook()], sample('failed'), never, 300)
  expect(untold(both)).toEqual(['deaf could not be told: no answer within 0.3 s'])
  expect(server.requests.length).toBe(1)
})

test('an address that is none is refused without being repeated', () => {
  for (const text of ['hooks.slack.example/t0ps3cr3t', 'file:///etc/passwd', '']) {
    const made = () => slack({ webhook: new Secret('SLACK_WEBHOOK_URL', text), on })
    expect(made).toThrow(/^SLACK_WEBHOOK_URL is no http\(s\) URL$/)
  }
})

test("a dead man's address keeps its query and loses no slash", async () => {
  const ping = (url: string) => deadman({ url: new Secret('PING', server.url + url) }).send(sample('done'), never)
  await ping('/ping/key/shop-backup/?create=1')
  expect(server.requests[0]).toMatchObject({ path: '/ping/key/shop-backup', query: { create: '1', rid: expect.any(String) } })
})

test('e-mail signs in with what stands in the URL, percent-encoded', async () => {
  expect(await told(mail(`smtp://ops%40immo.example:right%20pass%2Fword@127.0.0.1:${box.port}`))).toEqual([])
  expect(box.mails.at(-1)?.user).toBe('ops@immo.example')
})

test('a mail server that refuses the password is told of, without the password that it repeats', async () => {
  const [why] = await told(mail(`smtp://ops:wr0ng-p%26ss@127.0.0.1:${box.port}`))
  expect(why).toMatch(/^email could not be told: Invalid login: .*\*\*\*/)
  expect(why).not.toContain('wr0ng')
})

test('a password goes to no other machine over a connection that is not encrypted', async () => {
  // The machine's own name is not a loopback address to the channel, and the server offers no STARTTLS.
  const open = await mailbox()
  const why = await told(mail(`smtp://ops:s3cr3t-pass@[::ffff:127.0.0.1]:${open.port}`))
  await open.end()
  expect(why).toEqual([expect.stringMatching(/TLS/)])
  expect(open.mails).toEqual([])
})

test('a mail server that says nothing costs no more than the limit', async () => {
  const { port } = silent.address() as { port: number }
  const began = performance.now()
  expect(await told(mail(`smtp://127.0.0.1:${port}`), 300)).toEqual([expect.stringMatching(/^email could not be told: /)])
  expect(performance.now() - began).toBeLessThan(2_000)
})

test('a mail server that is not there, and an address that is none, are told of', async () => {
  expect(await told(mail('smtp://127.0.0.1:9'))).toEqual([expect.stringContaining('ECONNREFUSED')])
  expect(() => mail('mail.example:25')).toThrow('SMTP_URL is no smtp:// or smtps:// URL')
})
