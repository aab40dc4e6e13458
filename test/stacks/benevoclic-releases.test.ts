import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { pointThatSays } from '../releases/points.ts'
import { underLoad } from '../releases/runs.ts'
import { jsonOf } from '../runbooks/kit.ts'
import { until } from '../runbooks/waiting.ts'
import { describeWith } from '../testbed/index.ts'
import { fillMongo, lookMongo, standIn } from './data.ts'
import { type Benevoclic, benevoclic } from './releases/benevoclic.ts'
import { came, ends, said } from './releases/said.ts'

// Containers, images and databases, and all of it through ssh; other test files run beside it.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 })

const AGREED = '--confirm=benevoclic/production'
const DATABASE = 'benevoclic'

/** Whether Compose itself is bringing up a slot, on the host and not in the words of who asked for it. */
const isStarting = () =>
  readdirSync('/proc').some(pid => {
    try {
      const line = /^\d+$/.test(pid) ? readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ') : ''
      return /^\S*docker-compose .*-p benevoclic-(blue|green) .*up --detach/.test(line)
    } catch {
      return false
    }
  })

describeWith(
  ['docker', 'nginx-image', 'ssh', 'mongodb', 'mongodb-tools', 'registry', 's3', 'zstd'],
  `benevoclic on a host behind ssh: releases from a registry, ${standIn()}, backups on S3 (MinIO)`,
  () => {
    let stack: Benevoclic
    beforeAll(async () => {
      stack = await benevoclic(['1.0.0', '1.1.0', '1.2.0', '1.3.0-crash'])
      await fillMongo(stack.mongo, DATABASE, ['missions', 'volunteers'])
    })
    afterAll(() => stack?.end())

    const run = (exit: number, last: RegExp, runbook: string, ...flags: string[]) => ends(stack.site, exit, last, runbook, ...flags)
    const served = async (path = '/health') => (await fetch(`http://127.0.0.1:${stack.port}${path}`)).text()
    const DEPLOY = (version: string) => ['--set', `benevoclic-api=${version}`, AGREED]

    test('an ordinary user of the host makes the first deploy, with a backup first; the key of Firebase arrives whole, as a file', async () => {
      await run(
        0,
        /^DEPLOYED benevoclic\/production: 1\.0\.0 serves 100 %; [\d,]+ requests, [\d,]+ failed, .*\(exit 0\)$/,
        'deploy',
        ...DEPLOY('1.0.0'),
      )
      expect(await served()).toBe('benevoclic-api 1.0.0\n')
      const { firebaseKey } = stack
      const line = `firebase_private_key ${firebaseKey.split('\n').length} ${createHash('sha256').update(firebaseKey).digest('hex')}\n`
      expect(await served('/api/secrets')).toContain(line)
      await run(0, /: 1 backup at /, 'backup-list')
    })

    test('nothing of the key that lets us in stays here, and nothing of a secret in what Docker shows', async () => {
      const shown = stack.engine.docker('inspect', ...stack.engine.docker('ps', '-aq').split('\n'))
      expect(shown).not.toMatch(/PRIVATE KEY|key of the web/)
      const journal = readdirSync(join(stack.site.world.home, 'runs'), { recursive: true, withFileTypes: true })
        .filter(entry => entry.isFile())
        .map(entry => readFileSync(join(entry.parentPath, entry.name), 'utf8'))
      expect(journal.join('\n')).not.toMatch(/PRIVATE KEY|key of the web/)
    })

    test('a new version comes under load without a failed request, with a backup first, and the data is not touched', async () => {
      const before = await lookMongo(stack.mongo, DATABASE)
      const { done, sent, failures } = await underLoad({ port: stack.port, path: '/health', pauseMs: 100 }, () =>
        run(0, /^\{/, 'deploy', ...DEPLOY('1.1.0'), '--json'),
      )
      expect([failures, sent > 100]).toEqual([[], true])
      const { word, result } = jsonOf(done)
      expect([word, result]).toMatchObject(['DEPLOYED', { versions: { 'benevoclic-api': '1.1.0' }, door: { failed: 0 } }])
      expect([await served(), await lookMongo(stack.mongo, DATABASE)]).toEqual(['benevoclic-api 1.1.0\n', before])
    })

    test('a version that crashes is taken back', async () => {
      const last = /1\.1\.0 still serves; traffic never moved; front door: [\d,]+ requests, 0 failed/
      const ran = await run(4, last, 'deploy', ...DEPLOY('1.3.0-crash'), '--skip-backup')
      expect(said(ran)).toMatch(/crashed 2 times.*JWT_SECRET is shorter than 32 characters/)
      expect(await served()).toBe('benevoclic-api 1.1.0\n')
    })

    test('a link that is cut while Compose starts a release is said; it is made anew, and the release is taken back', async () => {
      const working = stack.site.run('deploy', ...DEPLOY('1.2.0'), '--skip-backup')
      await until(() => (isStarting() ? true : undefined), 120_000)
      expect(stack.server.killSessions()).toBeGreaterThan(0)
      const ran = came(await working, 4, /^NOT DONE benevoclic\/production: 1\.1\.0 still serves; traffic never moved/)
      expect(said(ran)).toMatch(/The link to \S+ was cut .* were taken back and verified/)
      expect(await served()).toBe('benevoclic-api 1.1.0\n')
    })

    test('a rollback goes to the release before', async () => {
      await run(0, /^ROLLED BACK benevoclic\/production: 1\.0\.0 serves 100 %; [\d,]+ requests, 0 failed/, 'rollback', AGREED)
      expect(await served()).toBe('benevoclic-api 1.0.0\n')
    })

    test('an operator whose machine is lost in the middle is stood in for by another one, from what the host knows', async () => {
      const die = pointThatSays('intent traffic/front door')
      expect((await stack.site.play({ die }, 'deploy', ...DEPLOY('1.2.0'), '--skip-backup')).signal).toBe('SIGKILL')
      rmSync(join(stack.site.world.home, 'runs'), { recursive: true })
      const elsewhere = { env: { RUNBOOKS_HOME: join(stack.site.world.folder, 'another laptop') } }
      const asked = came(await stack.site.play(elsewhere, 'deploy', ...DEPLOY('1.1.0')), 5, /\(exit 5\)$/)
      expect(said(asked)).toMatch(/Unfinished: deploy .*Survivors: none/)
      came(await stack.site.play(elsewhere, 'deploy', '--resume', AGREED), 0, /^DEPLOYED benevoclic\/production: 1\.2\.0 serves 100 %/)
      expect(await served()).toBe('benevoclic-api 1.2.0\n')
    })

    test('the releases are listed, and health is well until something is stopped', async () => {
      const ran = await run(0, /^DONE benevoclic\/production: 4 verified releases; 1\.2\.0 serves/, 'releases')
      expect(ran.stdout).toContain('rollback goes')
      const only = ['benevoclic-api', 'front door', 'release', 'database'].map(name => `--only=${name}`)
      await run(0, /^DONE benevoclic\/production: 4 of 4 healthy/, 'health-check', ...only)
      const name = stack.engine.docker('ps', '--format', '{{.Names}}', '--filter', 'label=com.docker.compose.service=benevoclic-api')
      stack.engine.docker('stop', name)
      const bad = await run(7, /^UNHEALTHY benevoclic\/production: /, 'health-check', ...only)
      expect(said(bad)).toMatch(/benevoclic-api: nothing serves.*front door: .*50[24]/)
    })
  },
)
