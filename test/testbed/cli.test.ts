import { execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { identity } from './identity.ts'
import { describeWith } from './index.ts'
import { bin } from './tools.ts'

const project = join(import.meta.dirname, '../..')
const cli = join(import.meta.dirname, 'cli.ts')
let cache: string

beforeAll(() => {
  cache = mkdtempSync(join(tmpdir(), 'testbed-cli-'))
})
afterAll(() => rmSync(cache, { recursive: true, force: true }))

type Said = { readonly exit: number | null; readonly stdout: string; readonly stderr: string }

function run(file: string, argv: readonly string[], env: Record<string, string> = {}): Said {
  const { PATH, HOME } = process.env
  const { status, stdout, stderr } = spawnSync(file, argv, { cwd: project, encoding: 'utf8', env: { PATH, HOME, TESTBED_CACHE: cache, ...env } })
  return { exit: status, stdout, stderr }
}

const testbed = (...argv: readonly string[]): Said => run(process.execPath, [cli, ...argv])

const answers = (port: string): Promise<boolean> =>
  new Promise(resolve => {
    const socket = connect(Number(port), '127.0.0.1', () => resolve(true)).on('error', () => resolve(false))
    socket.unref()
  })

test('a wrong command, option or name is exit 2 and says what there is', () => {
  expect(testbed()).toMatchObject({ exit: 2, stderr: expect.stringMatching(/say what to do[\s\S]*npm run testbed -- up/) })
  expect(testbed('dance')).toMatchObject({ exit: 2, stderr: expect.stringContaining('dance is not a command') })
  expect(testbed('up')).toMatchObject({ exit: 2, stderr: expect.stringContaining('mongodb, s3, azure, toxiproxy') })
  expect(testbed('up', 'gremlin')).toMatchObject({ exit: 2, stderr: expect.stringContaining('gremlin cannot be started') })
  expect(testbed('up', '--detatch', 's3')).toMatchObject({ exit: 2, stderr: expect.stringContaining('--detatch') })
  expect(testbed('install', 'gremlin')).toMatchObject({ exit: 2, stderr: expect.stringContaining('gremlin is not a part') })
})

/** A PATH with Node and no tool of the testbed. */
const bare = { PATH: join(project, 'node_modules/node/bin') }

test('a missing server is exit 3 with the command that installs it', () => {
  const said = run(process.execPath, [cli, 'up', 's3'], bare)
  expect(said).toMatchObject({ exit: 3, stdout: '' })
  expect(said.stderr).toMatch(/lacks s3: minio is neither on PATH nor in the testbed's cache\. To install it: npm run testbed -- install s3/)
})

test('without a cluster, asking for one is exit 3 with what to do; with one, how to reach it is printed', () => {
  expect(run(process.execPath, [cli, 'up', 'kubernetes'], bare)).toMatchObject({
    exit: 3,
    stdout: '',
    stderr: expect.stringContaining('no cluster is known; set TESTBED_KUBECONFIG'),
  })
  const { TESTBED_KUBECONFIG } = process.env
  if (TESTBED_KUBECONFIG === undefined) return
  const said = run(process.execPath, [cli, 'up', 'kubernetes'], { TESTBED_KUBECONFIG })
  expect(said).toMatchObject({ exit: 0, stderr: '', stdout: expect.stringMatching(/^# Kubernetes: https:.*, nodes /) })
  expect(said.stdout).toContain(`\nKUBECONFIG=${TESTBED_KUBECONFIG}\n`)
})

test('what cannot be installed is named with the reason', () => {
  const said = run(process.execPath, [cli, 'install', 'zstd'], bare)
  expect(said).toMatchObject({ exit: 3, stdout: expect.stringMatching(/zstd: MISSING: there is no apt-get here/) })
})

// Building needs Go and the module proxy, so it is tried only where installing was allowed.
test.skipIf(process.env.TESTBED_INSTALL !== 'yes')(
  'two who install into an empty cache at once build a tool once',
  { timeout: 300_000 },
  async () => {
    const empty = mkdtempSync(join(tmpdir(), 'testbed-empty-'))
    const PATH = (process.env.PATH ?? '')
      .split(':')
      .filter(folder => folder !== bin())
      .join(':')
    const installs = [1, 2].map(async () => {
      const argv = [cli, 'install', 'toxiproxy']
      const { stdout, stderr } = await promisify(execFile)(process.execPath, argv, { env: { ...process.env, PATH, TESTBED_CACHE: empty } })
      return stdout + stderr
    })
    const said = await Promise.all(installs)
    expect(said.filter(text => text.includes('installed toxiproxy-server in'))).toHaveLength(1)
    for (const text of said) expect(text).toContain(`toxiproxy: ${join(empty, 'bin', 'toxiproxy-server')}`)
    expect(readdirSync(empty)).toEqual(['bin'])
    expect(readdirSync(join(empty, 'bin'))).toEqual(['toxiproxy-server'])
    rmSync(empty, { recursive: true })
  },
)

const vitest = [join(project, 'node_modules/vitest/vitest.mjs'), 'run', 'test/testbed/testbed.test.ts']

test('without servers their tests are skipped and the reason is said', () => {
  const said = run(process.execPath, vitest, bare)
  expect(said.stderr).toMatch(/testbed: lacks toxiproxy: toxiproxy-server is neither/)
  expect(said.stdout).toMatch(/Tests .*skipped/)
  expect(said.exit).toBe(0)
})

test('without servers tests fail when they are required', () => {
  const said = run(process.execPath, vitest, { ...bare, TESTBED_REQUIRE: 'all' })
  expect(`${said.stdout}${said.stderr}`).toMatch(/TESTBED_REQUIRE=all, but the testbed lacks mongodb, mongodb-tools, s3, azure, toxiproxy/)
  expect(said.exit).toBe(1)
})

describeWith(['s3', 'toxiproxy'], 'servers by hand', () => {
  test('up prints environment lines that work, and Ctrl-C ends the servers', async () => {
    const { PATH, HOME } = process.env
    const up = spawn(process.execPath, [cli, 'up', 's3'], { env: { PATH, HOME, TESTBED_CACHE: cache }, stdio: ['ignore', 'pipe', 'inherit'] })
    let said = ''
    for await (const chunk of up.stdout) {
      said += chunk
      if (said.includes('Ctrl-C ends')) break
    }
    const names = said.match(/^\w+(?==)/gm)
    expect(names).toEqual(['S3_ENDPOINT', 'S3_BUCKET', 'AWS_REGION', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'])
    const [, port, pid] = /127\.0\.0\.1:(\d+), process (\d+)/.exec(said)!
    expect(await answers(port!)).toBe(true)
    expect(testbed('down').stdout).toBe('nothing was running that down may end\n')
    up.kill('SIGINT')
    expect(await once(up, 'exit')).toEqual([0, null])
    expect(identity(Number(pid))).toBeUndefined()
    expect(testbed('status').stdout).toBe('nothing runs\n')
  })

  test('up --detach leaves them running, status tells how to reach them, down ends them', async () => {
    const { exit, stdout } = testbed('up', '--detach', 'toxiproxy')
    expect(exit).toBe(0)
    const [, port] = /TOXIPROXY_URL=http:\/\/127\.0\.0\.1:(\d+)/.exec(stdout)!
    expect(await answers(port!)).toBe(true)
    expect(testbed('status').stdout).toMatch(new RegExp(`until down\nTOXIPROXY_URL=http://127.0.0.1:${port}`))
    expect(testbed('down').stdout).toBe('ended toxiproxy\n')
    expect(await answers(port!)).toBe(false)
  })
})
