import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { versionsOf } from '../../lib/exec/versions.ts'
import { doing } from './doing.ts'

const folder = mkdtempSync(join(tmpdir(), 'runbooks-versions-'))
const before = process.env.PATH
afterAll(() => {
  process.env.PATH = before
  rmSync(folder, { recursive: true, force: true })
})

function program(name: string, script: string): string {
  const file = join(folder, name)
  writeFileSync(file, `#!/bin/sh\n${script}\n`)
  chmodSync(file, 0o755)
  return file
}

const calls = () => readFileSync(join(folder, 'calls'), 'utf8').split('\n').length - 1
/** Counts, and runs what stands behind the name of the service here, as docker would inside. */
const DOCKER = `echo call >> '${folder}/calls'
while [ "$1" != db ]; do shift; done
shift
exec "$@"`

const good = program('good', 'echo "good 1.2"; echo "more"')
const bad = program('bad', 'exit 3')

test('in a service all versions are one call, and are asked for once; a program that is missing is asked for again', async () => {
  program('docker', DOCKER)
  process.env.PATH = `${folder}:${before}`
  const within = { compose: {}, service: 'db' }
  const owner = {}
  expect(await versionsOf(owner, [good, good], within, doing())).toEqual(['good 1.2\nmore', 'good 1.2\nmore'])
  expect(await versionsOf(owner, [good, good], within, doing())).toHaveLength(2)
  expect(calls()).toBe(1)
  const other = {}
  expect(await versionsOf(other, [good, bad, join(folder, 'none')], within, doing())).toEqual(['good 1.2\nmore', null, null])
  program('bad', 'echo mended')
  expect(await versionsOf(other, [good, bad], within, doing())).toEqual(['good 1.2\nmore', 'mended'])
  expect(calls()).toBe(3)
})

test('a service that cannot be entered is no answer, and nothing is kept of it', async () => {
  const owner = {}
  program('docker', 'echo "service is not running" >&2; exit 1')
  process.env.PATH = `${folder}:${before}`
  expect(await versionsOf(owner, [good], { compose: {}, service: 'db' }, doing())).toBeUndefined()
  program('docker', DOCKER)
  expect(await versionsOf(owner, [good], { compose: {}, service: 'db' }, doing())).toEqual(['good 1.2\nmore'])
})

test('here each program answers for itself', async () => {
  program('bad', 'exit 3')
  expect(await versionsOf({}, [good, bad, join(folder, 'none')], undefined, doing())).toEqual(['good 1.2\nmore\n', null, null])
})
