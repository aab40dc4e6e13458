import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeStack, endWorlds, invoke, newWorld, type World } from '../runbooks/kit.ts'
import { type Recorder, recorder } from './recorder.ts'

let server: Recorder
let world: World
beforeAll(async () => {
  server = await recorder()
  world = newWorld()
  const hook = `{ family: 'notifier', kind: 'webhook', options: { url: secret('HOOK'), on: ['info', 'warning', 'critical'] } }`
  describeStack(world, { environment: `notify: [${hook}], metrics: 'shop.prom'`, env: `HOOK=${server.url}/hook/t0ps3cr3t\n` })
})
afterAll(async () => {
  endWorlds()
  await server.end()
})

const told = () => server.requests.map(({ body }) => JSON.parse(body)).map(({ event, severity, runbook }) => [event, severity, runbook])
const metric = (name: string, runbook: string) =>
  Number(new RegExp(`^${name}\\{.*runbook="${runbook}"\\} (\\S+)$`, 'm').exec(readFileSync(join(world.home, 'shop.prom'), 'utf8'))?.[1])

test('a backup, a drill of it, and a backup of data that shrank are told and measured as such', async () => {
  const began = Date.now() / 1000
  expect((await invoke(world, 'backup', ['--yes'])).exit).toBe(0)
  const backedUp = metric('runbooks_backup_timestamp_seconds', 'backup')
  expect(backedUp).toBeGreaterThan(began)
  expect(metric('runbooks_backup_size_bytes', 'backup')).toBeGreaterThan(100)

  expect((await invoke(world, 'restore-drill', ['--backup=latest', '--yes'])).exit).toBe(0)
  expect(metric('runbooks_certified_timestamp_seconds', 'restore-drill')).toBeGreaterThan(backedUp)

  const database = new DatabaseSync(world.database)
  database.exec('DELETE FROM orders WHERE id > 3')
  database.close()
  const ran = await invoke(world, 'backup', ['--yes'])
  expect([ran.exit, ran.stdout]).toEqual([0, expect.stringContaining('SHRANK')])

  expect(told()).toEqual([
    ['start', 'info', 'backup'],
    ['done', 'info', 'backup'],
    ['start', 'info', 'restore-drill'],
    ['done', 'info', 'restore-drill'],
    ['start', 'info', 'backup'],
    ['shrunk', 'warning', 'backup'],
  ])
})

test('nothing that was printed or kept on this machine holds the address of a channel', async () => {
  const ran = await invoke(world, 'backup', ['--yes', '--show-config'])
  expect(ran.stdout + ran.stderr).not.toContain('t0ps3cr3t')
  expect(ran.stdout).toMatch(/HOOK +\*\*\*/)
})
