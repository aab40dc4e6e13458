import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { endWorlds, invoke, jsonOf, newWorld, type World } from '../runbooks/kit.ts'
import { type Recorder, recorder } from './recorder.ts'

let server: Recorder
let world: World
beforeAll(async () => {
  server = await recorder()
})
beforeEach(() => {
  server.requests.length = 0
  server.answer({ status: 200 })
  world = newWorld()
})
afterEach(endWorlds)
afterAll(() => server.end())

const CHANNELS = `[
  slack({ webhook: secret('SLACK_WEBHOOK_URL'), on: ['failed'] }),
  pagerduty({ key: secret('PAGERDUTY_KEY'), on: ['stale', 'failed'], url: '…/v2/enqueue' }),
  deadman({ url: secret('PING_URL') }),
]`

/** Puts channels and an objective into the stack file of the world. */
function watch(dataLoss: string, notify = CHANNELS): void {
  writeFileSync(
    join(world.config, 'shop.ts'),
    `import { deadman, defineStack, directory, files, pagerduty, secret, slack, sqlite } from 'runbooks'
void [deadman, pagerduty, secret, slack]
export default defineStack({
  name: 'shop',
  timezone: 'Europe/Paris',
  data: { database: sqlite({ file: 'shop.sqlite' }), media: files({ directory: 'media' }) },
  backups: { objectives: { dataLoss: '${dataLoss}' } },
  environments: { local: { protected: true, stores: [directory({ path: 'backups' })], notify: ${notify.replace('…', server.url)} } },
})
`,
  )
}

const env = () => ({ SLACK_WEBHOOK_URL: `${server.url}/slack/t0ps3cr3t`, PAGERDUTY_KEY: 'R0UT1NGKEY', PING_URL: `${server.url}/ping/uuid-0001` })
const doctor = (...flags: string[]) => invoke(world, 'doctor', flags, { env: env() })
const paths = () => server.requests.map(({ path }) => path).sort()
const pages = () => server.requests.filter(({ path }) => path === '/v2/enqueue').map(({ body }) => JSON.parse(body))

test('--notify sends a test to every channel, whatever it listens for, and says which took it', async () => {
  watch('6h')
  const ran = await doctor('--notify', '--json')
  expect(paths()).toEqual(['/ping/uuid-0001/log', '/slack/t0ps3cr3t', '/v2/enqueue', '/v2/enqueue'])
  expect(pages().map(({ event_action }) => event_action)).toEqual(['trigger', 'resolve'])
  const checks = (jsonOf(ran).result as { title: string; holds: boolean }[]).filter(({ title }) => title.endsWith('takes messages'))
  expect(checks).toMatchObject([
    { title: 'slack takes messages', holds: true },
    { title: 'pagerduty takes messages', holds: true },
    { title: 'deadman takes messages', holds: true },
  ])
})

test('--notify is a check: a channel that does not take the test, or no channel at all, is not sound', async () => {
  watch('6h')
  server.answer({ status: 404 })
  const down = await doctor('--notify')
  expect([down.exit, down.stderr]).toEqual([7, expect.stringContaining(`slack could not be told: ${server.host} answered 404`)])
  watch('6h', '[]')
  const none = await doctor('--notify')
  expect([none.exit, none.stderr]).toEqual([7, expect.stringContaining('nobody hears of a failure')])
})

test('without these options the doctor tells nobody of anything, stale or not', async () => {
  watch('1min')
  expect((await doctor()).exit).toBe(7)
  expect(server.requests).toEqual([])
})

test('--notify-stale tells of a backup that is too old, and the next backup resolves that', async () => {
  watch('1min')
  await doctor('--notify-stale')
  expect(pages()).toMatchObject([{ event_action: 'trigger', dedup_key: 'shop/local/backup', payload: { class: 'stale', severity: 'critical' } }])
  await invoke(world, 'backup', ['--yes'], { env: env() })
  expect(pages().at(-1)).toMatchObject({ event_action: 'resolve', dedup_key: 'shop/local/backup' })
  const before = server.requests.length
  expect((await doctor('--notify-stale')).exit).toBe(0)
  expect(server.requests.length).toBe(before)
})

test('--notify-stale that could not look says so, and does not call the backup stale', async () => {
  watch('1min')
  writeFileSync(join(world.home, 'backups'), 'a file where the folder should be')
  const ran = await doctor('--notify-stale')
  expect([7, 8]).toContain(ran.exit)
  expect(pages().map(({ payload }) => payload.class)).toEqual(['failed'])
})
