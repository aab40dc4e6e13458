import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { demanded, mongoKind, named, prepare } from './availability.ts'
import { components, origins, toolsOf, usual } from './catalogue.ts'
import { find } from './tools.ts'

let machine: string
const before = { ...process.env }

beforeEach(() => {
  machine = mkdtempSync(join(tmpdir(), 'testbed-machine-'))
  process.env.PATH = join(machine, 'path')
  process.env.TESTBED_CACHE = join(machine, 'cache')
  for (const name of ['TESTBED_INSTALL', 'TESTBED_MONGODB', 'TESTBED_REQUIRE', 'TESTBED_KUBECONFIG']) delete process.env[name]
})
afterEach(() => {
  process.env = { ...before }
  rmSync(machine, { recursive: true })
})

/** Puts a program on this machine that answers every call with an exit code. */
function program(where: 'path' | 'cache/bin', name: string, exit = 0): string {
  const file = join(machine, where, name)
  mkdirSync(join(machine, where), { recursive: true })
  writeFileSync(file, `#!/bin/sh\nexit ${exit}\n`)
  chmodSync(file, 0o755)
  return file
}

test('a tool on PATH comes before the one in the cache, and only what can be run is a tool', () => {
  expect(find('minio')).toBeUndefined()
  const cached = program('cache/bin', 'minio')
  expect(find('minio')).toBe(cached)
  const onPath = program('path', 'minio')
  expect(find('minio')).toBe(onPath)
  chmodSync(onPath, 0o644)
  expect(find('minio')).toBe(cached)
})

test('the real MongoDB comes first: mongod, then its image where Docker runs, then the stand-in', () => {
  expect(mongoKind()).toBe('ferretdb')
  program('path', 'docker', 1)
  expect(mongoKind()).toBe('ferretdb')
  program('path', 'docker', 0)
  expect(mongoKind()).toBe('docker')
  program('path', 'mongod')
  expect(mongoKind()).toBe('mongod')
  process.env.TESTBED_MONGODB = 'ferretdb'
  expect(mongoKind()).toBe('ferretdb')
  process.env.TESTBED_MONGODB = 'mongo'
  expect(() => mongoKind()).toThrow('TESTBED_MONGODB is mongo; it can be mongod, docker or ferretdb')
})

test('what can be had says where, and says so when it is a stand-in; what cannot says what to type', async () => {
  const ferretdb = program('cache/bin', 'ferretdb')
  program('path', 'mongodump')
  const found = await prepare(usual, () => expect.unreachable('nothing is installed unless told'))
  expect(found.mongodb).toEqual({ ok: true, how: `${ferretdb}, a stand-in for mongod` })
  expect(found['mongodb-tools']).toMatchObject({
    ok: false,
    why: expect.stringMatching(/^mongorestore is neither .*; bsondump is neither .* npm run testbed -- install mongodb-tools$/),
  })
  expect(found.s3.ok).toBe(false)
})

test('what is required is all, some by name, or nothing, and a wrong name is refused', () => {
  expect(demanded()).toEqual([])
  process.env.TESTBED_REQUIRE = 'all'
  expect(demanded()).toEqual(usual)
  process.env.TESTBED_KUBECONFIG = join(machine, 'kubeconfig')
  expect(demanded()).toEqual([...usual, 'kubernetes'])
  process.env.TESTBED_REQUIRE = 's3,zstd'
  expect(demanded()).toEqual(['s3', 'zstd'])
  expect(() => named(['s4'])).toThrow(/s4 is not a part of the testbed; there are mongodb, /)
})

test('every tool but mongod can be installed', () => {
  const tools = [...components.flatMap(component => toolsOf[component]), 'ferretdb']
  expect(tools.filter(tool => origins[tool] === undefined)).toEqual(['mongod'])
})

test('a cluster is looked for where TESTBED_KUBECONFIG says, and without one it is said what to do', async () => {
  const look = async () => (await prepare([], () => {})).kubernetes
  expect(await look()).toMatchObject({ ok: false, why: expect.stringMatching(/^no cluster is known; set TESTBED_KUBECONFIG .* or install kind/) })
  const file = join(machine, 'kubeconfig')
  process.env.TESTBED_KUBECONFIG = file
  expect(await look()).toEqual({ ok: false, why: `TESTBED_KUBECONFIG is ${file}, which is not there` })
  writeFileSync(file, '')
  expect(await look()).toMatchObject({ ok: false, why: `kubectl is neither on PATH nor in ${join(machine, 'bin')}` })
  program('path', 'kubectl', 1)
  expect(await look()).toMatchObject({ ok: false, why: expect.stringContaining('does not answer') })
  program('path', 'kubectl', 0)
  expect(await look()).toEqual({ ok: true, how: file })
})
