import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Sample, withSample, writeMetrics } from '../../lib/backups/metrics.ts'

let folder: string
let file: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'runbooks-metrics-'))
  file = join(folder, 'shop.prom')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const backup: Sample = {
  stack: 'shop',
  environment: 'local',
  runbook: 'backup',
  exit: 0,
  endedMs: 20_500,
  began: { atMs: 10_250, tookMs: 10_250 },
  dataLossMs: 21_600_000,
  result: { storedBytes: 4096 },
}

/** Values by metric and runbook, without the fixed labels. */
const valuesIn = (text: string) =>
  Object.fromEntries(
    text
      .split('\n')
      .filter(line => line && !line.startsWith('#'))
      .map(line => [line.replace(/\{.*runbook="([^"]*)"\} .*/, ' $1'), Number(line.split(' ').at(-1))]),
  )

test('a good backup sets when it was begun and ended, its size, its time, and the objective', () => {
  expect(valuesIn(withSample('', backup))).toEqual({
    'runbooks_last_run_timestamp_seconds backup': 20.5,
    'runbooks_last_run_exit_code backup': 0,
    'runbooks_last_success_timestamp_seconds backup': 20.5,
    'runbooks_duration_seconds backup': 10.25,
    'runbooks_backup_timestamp_seconds backup': 10.25,
    'runbooks_backup_size_bytes backup': 4096,
    'runbooks_data_loss_objective_seconds backup': 21_600,
  })
})

test('a failure changes the exit code and leaves the last success as it was', () => {
  const after = valuesIn(withSample(withSample('', backup), { ...backup, exit: 4, endedMs: 99_000, began: undefined, result: null }))
  expect(after).toMatchObject({
    'runbooks_last_run_timestamp_seconds backup': 99,
    'runbooks_last_run_exit_code backup': 4,
    'runbooks_last_success_timestamp_seconds backup': 20.5,
    'runbooks_backup_timestamp_seconds backup': 10.25,
    'runbooks_backup_size_bytes backup': 4096,
  })
})

test('only a good drill certifies, and it says nothing of the age of the backup', () => {
  const drill = { ...backup, runbook: 'restore-drill', dataLossMs: undefined }
  expect(valuesIn(withSample('', { ...drill, result: { good: true } }))).toMatchObject({ 'runbooks_certified_timestamp_seconds restore-drill': 20.5 })
  const bad = valuesIn(withSample('', { ...drill, exit: 7, result: { good: false } }))
  expect(Object.keys(bad).filter(name => /certified|backup_timestamp/.test(name))).toEqual([])
})

test('whatever runs follow each other, each runbook keeps its own newest exit code and last success', () => {
  const run = fc.record({ runbook: fc.constantFrom('backup', 'restore', 'restore-drill'), exit: fc.constantFrom(0, 3, 4, 5, 7, 143) })
  fc.assert(
    fc.property(fc.array(run, { minLength: 1, maxLength: 20 }), runs => {
      const text = runs.reduce((said, { runbook, exit }, i) => withSample(said, { ...backup, runbook, exit, endedMs: (i + 1) * 1000 }), '')
      const values = valuesIn(text)
      for (const runbook of new Set(runs.map(one => one.runbook))) {
        const last = runs.findLast(one => one.runbook === runbook)
        const good = runs.findLastIndex(one => one.runbook === runbook && one.exit === 0)
        expect(values[`runbooks_last_run_exit_code ${runbook}`]).toBe(last?.exit)
        expect(values[`runbooks_last_success_timestamp_seconds ${runbook}`]).toBe(good < 0 ? undefined : good + 1)
      }
    }),
  )
})

test('lines that are not ours are not carried on, so that a damaged file mends itself', async () => {
  writeFileSync(file, 'runbooks_last_run_exit_code{stack="shop" broken\nnode_load1 3\n\0\0')
  await writeMetrics(file, backup)
  expect(readFileSync(file, 'utf8')).toBe(withSample('', backup))
})

test('runs that end at the same time all leave their figures, and no draft stays', async () => {
  const names = Array.from({ length: 12 }, (_, i) => `runbook-${i}`)
  await Promise.all(names.map(runbook => writeMetrics(file, { ...backup, runbook })))
  const values = valuesIn(readFileSync(file, 'utf8'))
  expect(names.filter(name => values[`runbooks_last_run_exit_code ${name}`] !== 0)).toEqual([])
  expect(existsSync(`${file}.tmp`)).toBe(false)
})

test('a draft that a dead process left is not waited for', async () => {
  writeFileSync(`${file}.tmp`, 'half')
  utimesSync(`${file}.tmp`, 1, 1)
  await writeMetrics(file, backup)
  expect(readFileSync(file, 'utf8')).toBe(withSample('', backup))
})

test('every user can read the file, whatever the umask', async () => {
  const umask = process.umask(0o077)
  try {
    await writeMetrics(file, backup)
  } finally {
    process.umask(umask)
  }
  expect(statSync(file).mode & 0o777).toBe(0o644)
})

test('a folder that is not there is an error, and a file that cannot be replaced leaves the old one whole', async () => {
  await expect(writeMetrics(join(folder, 'no/shop.prom'), backup)).rejects.toThrow('ENOENT')
  await writeMetrics(file, backup)
  const before = readFileSync(file, 'utf8')
  chmodSync(folder, 0o500)
  // Root writes everywhere: there the old file is replaced, which is as whole.
  await writeMetrics(file, backup).catch(error => expect(error.code).toBe('EACCES'))
  chmodSync(folder, 0o700)
  expect(readFileSync(file, 'utf8')).toBe(before)
})
