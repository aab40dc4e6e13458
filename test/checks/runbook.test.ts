import { execFileSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Finding } from '../../lib/checks/check.ts'
import { type Recorder, recorder } from '../notify/recorder.ts'
import { copyOf, endWorlds, invoke, jsonOf, newWorld, type World } from '../runbooks/kit.ts'
import { describeWith } from '../testbed/index.ts'
import { find } from '../testbed/tools.ts'
import { deadPort, type Web, web } from './kit.ts'

let server: Web
let channel: Recorder
let status = 200
let dead: number
let seed: World
let world: World
beforeAll(async () => {
  server = await web((_, response) => response.writeHead(status).end('{"status":"ok"}'))
  channel = await recorder()
  dead = await deadPort()
  seed = newWorld()
  expect((await invoke(seed, 'backup', ['--yes', '--quiet'])).exit).toBe(0)
})
beforeEach(() => {
  status = 200
  channel.requests.length = 0
  world = copyOf(seed)
  stack(`check.http({ name: 'api', url: '${server.url}/health' })`)
})
afterAll(async () => {
  endWorlds()
  await Promise.all([server.end(), channel.end()])
})

/** Writes the stack file with these checks; `production` has a list of its own. */
function stack(checks: string, own = ''): void {
  writeFileSync(
    join(world.config, 'shop.ts'),
    `import { check, defineStack, directory, files, pagerduty, secret, sqlite } from 'runbooks'
void [check, secret]
export default defineStack({
  name: 'shop', timezone: 'Europe/Paris',
  data: { database: sqlite({ file: 'shop.sqlite' }), media: files({ directory: 'media' }) },
  backups: { objectives: { dataLoss: '6h' } },
  checks: [${checks}],
  environments: {
    local: { ${own}
      stores: [directory({ path: 'backups' })],
      notify: [pagerduty({ key: secret('PAGERDUTY_KEY'), on: ['unhealthy', 'failed'], url: '${channel.url}/v2/enqueue' })],
    },
  },
})
`,
  )
}

const health = (...flags: string[]) => invoke(world, 'health-check', flags, { env: { PAGERDUTY_KEY: 'R0UT1NGKEY' } })
const UNKNOWN = () => `check.prometheus({ url: 'http://127.0.0.1:${dead}' })`

describe('what it comes to', () => {
  test('all well is exit 0: what the stack says, and what follows from it without a word', async () => {
    const ran = await health()
    expect([ran.exit, ran.stderr]).toEqual([0, ''])
    for (const name of ['api', 'database', 'media', 'store directory', 'backup age']) expect(ran.stdout).toMatch(new RegExp(`^✔  ${name} `, 'm'))
    expect(ran.last).toMatch(/^DONE shop\/local: 5 of 5 healthy, verified .* \(exit 0\)$/)
  })

  test('anything unhealthy is exit 7, with the cause in the table and in Why, worst first', async () => {
    status = 503
    stack(`check.http({ name: 'api', url: '${server.url}/health' }), ${UNKNOWN()}`)
    const ran = await health()
    expect(ran.exit).toBe(7)
    expect(ran.stdout.split('\n')[1]).toMatch(/^✖ {2}api +http +answered 503/)
    expect(ran.stdout.split('\n')[2]).toMatch(/^\? {2}prometheus/)
    expect(ran.stderr).toMatch(/^Why +api: answered 503, not 2xx/)
    expect(ran.last).toMatch(/^UNHEALTHY shop\/local: 4 of 6 healthy, 1 unhealthy, 1 could not be looked at, verified/)
  })

  test('nothing unhealthy and something not looked at is exit 8, and nothing is called verified', async () => {
    stack(UNKNOWN())
    const ran = await health()
    expect([ran.exit, ran.last]).toEqual([8, 'UNKNOWN shop/local: 4 of 5 healthy, 1 could not be looked at (exit 8)'])
  })

  test('a part that is gone, a backup that is too old and a store that is none are found without a word', async () => {
    rmSync(world.database)
    rmSync(join(world.store, 'shop'), { recursive: true })
    const found = jsonOf(await health('--json'))
    const says = (found.result as Finding[]).map(({ name, is, says }) => `${name} ${is}: ${says}`).join('\n')
    expect(found.exit).toBe(7)
    expect(says).toMatch(/^database unhealthy: .*shop\.sqlite is missing/m)
    expect(says).toMatch(/^backup age unhealthy: there is no sound backup$/m)
  })

  test('the checks of an environment stand instead of the stack’s', async () => {
    status = 503
    stack(`check.http({ name: 'api', url: '${server.url}' })`, 'checks: [check.memory({ availablePercent: 0 })],')
    const ran = await health('--json')
    expect((jsonOf(ran).result as Finding[]).map(({ name }) => name)).toEqual(['database', 'media', 'store directory', 'backup age', 'memory'])
    expect(ran.exit).toBe(0)
  })
})

