import { createHash, randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ComposeService, inService } from '../../lib/exec/place.ts'
import { type Command, feed, run, stdoutOf } from '../../lib/exec/process.ts'
import { Secret } from '../../lib/plan/secrets.ts'
import { type Docker, describeWith, docker } from '../testbed/index.ts'
import { collect, doing } from './doing.ts'

describeWith(['docker', 'postgres'], 'a command in a real service', () => {
  let engine: Docker
  let place: ComposeService
  const before = process.env.DOCKER_HOST

  beforeAll(async () => {
    engine = await docker()
    process.env.DOCKER_HOST = engine.address
    const image = engine.postgresImage()
    const file = engine.up('place', { idle: { image, network_mode: 'none', init: true, command: ['sleep', '3600'] } })
    place = { compose: { project: 'place', file }, service: 'idle' }
  }, 120_000)
  afterAll(async () => {
    await engine?.stop()
    if (before === undefined) delete process.env.DOCKER_HOST
    else process.env.DOCKER_HOST = before
  }, 60_000)

  const sh = (script: string, input: boolean, secrets: Readonly<Record<string, Secret>> = {}): Command =>
    inService(place, { file: 'sh', argv: ['-c', script] }, { input, secrets })
  /** Command lines of all processes in the service. */
  const processes = async () => (await run(sh('cat /proc/[0-9]*/cmdline', false), doing())).stdout.replaceAll('\0', ' ')

  test('bytes of every kind go in and come out unchanged', { timeout: 60_000 }, async () => {
    const bytes = Buffer.concat([Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)), Buffer.from('\r\n\n\x04\x1a'), randomBytes(8_000_000)])
    async function* pieces() {
      for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536)
    }
    await feed(sh('cat > /tmp/bytes', true, { PW: new Secret('PW', 'two\nlines') }), pieces(), doing())
    const back = await collect(stdoutOf(sh('cat /tmp/bytes', false, { PW: new Secret('PW', 'x') }), doing()))
    expect(back.length).toBe(bytes.length)
    expect(createHash('sha256').update(back).digest('hex')).toBe(createHash('sha256').update(bytes).digest('hex'))
  })

  test('the exit code is the program’s own, and what it says is kept', { timeout: 60_000 }, async () => {
    for (const input of [true, false]) {
      expect(await run(sh('echo why >&2; exit 37', input), doing(), input ? { input: '' } : {})).toMatchObject({
        code: 37,
        stderr: expect.stringContaining('why'),
      })
    }
    await expect(collect(stdoutOf(sh('echo half; exit 3', false), doing()))).rejects.toMatchObject({ code: 3 })
    expect((await run(inService(place, { file: 'no-such-tool', argv: [] }, { input: true }), doing(), { input: '' })).code).toBe(127)
    expect((await run(inService({ ...place, service: 'nobody' }, { file: 'true', argv: [] }, { input: false }), doing())).code).not.toBe(0)
  })

  test('a secret with line breaks arrives, and stands on no command line, outside or inside', { timeout: 60_000 }, async () => {
    const secret = new Secret('KEY', 'first-half\n second-half\n')
    const { stdout } = await run(sh('printf %s "$KEY"; cat /proc/[0-9]*/cmdline', false, { KEY: secret }), doing())
    expect(stdout.startsWith(secret.reveal())).toBe(true)
    expect(stdout.slice(secret.reveal().length)).not.toMatch(/first-half|second-half/)
  })

  test('a reading command does not outlive us in the service, though docker is killed', { timeout: 60_000 }, async () => {
    const ours = doing()
    const done = run(sh('exec sleep 1234', false), ours)
    while (!(await processes()).includes('sleep 1234')) await sleep(100)
    process.kill(-ours.started[0]!.pid, 'SIGKILL')
    await done
    for (let waited = 0; (await processes()).includes('sleep 1234') && waited < 50; waited++) await sleep(100)
    expect(await processes()).not.toContain('sleep 1234')
  })
})
