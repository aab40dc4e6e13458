import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { tally } from './tally.ts'

const project = join(import.meta.dirname, '../..')
let scratch: string

beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'testbed-tally-'))
  symlinkSync(join(project, 'node_modules'), join(scratch, 'node_modules'))
})
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

/** The line of a real vitest run over these files. */
function run(files: Record<string, string>): ReturnType<typeof tally> {
  const root = mkdtempSync(join(scratch, 'run-'))
  for (const [name, body] of Object.entries(files)) writeFileSync(join(root, name), `import { test } from 'vitest'\n${body}`)
  const argv = [join(project, 'node_modules/vitest/vitest.mjs'), 'run', '--root', root, '--reporter=json', `--outputFile.json=${root}/results.json`]
  const { status } = spawnSync(process.execPath, argv, { env: { PATH: process.env.PATH }, stdio: 'ignore' })
  let json: string | undefined
  try {
    json = readFileSync(join(root, 'results.json'), 'utf8')
  } catch {}
  return tally(json, status ?? 1, [])
}

const good = "test('good', () => {})"

test('counts what passed, failed and was skipped', () => {
  const files = {
    'a.test.ts': `${good}\ntest('bad', () => { throw new Error('x') })`,
    'b.test.ts': `test.skip('later', () => {})\ntest.todo('some day')\n${good}`,
  }
  expect(run(files)).toMatchObject({ line: '2 passed, 1 failed, 2 skipped', exit: 1 })
})

test('a good run exits 0', () => {
  expect(run({ 'a.test.ts': good })).toEqual({ line: '1 passed, 0 failed, 0 skipped', notes: [], exit: 0 })
})

test('a file that does not load is a failure', () => {
  const { line, notes, exit } = run({ 'a.test.ts': good, 'b.test.ts': `throw new Error('cannot load')\n${good}` })
  expect([line, exit]).toEqual(['1 passed, 1 failed, 0 skipped', 1])
  expect(notes.join()).toMatch(/b\.test\.ts: cannot load/)
})

test('an error outside of every test is a failure', () => {
  const later = "test('good', async () => { setTimeout(() => { throw new Error('stray') }, 1); await new Promise(r => setTimeout(r, 50)) })"
  expect(run({ 'a.test.ts': later })).toMatchObject({ line: '1 passed, 1 failed, 0 skipped', exit: 1 })
})

test('no test, no results, cut results, and a failed step before the tests are failures', () => {
  expect(run({}).line).toMatch(/^0 passed, 1 failed, 0 skipped$/)
  expect(tally(undefined, 137, [])).toMatchObject({ line: '0 passed, 1 failed, 0 skipped', exit: 1 })
  expect(tally('{"numPassedTests": 3', 0, [])).toMatchObject({ line: '0 passed, 1 failed, 0 skipped', exit: 1 })
  const json = JSON.stringify({ numPassedTests: 3, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0, testResults: [] })
  expect(tally(json, 0, ['npm run check'])).toEqual({ line: '3 passed, 1 failed, 0 skipped', notes: ['failed: npm run check'], exit: 1 })
})

test('the program prints the line last and exits with it', () => {
  const file = join(scratch, 'empty')
  writeFileSync(file, '')
  const { status, stdout } = spawnSync(process.execPath, [join(import.meta.dirname, 'tally.ts'), file, '1'], { encoding: 'utf8' })
  expect(stdout.trimEnd().split('\n').at(-1)).toBe('0 passed, 1 failed, 0 skipped')
  expect(status).toBe(1)
})