describe('how it is asked and printed', () => {
  test('--only looks at these alone, and a name that is none is a usage error', async () => {
    status = 500
    const ran = await health('--only=media', '--only=database', '--format=json')
    expect([ran.exit, (JSON.parse(ran.stdout) as Finding[]).map(({ name }) => name)]).toEqual([0, ['database', 'media']])
    expect(ran.stderr).toContain('DONE shop/local: 2 of 2 healthy')
    const wrong = await health('--only=apo')
    expect([wrong.exit, wrong.stderr]).toEqual([2, expect.stringContaining('There is no check "apo"')])
    expect((await health('--format=xml')).exit).toBe(2)
  })

  test('--format=json is the findings with every field, whatever they are', async () => {
    status = 500
    const ran = await health('--format=json')
    expect(ran.exit).toBe(7)
    const found = JSON.parse(ran.stdout) as Finding[]
    for (const one of found) expect(Object.keys(one)).toEqual(['name', 'kind', 'is', 'says', 'measured', 'look', 'tookMs'])
    expect(found.find(({ name }) => name === 'api')).toMatchObject({ is: 'unhealthy', measured: { status: 500 } })
  })

  test('two checks of one name, and a wrong option, are refused with what is wrong', async () => {
    stack(`check.memory({ name: 'media' })`)
    expect((await health()).stderr).toContain('Two checks are named "media"')
    stack(`check.http({ url: '${server.url}', status: 20 })`)
    const ran = await health()
    expect([ran.exit, ran.stderr]).toEqual([2, expect.stringMatching(/checks\.0\.status/)])
  })
})

describeWith('promtool', '--format=prometheus', () => {
  test('is in the format that Prometheus reads, and tells unhealthy from unknown', async () => {
    status = 503
    stack(`check.http({ name: 'a "quoted" api', url: '${server.url}' }), ${UNKNOWN()}`)
    const ran = await health('--format=prometheus')
    expect(ran.exit).toBe(7)
    expect(execFileSync(find('promtool') ?? '', ['check', 'metrics'], { input: ran.stdout, encoding: 'utf8' })).toBe('')
    expect(ran.stdout).toContain('runbooks_check_healthy{stack="shop",environment="local",check="a \\"quoted\\" api",kind="http"} 0\n')
    expect(ran.stdout).toContain('runbooks_check_known{stack="shop",environment="local",check="prometheus",kind="prometheus"} 0\n')
    expect(ran.stdout).not.toMatch(/check_healthy\{.*check="prometheus"/)
    expect(ran.stdout).toMatch(/check_measured\{.*figure="latencyMs"\} \d+\n/)
  })
})

describe('who is told', () => {
  const pages = () => channel.requests.splice(0).map(({ body }) => JSON.parse(body))

  test('nobody, unless --notify is given', async () => {
    status = 503
    await health()
    expect(pages()).toEqual([])
  })

  test('with --notify: what is unhealthy each time, the recovery once, and then nothing', async () => {
    await health('--notify')
    expect(pages()).toEqual([])
    status = 503
    await health('--notify')
    await health('--notify')
    const incident = { event_action: 'trigger', dedup_key: 'shop/local/health-check', payload: { class: 'unhealthy' } }
    expect(pages()).toMatchObject([incident, incident])
    status = 200
    await health('--notify')
    expect(pages()).toMatchObject([{ event_action: 'resolve', dedup_key: 'shop/local/health-check' }])
    await health('--notify')
    expect(pages()).toEqual([])
  })

  test('what could not be looked at is a failure of the watch, also when the stack is refused', async () => {
    stack(UNKNOWN())
    await health('--notify')
    expect(pages()).toMatchObject([{ payload: { class: 'failed' } }])
    stack(`check.memory({ name: 'media' })`)
    await health('--notify')
    expect(pages()).toMatchObject([{ payload: { class: 'failed', custom_details: { why: expect.stringContaining('Two checks') } } }])
  })

  test('--notify with --only is refused: a part of the stack cannot say that all is well', async () => {
    const ran = await health('--notify', '--only=media')
    expect([ran.exit, ran.stderr]).toEqual([2, expect.stringContaining('--notify speaks of everything')])
  })
})

test('it may be scheduled', async () => {
  stack('', "schedules: [{ runbook: 'health-check', cron: '*/5 * * * *', options: ['--notify'] }],")
  const ran = await invoke(world, 'schedule', ['--format=crontab'])
  expect([ran.exit, ran.stdout]).toEqual([0, expect.stringMatching(/^\*\/5 \* \* \* \* .*health-check\.ts .*--notify$/m)])
})
