import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { hostname } from 'node:os'
import { afterEach, expect, test } from 'vitest'
import { startedOf } from '../../lib/exec/proc.ts'
import { endSurvivors, isAlive, self, survivors } from '../../lib/exec/survivors.ts'
import { running } from './doing.ts'

const run = () => `r${crypto.randomUUID().slice(0, 8)}`
const left: number[] = []
afterEach(() => {
  for (const pid of left.splice(0)) {
    try {
      process.kill(-pid, 'SIGKILL')
    } catch {
      // Already gone, as it should be.
    }
  }
})

/** A process group as a killed run leaves it. */
function orphan(id: string, script: string): number {
  const child = spawn('sh', ['-c', script], { detached: true, stdio: 'ignore', env: { PATH: process.env.PATH, RUNBOOKS_RUN: id } })
  left.push(child.pid!)
  return child.pid!
}

test('processes of a run are found by its id, with their children, and those of other runs are not', async () => {
  const id = run()
  const pid = orphan(id, 'sleep 60 & sleep 61')
  orphan(`${id}0`, 'sleep 62')
  await expect.poll(async () => (await survivors(id)).length).toBe(3)
  const found = await survivors(id)
  expect(found.find(one => one.pid === pid)).toEqual({ pid, started: startedOf(pid), prints: "sh -c 'sleep 60 & sleep 61'" })
  expect(found.map(one => one.prints).sort()).toEqual(["sh -c 'sleep 60 & sleep 61'", 'sleep 60', 'sleep 61'])
})

test('survivors are ended with their groups, and named', async () => {
  const id = run()
  orphan(id, 'sleep 60 & sleep 61')
  await expect.poll(() => running(id).length).toBe(3)
  expect((await endSurvivors(id)).length).toBe(3)
  expect(running(id)).toEqual([])
  expect(await survivors(id)).toEqual([])
})

test('a survivor that ignores SIGTERM is killed after the grace', async () => {
  const id = run()
  orphan(id, 'trap "" TERM; while :; do sleep 0.1; done')
  await expect.poll(() => running(id).length).toBeGreaterThan(0)
  await endSurvivors(id)
  expect(running(id)).toEqual([])
})

test('nothing left behind is nothing to end', async () => {
  expect(await endSurvivors(run())).toEqual([])
})

test('this process and its parents are not survivors of the run they belong to', async () => {
  const id = run()
  const script = `
    const { survivors } = await import(${JSON.stringify(new URL('../../lib/exec/survivors.ts', import.meta.url).href)})
    process.stdout.write(JSON.stringify(await survivors(${JSON.stringify(id)})))`
  const child = spawn('sh', ['-c', 'node --input-type=module -e "$0"; true', script], { env: { PATH: process.env.PATH, RUNBOOKS_RUN: id } })
  let said = ''
  child.stdout.on('data', chunk => {
    said += chunk
  })
  await once(child, 'close')
  expect(said).toBe('[]')
})

test('this process is alive, and is not another with its number or of another start of the machine', () => {
  const me = self()
  expect(me).toMatchObject({ pid: process.pid, host: hostname(), started: startedOf(process.pid) })
  expect(me.boot).toMatch(/^[0-9a-f-]{36}$/)
  expect(isAlive(me)).toBe(true)
  expect(isAlive({ ...me, started: String(Number(me.started) - 1) })).toBe(false)
  expect(isAlive({ ...me, boot: '00000000-0000-0000-0000-000000000000' })).toBe(false)
})

test('a process that has exited is not alive', async () => {
  const child = spawn('sleep', ['60'])
  const process = { pid: child.pid!, started: startedOf(child.pid!), boot: self().boot }
  expect(isAlive(process)).toBe(true)
  child.kill('SIGKILL')
  await once(child, 'exit')
  expect(isAlive(process)).toBe(false)
})
