import { rmSync } from 'node:fs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { journal } from '../run/toys/invoke.ts'
import { type Watched, watched } from './watched.ts'

let toy: Watched
beforeEach(async () => {
  toy = await watched()
})
afterEach(() => toy.end())

const seconds = async <T>(work: Promise<T>): Promise<[T, number]> => {
  const began = performance.now()
  return [await work, (performance.now() - began) / 1000]
}

/** From the plan to the end, by the journal. */
function workedMs(): number {
  const entries = journal(toy.world)
  return Date.parse(entries.at(-1)?.t ?? '') - Date.parse(entries[0]?.t ?? '')
}

test('a channel that is down changes no exit code and is said in the JSON and on stderr, without its secret', async () => {
  toy.server.answer({ status: 404, body: 'no such hook /hook/secret-4711' })
  const ran = await toy.run(['--yes', '--json'])
  expect(ran.code).toBe(0)
  const told = JSON.parse(ran.stdout)
  expect(told).toMatchObject({ word: 'DONE', exit: 0 })
  expect(told.warnings).toEqual([
    `webhook could not be told: ${toy.server.host} answered 404: no such hook ***`,
    `deadman could not be told: ${toy.server.host} answered 404: no such hook ***`,
  ])
  expect(ran.stderr).toContain('Warning webhook could not be told')
  expect(ran.stdout + ran.stderr).not.toMatch(/secret-(4711|0815)/)
})

test('with --quiet a channel that is down is the one thing that is said', async () => {
  toy.server.answer('drop')
  const ran = await toy.run(['--yes', '--quiet'])
  expect([ran.code, ran.stdout]).toEqual([0, ''])
  expect(ran.stderr).toContain('webhook could not be told')
})

test('a failure keeps its exit code and its reason when nobody can be told of it', async () => {
  toy.server.answer('drop')
  const ran = await toy.run(['--yes', '--json'], { TOY_FAIL: 'put/e' })
  expect(JSON.parse(ran.stdout)).toMatchObject({
    exit: 4,
    why: 'it was told to fail',
    warnings: [expect.stringContaining('webhook'), expect.stringContaining('deadman')],
  })
})

test('a secret that is not set keeps no backup from being made', async () => {
  const ran = await toy.run(['--yes', '--json'], { WATCH_HOOK: '', WATCH_PING: 'not a url' })
  expect(JSON.parse(ran.stdout)).toMatchObject({
    exit: 0,
    warnings: ['webhook could not be told: WATCH_HOOK is not set', 'deadman could not be told: WATCH_PING is no http(s) URL'],
  })
})

test('a start that is not answered holds up neither the work nor, after its limit, the end', async () => {
  // The two starts; everything after them is answered.
  toy.server.answer(n => (n <= 2 ? 'hang' : { status: 200 }))
  const [ran, took] = await seconds(toy.run(['--yes', '--json']))
  expect(workedMs()).toBeLessThan(4_000)
  expect(took).toBeGreaterThan(4.5)
  expect(JSON.parse(ran.stdout).warnings).toEqual([
    expect.stringMatching(/^webhook could not be told: no answer .*(in time|within 5 s)$/),
    expect.stringMatching(/^deadman could not be told: no answer .*(in time|within 5 s)$/),
  ])
  expect([toy.hooked().at(-1)?.event, toy.pings().at(-1)]).toEqual(['done', ''])
})

test('a signal while others are told ends the waiting and not what the run came to', async () => {
  toy.server.answer(n => (n <= 2 ? { status: 200 } : 'hang'))
  const { child, ran } = toy.begin(['--yes', '--json'])
  await toy.server.heard(4)
  const began = performance.now()
  child.kill('SIGTERM')
  const { code, stdout } = await ran
  expect(performance.now() - began).toBeLessThan(3_000)
  expect(code).toBe(0)
  expect(JSON.parse(stdout).warnings).toEqual([
    'webhook could not be told: cut short by a signal',
    'deadman could not be told: cut short by a signal',
  ])
})

test('metrics that cannot be written are a warning', async () => {
  rmSync(`${toy.world.home}/metrics`, { recursive: true })
  const ran = await toy.run(['--yes', '--json'])
  expect(JSON.parse(ran.stdout)).toMatchObject({ exit: 0, warnings: [expect.stringMatching(/^The metrics could not be written: ENOENT/)] })
})
